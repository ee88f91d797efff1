"""Calls about a submission's own file: the file, and how each prediction is parsed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Final

from medvid.api.calls import (
    ServerReply,
    Submission,
    expect_success,
    get,
    submission_path,
    submission_token,
)
from medvid.api.transport import Transport
from medvid.benchmark.unpacking import LARGEST_PUBLIC_FILE
from medvid.models.submissions import ParsedPage, ParsedPrediction

_PAGE_SIZE: Final = 1_000


async def predictions_file(
    transport: Transport, submission: Submission, *, token: str | None = None
) -> bytes:
    """Return the file as it was sent (gzip); raises NotFound where it is not kept any more."""
    call = get(f"{submission_path(submission)}/file", token=submission_token(submission, token))
    call = replace(call, headers={"Accept": "application/gzip"}, largest=LARGEST_PUBLIC_FILE)
    return await transport.repeating(call, _content)


def _content(reply: ServerReply) -> bytes:
    expect_success(reply)
    return reply.body


async def predictions(
    transport: Transport,
    submission: Submission,
    *,
    token: str | None = None,
    task: str | None = None,
    unread: bool = False,
    page_size: int = _PAGE_SIZE,
) -> AsyncGenerator[ParsedPrediction, None]:
    """Yield how each prediction is parsed, in test-set order, page after page.

    `task` is one such as 'stg'; with `unread` only those of which nothing is read.
    """
    call = get(
        f"{submission_path(submission)}/predictions",
        token=submission_token(submission, token),
        task=task,
        unread="true" if unread else None,
        page_size=page_size,
    )
    async for page in transport.numbered_pages(call, ParsedPage):
        for each in page.predictions:
            yield each
