"""Calls about submissions: send, look, follow; and what only the client makes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID, uuid4

import orjson
from pydantic import Field

from medvid.api.calls import (
    Call,
    Submission,
    expect_success,
    get,
    post,
    submission_id,
    submission_path,
    submission_token,
)
from medvid.api.errors import LeaderboardError
from medvid.api.sse import messages
from medvid.api.transport import Transport
from medvid.api.uploads import MultipartForm, Progress
from medvid.models import submissions as models
from medvid.models.base import API, Answer
from medvid.models.fact_texts import fact_text
from medvid.models.facts import FactsAnswer, ModelFacts
from medvid.models.reports import DryRunAnswer, ValidationReport
from medvid.models.submissions import SubmissionLine, SubmissionPage, SubmissionReceipt

_PAGE_SIZE: Final = 200
_POLL_SECONDS: Final = 2.0
_STEADY_SECONDS: Final = 10.0
"""How often to look although the event stream works."""


class SubmissionStatus(models.SubmissionStatus):
    """The state of a submission. Fields from `mode` on are for its owner only, None for others."""

    mode: str | None = None
    version: int | None = None
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    withdrawal: models.Withdrawal | None = None
    hypothetical: list[models.HypotheticalStanding] = Field([])
    failure: models.Failure | None = None
    entry: models.EntryLink | None = None
    facts: ModelFacts | None = None
    facts_held: list[str] = Field(default_factory=list)
    standing: models.Standing | None = None
    file_sha256: str | None = None
    file_bytes: int | None = None
    ground_truth_version: str | None = None
    report: ValidationReport | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen by itself: final, and no judge run going on."""
        run = self.judging.run
        return self.final and (run is None or run.finished)


class Event(Answer):
    """Something that happened to a submission; `data` depends on `kind`."""

    id: str
    kind: str
    data: dict[str, Any]


class EntryFields(TypedDict, total=False):
    """What goes with a file. The two names are needed, unless it replaces a version.

    `facts` are those of the model by name (`medvid.models.facts.ModelFacts`).
    """

    model_name: str | None
    organization: str | None
    team: str | None
    authors: str | None
    contact: str | None
    model_url: str | None
    track: str | None
    webhook_url: str | None
    webhook_secret: str | None
    facts: Mapping[str, object] | None


async def submit(
    transport: Transport,
    file: Path | str | bytes,
    *,
    evaluate_only: bool = False,
    idempotency_key: str | None = None,
    progress: Progress | None = None,
    **fields: Unpack[EntryFields],
) -> SubmissionReceipt:
    """Send a predictions file (JSON or JSON Lines, plain or gzip) and return the receipt.

    The file streams from disk; its content may be given instead, as bytes. The call carries an
    idempotency key, so that however often it is sent again there is one submission; give a key of
    your own to make it hold beyond this process. With `evaluate_only` it is scored and ranked for
    the owner's eyes only. `progress` gets the bytes sent and the bytes in all; the plain client
    calls it in its thread.
    """
    form = _form(file, progress, fields, evaluate_only="true" if evaluate_only else None)
    return await transport.ask(_submission(form, idempotency_key, None), SubmissionReceipt)


async def replace(
    transport: Transport,
    submission: Submission,
    file: Path | str | bytes,
    *,
    token: str | None = None,
    idempotency_key: str | None = None,
    progress: Progress | None = None,
    **fields: Unpack[EntryFields],
) -> SubmissionReceipt:
    """Send a new version of a submission's model; fields left out are the old version's.

    The old version stays ranked until this one is scored, and judged if the old one was. The rest
    is as with `submit`.
    """
    form = _form(file, progress, fields, replaces=submission_id(submission))
    call = _submission(form, idempotency_key, submission_token(submission, token))
    return await transport.ask(call, SubmissionReceipt)


async def validate(
    transport: Transport,
    file: Path | str | bytes,
    *,
    evaluate_only: bool = False,
    progress: Progress | None = None,
    **fields: Unpack[EntryFields],
) -> DryRunAnswer:
    """Have a file and what goes with it checked as if it were submitted; nothing is stored.

    `evaluate_only`: it may answer fewer samples than a place on a board needs.
    """
    form = _form(file, progress, fields, evaluate_only="true" if evaluate_only else None)
    call = Call("POST", f"{API}/validate", form=form, repeatable=True)
    return await transport.ask(call, DryRunAnswer)


async def withdraw(
    transport: Transport,
    submission: Submission,
    *,
    token: str | None = None,
    note: str | None = None,
) -> None:
    """Take a submission back: it leaves its board, its name is free again. Twice changes nothing.

    Administrators must give a note.
    """
    call = post(
        f"{submission_path(submission)}/withdraw",
        {"note": note} if note is not None else None,
        token=submission_token(submission, token),
        repeatable=True,
    )
    await transport.repeating(call, expect_success)


async def set_facts(
    transport: Transport,
    submission: Submission,
    facts: Mapping[str, object],
    *,
    token: str | None = None,
) -> FactsAnswer:
    """State facts of a submission's model, by name; None makes one unknown, others stay."""
    call = Call(
        "PATCH",
        f"{API}{submission_path(submission)}/facts",
        json=dict(facts),
        token=submission_token(submission, token),
        repeatable=True,
    )
    return await transport.ask(call, FactsAnswer)


async def submissions(
    transport: Transport, *, state: str | None = None, token: str | None = None
) -> AsyncGenerator[SubmissionLine, None]:
    """Yield the submissions of an API key (all, for administrators'), newest first."""
    call = get("/submissions", token=token, state=state, limit=_PAGE_SIZE)
    async for page in transport.pages(call, SubmissionPage):
        for line in page.submissions:
            yield line


async def status(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> SubmissionStatus:
    """Return the state of a submission; with its owner token also its report, entry and failure."""
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


def _submission(form: MultipartForm, key: str | None, token: str | None) -> Call:
    return Call(
        "POST",
        f"{API}/submissions",
        headers={"Idempotency-Key": key or str(uuid4())},
        token=token,
        form=form,
        repeatable=True,
    )


def _form(
    file: Path | str | bytes, progress: Progress | None, fields: EntryFields, **more: str | None
) -> MultipartForm:
    facts = fields.get("facts") or {}
    given = {name: value for name, value in {**fields, **more}.items() if name != "facts"}
    texts = {name: str(value) for name, value in given.items() if value is not None}
    texts |= {name: fact_text(value) for name, value in facts.items() if value is not None}
    return MultipartForm(texts, Path(file) if isinstance(file, str) else file, progress)


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
