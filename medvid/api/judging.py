"""Calls about judging: ask for a run, read its verdicts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from medvid.api.calls import Call, Submission, get, post, submission_path, submission_token
from medvid.api.transport import Transport
from medvid.models.judging import (
    ExplainedPage,
    ExplainedVerdict,
    JudgeRun,
    JudgingReceipt,
    Verdict,
    VerdictPage,
)

_PAGE_SIZE: Final = 500


async def judge(
    transport: Transport, submission: Submission, *, token: str | None = None, fast: bool = False
) -> JudgingReceipt:
    """Ask for a judge run, or take up one that was paused; the answer has its estimate.

    `fast`: one call for each pair, at the full price, where others travel in batches. It may cost
    money, so it is never sent twice by itself.
    """
    body = {"fast": True} if fast else None
    return await transport.ask(_post(submission, "judge", token, body), JudgingReceipt)


async def pause_judging(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> JudgeRun:
    """Pause a run (administrators)."""
    return await transport.ask(_post(submission, "judge/pause", token), JudgeRun)


async def resume_judging(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> JudgeRun:
    """Resume a run that is paused or failed (administrators)."""
    return await transport.ask(_post(submission, "judge/resume", token), JudgeRun)


async def verdicts(
    transport: Transport,
    submission: Submission,
    *,
    token: str | None = None,
    metric: str | None = None,
    state: str | None = None,
    aspect: str | None = None,
    at_most: int | None = None,
    source: str | None = None,
    model: str | None = None,
    cut: bool | None = None,
    order: str | None = None,
    page_size: int = _PAGE_SIZE,
) -> AsyncGenerator[Verdict, None]:
    """Yield the verdicts of the newest run, page after page.

    `metric` is one of dvc_llm, vs_llm and rc_llm; `state` one of scored, unscored and open;
    `order` is 'pair' or 'worst'. `order` and `at_most` (1 to 5) go by the score of `aspect` (R2,
    R4, R5, R7, R8), by default by the mean.
    """
    call = get(
        f"{submission_path(submission)}/verdicts",
        token=submission_token(submission, token),
        metric=metric,
        state=state,
        aspect=aspect,
        at_most=at_most,
        source=source,
        model=model,
        cut=None if cut is None else str(cut).lower(),
        order=order,
        page_size=page_size,
    )
    async for page in transport.numbered_pages(call, VerdictPage):
        for verdict in page.verdicts:
            yield verdict


async def explained_verdicts(
    transport: Transport,
    submission: Submission,
    *,
    metric: str | None = None,
    state: str | None = None,
    aspect: str | None = None,
    at_most: int | None = None,
    order: str | None = None,
    page_size: int = _PAGE_SIZE,
) -> AsyncGenerator[ExplainedVerdict, None]:
    """Yield the same with the judge's reasons, which may repeat references (administrators)."""
    call = get(
        f"/admin{submission_path(submission)}/verdicts", metric=metric, state=state, aspect=aspect,
        at_most=at_most, order=order, page_size=page_size,
    )  # fmt: skip
    async for page in transport.numbered_pages(call, ExplainedPage):
        for verdict in page.verdicts:
            yield verdict


def _post(submission: Submission, what: str, token: str | None, body: object = None) -> Call:
    owner = submission_token(submission, token)
    return post(f"{submission_path(submission)}/{what}", body, token=owner)
