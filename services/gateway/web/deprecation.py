"""What is on its way out, and what to use instead: an operation, or a parameter of its query.

Every answer to a request that uses one says so in headers: `Deprecation` (RFC 9745), `Sunset`
(RFC 8594) where the end is known, and a `Link` to the page with the policy. The API's description
and the pages about it say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from services.gateway.web.urls import url

SHORTEST_NOTICE: Final = timedelta(days=180)
"""Nothing ends sooner after it was deprecated."""


@dataclass(frozen=True, slots=True)
class Deprecated:
    """Since when something is deprecated, what to use `instead`, and when it ends, if known.

    Stands in a parameter's annotation, `Annotated[str | None, Deprecated(...)]`, or at a router.
    Raises ValueError for an end that comes too soon.
    """

    since: date
    instead: str
    sunset: date | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset - self.since < SHORTEST_NOTICE:
            raise ValueError(f"{self.sunset} is less than {SHORTEST_NOTICE.days} days after")

    @property
    def note(self) -> str:
        """What the description of the API says."""
        end = f", ends on {self.sunset}" if self.sunset else ""
        return f"Deprecated since {self.since}{end}: {self.instead}"


_USED: Final = web.RequestKey("deprecated", list[Deprecated])


def parameters_of(model: type[BaseModel] | None) -> Mapping[str, Deprecated]:
    """Return the deprecated parameters of a query, by name."""
    fields = model.model_fields if model is not None else {}
    return {
        field.alias or name: mark
        for name, field in fields.items()
        for mark in field.metadata
        if isinstance(mark, Deprecated)
    }


def note_use(request: web.Request, used: Iterable[Deprecated]) -> None:
    """Have the answer to a request say what it used."""
    found = list(used)
    if found:
        request[_USED] = found


async def announce(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers onto an answer that is about to be sent; of several uses the first dates."""
    if _USED not in request:
        return
    used = request[_USED]
    policy = url("docs")
    since = min(each.since for each in used)
    response.headers["Deprecation"] = f"@{int(_midnight(since).timestamp())}"
    response.headers.add("Link", f'<{policy}#changes>; rel="deprecation"; type="text/html"')
    ends = [each.sunset for each in used if each.sunset]
    if ends:
        response.headers["Sunset"] = format_datetime(_midnight(min(ends)), usegmt=True)
        response.headers.add("Link", f'<{policy}#changes>; rel="sunset"; type="text/html"')


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
