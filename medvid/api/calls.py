"""Requests and replies, without any input or output."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote
from uuid import UUID

import orjson
from pydantic import ValidationError

from medvid.api.errors import LeaderboardError, Unintelligible, Unreachable, refusal
from medvid.api.uploads import MultipartForm
from medvid.models.base import API, AnswerType, read_answer
from medvid.models.problems import ProblemDetails
from medvid.models.submissions import SubmissionReceipt

_FROM_BETWEEN: Final = frozenset({502, 503, 504})
_SHOWN_CHARACTERS: Final = 200
_LEFT_OUT: Final = {
    "type": "about:blank",
    **dict.fromkeys(("title", "detail", "fix", "request_id"), ""),
}
"""What a problem document may leave out (RFC 9457, 3.1), as one from a proxy or an old server."""

EntryId = UUID | str
Submission = UUID | str | SubmissionReceipt
"""How a submission is named: by its id, or by its receipt, which also holds the token."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `repeatable`: sending it twice does what sending it once does."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    token: str | None = None
    form: MultipartForm | None = None
    json: object = None
    content: bytes | None = None
    """A body that is neither a form nor JSON; its type is among the headers."""
    repeatable: bool = False
    largest: int | None = None
    """Bytes of the answer, unpacked, beyond which it is refused; None for no limit."""


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A whole answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait as the server names them, None where it names none."""
        return retry_after(self.headers.get("retry-after"))


def get(path: str, *, token: str | None = None, **query: object) -> Call:
    """Return a read; parameters that are None are left out."""
    given = {name: str(value) for name, value in query.items() if value is not None}
    return Call("GET", f"{API}{path}", query=given, token=token, repeatable=True)


def post(
    path: str, json: object = None, *, token: str | None = None, repeatable: bool = False
) -> Call:
    """Return a call that does something, with a body unless it is None."""
    return Call("POST", f"{API}{path}", token=token, json=json, repeatable=repeatable)


def submission_id(submission: Submission) -> str:
    """Return a submission's id."""
    return str(submission.id if isinstance(submission, SubmissionReceipt) else submission)


def submission_path(submission: Submission) -> str:
    """Return where a submission is, below the API."""
    return f"/submissions/{quote(submission_id(submission), safe='')}"


def submission_token(submission: Submission, token: str | None) -> str | None:
    """Return the token to send: the given one, or the receipt's."""
    return (
        submission.owner_token
        if token is None and isinstance(submission, SubmissionReceipt)
        else token
    )


def read(reply: ServerReply, answer: type[AnswerType]) -> AnswerType:
    """Return the answer; raises the error of a refusal, or Unintelligible."""
    expect_success(reply)
    try:
        return read_answer(reply.body, answer)
    except ValidationError as error:
        raise _not_this_api(reply) from error


def expect_success(reply: ServerReply) -> None:
    """Take an answer without content; raises the error of a refusal."""
    if reply.status >= 400:
        raise refused(reply)


def text_of(reply: ServerReply) -> str:
    """Return an answer that is a text; raises the error of a refusal."""
    expect_success(reply)
    return reply.body.decode()


def bytes_of(reply: ServerReply, content_type: str | None = None) -> bytes:
    """Return an answer that is a file, of this type if one is given.

    Raises the error of a refusal, or Unintelligible.
    """
    expect_success(reply)
    if content_type not in (None, reply.headers.get("content-type")):
        raise _not_this_api(reply)
    return reply.body


def refused(reply: ServerReply) -> LeaderboardError:
    """Return the error of an answer with a status from 400 on."""
    try:
        problem = read_answer(orjson.dumps(_LEFT_OUT | orjson.loads(reply.body)), ProblemDetails)
    except (ValueError, TypeError):  # no JSON, no object, or no problem document
        if reply.status in _FROM_BETWEEN:
            return Unreachable(
                f"something before the server answered {reply.status}.",
                fix="Try again in a while; if it stays so, the server may be down.",
            )
        return _not_this_api(reply)
    return refusal(problem, reply.retry_after)


def retry_after(header: str | None, now: float | None = None) -> float | None:
    """Return the seconds of a Retry-After header: a number or a date (RFC 9110, 10.2.3)."""
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return float(header[:9])
    try:
        at = email.utils.parsedate_to_datetime(header).timestamp()
    except ValueError:
        return None
    return max(0.0, at - (time.time() if now is None else now))


def _not_this_api(reply: ServerReply) -> Unintelligible:
    begin = reply.body[:_SHOWN_CHARACTERS].decode(errors="replace")
    shown = "".join(c if c.isprintable() else " " for c in begin)
    if begin.lstrip()[:1] == "<":
        return Unintelligible(
            f"the server answered {reply.status} with a web page, not with data.",
            fix="Check the address of the server: it ends before /api.",
        )
    return Unintelligible(
        f"the server answered {reply.status} with something this client does not know: {shown!r}.",
        fix="Check the address of the server, and whether there is a newer client.",
    )
