"""What can go wrong with a call, as types; each says what happened and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from medvid.models.problems import ProblemDetails, ProblemItem
from medvid.models.tombstones import Tombstone


class LeaderboardError(Exception):
    """Base of all: `detail` says what happened, `fix` what to do about it; branch on `code`."""

    code: str = "failed"

    def __init__(self, detail: str, *, fix: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix

    def __str__(self) -> str:
        """Return detail and fix in one line."""
        return f"{self.detail} {self.fix}".strip()


class Unreachable(LeaderboardError):
    """The server cannot be reached, or the connection was lost before its answer came."""

    code = "unreachable"


class BadAddress(LeaderboardError):
    """The server's address is not valid."""

    code = "bad_address"


class BadCredential(LeaderboardError):
    """The key or token is not valid: it has characters that cannot be sent."""

    code = "bad_credential"


class Unintelligible(LeaderboardError):
    """What answered is not this API, or one that this client is too old for."""

    code = "unintelligible"


class Refused(LeaderboardError):
    """The server refused, and said why (RFC 9457). Branch on `code`; texts may change."""

    def __init__(self, problem: ProblemDetails, retry_after: float | None) -> None:
        super().__init__(problem.detail, fix=problem.fix)
        self.status = problem.status
        self.code = problem.code
        self.request_id = problem.request_id
        self.errors: Sequence[ProblemItem] = problem.errors or []
        self.error_count = problem.error_count or len(self.errors)
        self.report: Mapping[str, Any] | None = problem.report
        self.entry: Tombstone | None = problem.entry
        """What is kept of an entry that left its board."""
        self.retry_after = retry_after
        """Seconds to wait before it makes sense to try again, None where the server named none."""


class Invalid(Refused):
    """What was sent can never work as it is; `errors` lists what to fix."""

    def __str__(self) -> str:
        """Return detail and fix in one line, and the first problem as an example."""
        said = super().__str__()
        if not self.errors:
            return said
        first = self.errors[0]
        return (
            f"{said} The first is {first.code} at {first.path}: found {first.found}, expected "
            f"{first.expected}. {first.fix}"
        )


class NotAuthorized(Refused):
    """A token or key is needed, or the one that was sent gives no access."""


class NotFound(Refused):
    """There is no such thing."""


class Conflict(Refused):
    """Sound, but it clashes with what is there: a name is taken, a run is going on."""


class LimitReached(Refused):
    """Too much in too short a time; `retry_after` says when there is room again."""


class ServerFailed(Refused):
    """The server cannot do it now, or failed; nothing is wrong with the request."""


_BY_STATUS: Final[Mapping[int, type[Refused]]] = {
    401: NotAuthorized,
    403: NotAuthorized,
    404: NotFound,
    409: Conflict,
    410: NotFound,
    429: LimitReached,
}


def refusal(problem: ProblemDetails, retry_after: float | None) -> Refused:
    """Return the error of a problem document."""
    kind = ServerFailed if problem.status >= 500 else _BY_STATUS.get(problem.status, Invalid)
    return kind(problem, retry_after)
