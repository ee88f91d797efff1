"""Calls about submissions: send, look, follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

import orjson

from client.api.answers import DryRun, Event, Receipt, SubmissionStatus
from client.api.calls import (
    API,
    Call,
    Submission,
    get,
    submission_path,
    submission_token,
)
from client.api.errors import LeaderboardError
from client.api.sse import messages
from client.api.transport import Transport
from client.api.uploads import Form, Progress

_POLL_SECONDS: Final = 2.0
_STEADY_SECONDS: Final = 10.0
"""How often to look although the event stream works."""


async def submit(
    transport: Transport,
    file: Path | str,
    *,
    model_name: str,
    organization: str,
    team: str | None = None,
    authors: str | None = None,
    contact: str | None = None,
    model_url: str | None = None,
    track: str | None = None,
    idempotency_key: str | None = None,
    progress: Progress | None = None,
) -> Receipt:
    """Send a predictions file (JSON, plain or gzip) and return the receipt.

    The file streams from disk. The call carries an idempotency key, so that however often it is
    sent again there is one submission; give a key of your own to make it hold beyond this process.
    `progress` is told the bytes sent and the bytes in all; the sync client calls it in its thread.
    """
    fields = {
        "model_name": model_name,
        "organization": organization,
        "team": team,
        "authors": authors,
        "contact": contact,
        "model_url": model_url,
        "track": track,
    }
    call = Call(
        "POST",
        f"{API}/submissions",
        headers={"Idempotency-Key": idempotency_key or str(uuid4())},
        form=Form(_given(fields), Path(file), progress),
        repeatable=True,
    )
    return await transport.ask(call, Receipt)


async def validate(
    transport: Transport,
    file: Path | str,
    *,
    model_name: str | None = None,
    organization: str | None = None,
    team: str | None = None,
    authors: str | None = None,
    contact: str | None = None,
    model_url: str | None = None,
    track: str | None = None,
    progress: Progress | None = None,
) -> DryRun:
    """Have a file and what goes with it checked as if it were submitted; nothing is stored."""
    fields = {
        "model_name": model_name,
        "organization": organization,
        "team": team,
        "authors": authors,
        "contact": contact,
        "model_url": model_url,
        "track": track,
    }
    form = Form(_given(fields), Path(file), progress)
    call = Call("POST", f"{API}/validate", form=form, repeatable=True)
    return await transport.ask(call, DryRun)


async def status(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> SubmissionStatus:
    """Return how a submission fares; with its owner token also its report, entry and failure."""
    call = get(submission_path(submission), token=submission_token(submission, token))
    return await transport.ask(call, SubmissionStatus)


async def events(
    transport: Transport, submission: Submission, *, after: str | None = None
) -> AsyncGenerator[Event, None]:
    """Yield what happened to a submission, then what happens, without end.

    A stream that breaks is opened again after the last event that came, so that none is missed and
    none comes twice. `after` is the id of an event to begin behind. Raises LeaderboardError once
    the server refuses, or cannot be reached for good.
    """
    failures = 0
    while True:
        headers = {"Accept": "text/event-stream"}
        if after:
            headers["Last-Event-ID"] = after
        call = Call("GET", f"{API}{submission_path(submission)}/events", headers=headers)
        problem: LeaderboardError | None = None
        try:
            async with transport.stream(call) as chunks:
                async for message in messages(chunks):
                    failures, after = 0, message.id
                    yield Event(id=message.id, kind=message.kind, data=orjson.loads(message.data))
        except LeaderboardError as error:
            problem = error
        failures += 1
        await transport.pause(problem, failures)


async def watch(
    transport: Transport,
    submission: Submission,
    *,
    token: str | None = None,
    poll_seconds: float = _POLL_SECONDS,
) -> AsyncGenerator[SubmissionStatus, None]:
    """Yield the status at once and whenever it changed, until nothing more happens by itself.

    The event stream says when to look. Where it says nothing (a proxy holds it back, too many are
    open), the status is looked at every `poll_seconds`.
    """
    token = submission_token(submission, token)
    news = _News()
    listener = asyncio.create_task(_listen(transport, submission, news))
    last: SubmissionStatus | None = None
    try:
        while True:
            news.woken.clear()
            found = await status(transport, submission, token=token)
            if found != last:
                last = found
                yield found
            if found.settled:
                return
            steady = news.heard and not listener.done()
            with suppress(TimeoutError):
                async with asyncio.timeout(_STEADY_SECONDS if steady else poll_seconds):
                    await news.woken.wait()
    finally:
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener


def _given(fields: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value is not None}


@dataclass(slots=True)
class _News:
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    heard: bool = False


async def _listen(transport: Transport, submission: Submission, news: _News) -> None:
    with suppress(LeaderboardError):  # then looking every now and then has to do
        async with aclosing(events(transport, submission)) as stream:
            async for _ in stream:
                news.heard = True
                news.woken.set()


async def wait(
    transport: Transport,
    submission: Submission,
    *,
    token: str | None = None,
    poll_seconds: float = _POLL_SECONDS,
) -> SubmissionStatus:
    """Return the status once nothing more happens by itself: ranked or failed, and judged."""
    async with aclosing(
        watch(transport, submission, token=token, poll_seconds=poll_seconds)
    ) as statuses:
        async for found in statuses:
            last = found
    return last
