"""The one tree of errors. It knows neither HTTP nor AMQP: tables at the edges translate it."""

from __future__ import annotations

from typing import ClassVar, Final

PERCENT_ENCODED: Final = (
    "In a password write @ : / ? # [ ] and % as %40 %3A %2F %3F %23 %5B %5D and %25."
)


class MedvidError(Exception):
    """An error with a stable `code`, a `detail` for a human, and what to do about it (`fix`)."""

    code: ClassVar[str] = "internal"

    def __init__(self, detail: str, *, fix: str = "", code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix
        self.error_code = code or self.code

    def __str__(self) -> str:
        """Return detail and fix in one line."""
        return f"{self.detail} {self.fix}".strip()


class InvalidInput(MedvidError):
    """The caller sent something that can never work as it is."""

    code = "invalid_input"


class TooLarge(InvalidInput):
    """The input is over a limit."""

    code = "too_large"


class NotAllowed(MedvidError):
    """The caller may not do this, or did not prove who they are."""

    code = "not_allowed"


class NotFound(MedvidError):
    """There is no such thing."""

    code = "not_found"


class Conflict(MedvidError):
    """The request is sound but clashes with what is there."""

    code = "conflict"


class Unavailable(MedvidError):
    """We cannot do it now; nothing is wrong with the request. Try again."""

    code = "unavailable"


class Transient(MedvidError):
    """Work on a message failed for a reason that may pass: it is tried again later."""

    code = "transient"


class Permanent(MedvidError):
    """Work on a message failed and will fail again: it goes to the dead letters."""

    code = "permanent"


class Misconfigured(MedvidError):
    """A setting is missing or wrong; the process cannot start."""

    code = "misconfigured"
