"""Calls about dead letters, the audit log and sealed evidence."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import datetime

from medvid.api.administration.actions import PAGE_SIZE, do
from medvid.api.calls import get, post
from medvid.api.methods import method, stream
from medvid.api.transport import Transport
from medvid.models.administration import (
    AuditLineView,
    AuditPage,
    DeadLetterView,
    LettersAnswer,
    LettersPage,
)


async def dead_letters(
    transport: Transport, *, state: str = "open", queue: str | None = None
) -> AsyncGenerator[DeadLetterView, None]:
    """Yield messages that could not be handled, newest first."""
    call = get("/admin/dead-letters", state=state, queue=queue, limit=PAGE_SIZE)
    async for page in transport.pages(call, LettersPage):
        for letter in page.letters:
            yield letter


async def replay_letters(
    transport: Transport,
    ids: Sequence[int] | None,
    *,
    why: str,
    queue: str | None = None,
    reason: str | None = None,
) -> LettersAnswer:
    """Send dead letters again; None: all open ones of this queue and reason."""
    return await _letters(transport, "replay", ids, why, queue, reason)


async def discard_letters(
    transport: Transport,
    ids: Sequence[int] | None,
    *,
    why: str,
    queue: str | None = None,
    reason: str | None = None,
) -> LettersAnswer:
    """Close dead letters without sending them; None: all open ones of this queue and reason."""
    return await _letters(transport, "discard", ids, why, queue, reason)


async def _letters(
    transport: Transport, action: str, ids: Sequence[int] | None, why: str,
    queue: str | None, reason: str | None,
) -> LettersAnswer:  # fmt: skip
    which: dict[str, object] = {"all": True} if ids is None else {"ids": list(ids)}
    return await do(
        transport, f"/dead-letters/{action}", LettersAnswer, why, **which, queue=queue,
        reason=reason,
    )  # fmt: skip


async def audit(
    transport: Transport,
    *,
    who: str | None = None,
    action: str | None = None,
    subject_kind: str | None = None,
    subject: str | None = None,
    since: datetime | str | None = None,
) -> AsyncGenerator[AuditLineView, None]:
    """Yield what administrators did, newest first."""
    after = since.isoformat() if isinstance(since, datetime) else since
    call = get("/admin/audit", who=who, action=action, subject_kind=subject_kind,
               subject=subject, since=after, limit=PAGE_SIZE)  # fmt: skip
    async for page in transport.pages(call, AuditPage):
        for line in page.lines:
            yield line


async def sealed_evidence(
    transport: Transport, snapshot: int, *, why: str
) -> AsyncGenerator[bytes, None]:
    """Yield the sealed part of a snapshot's evidence, piece by piece; `medvid.evidence` reads it.

    For an auditor who may hold the ground truth. It takes a second for each entry.
    """
    call = replace(
        post(f"/admin/snapshots/{snapshot}/sealed-evidence", {"why": why}),
        headers={"Accept": "application/x-tar"},
    )
    async with transport.stream(call) as parts:
        async for part in parts:
            yield part


class OperationMethods:
    """Calls about operations, in the form of the client that has them."""

    dead_letters = stream(dead_letters)
    replay_letters = method(replay_letters)
    discard_letters = method(discard_letters)
    audit = stream(audit)
    sealed_evidence = stream(sealed_evidence)
