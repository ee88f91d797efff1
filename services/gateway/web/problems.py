"""The one table from errors to HTTP: status by code, or else by kind of error (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Final

from medvid.benchmark.report import Problem
from medvid.models.problem_codes import PROBLEM_CODES
from medvid.models.problems import Location, ProblemDetails, ProblemItem, sentence
from services.gateway.web.errors import Gone, QuotaExhausted, RefusedInput
from services.gateway.web.site import the_maintainers
from services.gateway.web.urls import url
from shared.runtime.errors import (
    Conflict,
    InvalidInput,
    MedvidError,
    NotAllowed,
    NotFound,
    TooLarge,
    Transient,
    Unavailable,
)

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 10

# The most special kind first.
_STATUS_BY_KIND: Final[Sequence[tuple[type[MedvidError], int]]] = (
    (QuotaExhausted, 429),
    (TooLarge, 413),
    (InvalidInput, 422),
    (NotAllowed, 403),
    (NotFound, 404),
    (Conflict, 409),
    (Unavailable, 503),
    (Transient, 503),
)
# What the HTTP library refuses by itself.
_CODE_BY_STATUS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "Check the request against the documentation."),
    404: ("not_found", "Check the address."),
    405: ("method_not_allowed", "Use a method that the Allow header names."),
    413: ("too_large", "Send less."),
    431: (
        "head_too_long",
        "Send a shorter address or header; in a browser, delete the cookies of this host.",
    ),
}


def as_json(problem: ProblemDetails) -> str:
    """Return a problem document as it is sent: without the members that it has not.

    Within those that it has, null says something, as of an entry that no other one follows.
    """
    return problem.model_dump_json(exclude={name for name, value in problem if value is None})


def of_error(error: MedvidError, request_id: str) -> ProblemDetails:
    """Return the problem document of one of our errors; kinds not in the table tell nothing."""
    known = PROBLEM_CODES.get(error.error_code)
    status = next((status for kind, status in _STATUS_BY_KIND if isinstance(error, kind)), 500)
    if known is not None and status != HTTPStatus.INTERNAL_SERVER_ERROR:
        status = known.status
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal(request_id)
    if isinstance(error, Transient):
        return _details(503, "unavailable", "we cannot do it now.", "Try again.", request_id)
    problem = _details(status, error.error_code, error.detail, error.fix, request_id)
    if isinstance(error, Gone):
        return problem.model_copy(update={"entry": error.tombstone})
    if not isinstance(error, RefusedInput):
        return problem
    return problem.model_copy(
        update={
            "error_count": error.count,
            "errors": [problem_item(found, error.location(found)) for found in error.problems],
            "report": dict(error.report) if error.report is not None else None,
        }
    )


def of_status(status: int, request_id: str) -> ProblemDetails:
    """Return the problem document of a refusal by the HTTP library."""
    code, fix = _CODE_BY_STATUS.get(status, (f"http_{status}", ""))
    return _details(status, code, f"{HTTPStatus(status).description or code}.", fix, request_id)


def internal(request_id: str) -> ProblemDetails:
    """Return the problem document of our own failure, which tells nothing of its inside."""
    fix = f"Try again; if it stays, tell {the_maintainers()} the request id."
    return _details(500, "internal", "something failed on our side.", fix, request_id)


def _details(status: int, code: str, detail: str, fix: str, request_id: str) -> ProblemDetails:
    return ProblemDetails(
        type=problem_type(code),
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=_written(sentence(detail)),
        fix=_written(fix),
        request_id=request_id,
    )


def problem_type(code: str) -> str:
    """Return the address that explains a code: the `type` of its problem documents."""
    return url("problem", code=code)


def _written(text: str) -> str:
    """Return a text that can be sent: what a header has that is no UTF-8 is a question mark."""
    return text.encode("utf-8", "replace").decode()


def problem_item(problem: Problem, location: Location) -> ProblemItem:
    """Build an item of a problem document."""
    return ProblemItem(location=location, **asdict(problem))
