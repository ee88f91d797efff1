"""An event loop in a thread of its own, for callers that have none, or one that must not wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from typing import Final, TypeVar

T = TypeVar("T")
_CANCEL_SECONDS: Final = 5.0


class LoopThread:
    """Runs coroutines for a caller that waits.

    A loop in the caller's own thread would not do: notebooks already run one there.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="medvid-client", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def run(self, work: Awaitable[T]) -> T:
        """Run it and return its result; an interrupt (Ctrl-C) of the caller cancels it."""
        ended = threading.Event()
        future = asyncio.run_coroutine_threadsafe(_awaited(work, ended), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            ended.wait(_CANCEL_SECONDS)  # what it held must be free for whatever comes next
            raise

    def close(self) -> None:
        """End the thread; call it once, when nothing runs."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _awaited(work: Awaitable[T], ended: threading.Event) -> T:
    try:
        return await work
    finally:
        ended.set()
