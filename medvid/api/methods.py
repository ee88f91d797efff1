"""Each method is written once, as a coroutine; here it gets the form of the client it is asked of.

`method(f)` in a class body is a coroutine function on an AsyncClient and a plain function on a
Client, `stream(f)` an asynchronous or a plain iterator; type checkers see the right one of both.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from medvid.api.loop import LoopThread
from medvid.api.transport import Transport

P = ParamSpec("P")
T = TypeVar("T")


class AsyncCalls:
    """Has its calls as coroutines."""

    loop: None = None

    def __init__(self, transport: Transport) -> None:
        self.transport = transport


class SyncCalls:
    """Has its calls as plain functions, which run in a loop of a thread of its own."""

    def __init__(self, transport: Transport, loop: LoopThread) -> None:
        self.transport = transport
        self.loop = loop


class method(Generic[P, T]):  # noqa: N801 - used like the built-in decorators of its kind
    """A call with one answer."""

    def __init__(self, body: Callable[Concatenate[Transport, P], Coroutine[Any, Any, T]]) -> None:
        self._body = body
        self.__doc__ = body.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: AsyncCalls, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, client: SyncCalls, owner: type) -> Callable[P, T]: ...
    def __get__(self, client: AsyncCalls | SyncCalls | None, owner: type) -> Any:
        """Return the bound call in the client's form."""
        if client is None:
            return self
        bound = functools.partial(self._body, client.transport)
        loop = client.loop
        if loop is None:
            return _named(bound, self._body)

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return loop.run(bound(*args, **kwargs))

        return _named(call, self._body)


class stream(Generic[P, T]):  # noqa: N801 - as above
    """A call with many answers, one after the other."""

    def __init__(self, body: Callable[Concatenate[Transport, P], AsyncGenerator[T, None]]) -> None:
        self._body = body
        self.__doc__ = body.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: AsyncCalls, owner: type) -> Callable[P, AsyncGenerator[T, None]]: ...
    @overload
    def __get__(self, client: SyncCalls, owner: type) -> Callable[P, Generator[T, None, None]]: ...
    def __get__(self, client: AsyncCalls | SyncCalls | None, owner: type) -> Any:
        """Return the bound call in the client's form."""
        if client is None:
            return self
        bound = functools.partial(self._body, client.transport)
        loop = client.loop
        if loop is None:
            return _named(bound, self._body)

        def call(*args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
            return _plain(loop, bound(*args, **kwargs))

        return _named(call, self._body)


def _plain(loop: LoopThread, answers: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    try:
        while True:
            try:
                answer = loop.run(anext(answers))
            except StopAsyncIteration:
                return
            yield answer
    finally:
        loop.run(answers.aclose())


def _named(call: Callable[..., Any], body: Callable[..., Any]) -> Callable[..., Any]:
    """Let `help()` show the call as it is written, without the transport."""
    functools.update_wrapper(call, body)
    whole = inspect.signature(body)
    signature = whole.replace(parameters=list(whole.parameters.values())[1:])
    cast(Any, call).__signature__ = signature
    return call
