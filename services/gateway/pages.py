"""Pages for people: templates, and the static files that they refer to by content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

import jinja2

from services.gateway import board_wire, wire
from services.gateway.domain.standing import Standing
from services.gateway.reference import prose
from services.gateway.representations import Representation, represent
from services.gateway.security import PAGE_HEADERS
from shared.benchmark.tasks import RULE_METRIC_KEYS, SCORINGS

_CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_IMMUTABLE: Final = "public, max-age=31536000, immutable"  # the address changes with the content


class Pages:
    """Renders every page. Text from outside is escaped by the templates, without exception."""

    def __init__(self) -> None:
        self.assets: Mapping[str, Representation] = load_assets()
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("services.gateway"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters["prose"] = prose
        self._environment.globals.update(
            asset=self._asset_url,
            current="",
            date_and_time=date_and_time,
            is_web_address=is_web_address,
        )

    def board(self, board: board_wire.Leaderboard, standings: Mapping[str, Standing]) -> str:
        """Return a board's page."""
        return self._environment.get_template("board.html").render(
            board=board,
            columns=board_wire.COLUMNS,
            rule_columns=len(RULE_METRIC_KEYS),
            standings=standings,
            json_url=board_wire.board_url(board.board, board.scoring),
            page_urls={scoring: board_wire.page_url(board.board, scoring) for scoring in SCORINGS},
        )

    def render(self, template: str, **context: object) -> str:
        """Return the page of a template."""
        return self._environment.get_template(template).render(**context)

    def error(self, problem: wire.ProblemDetails) -> str:
        """Return the page of an error."""
        return self._environment.get_template("error.html").render(problem=problem)

    def _asset_url(self, name: str) -> str:
        return f"/static/{name}?v={self.assets[name].identity.etag.strip(chr(34))[:12]}"


def load_assets() -> dict[str, Representation]:
    """Read every static file into memory; only these names are ever served."""
    assets = {}
    for file in (files(__package__) / "static").iterdir():
        content_type = _CONTENT_TYPES.get(f".{file.name.rpartition('.')[2]}")
        if content_type is not None:
            assets[file.name] = represent(
                file.read_bytes(),
                content_type=content_type,
                cache_control=_IMMUTABLE,
                headers=PAGE_HEADERS,
            )
    return assets


def date_and_time(moment: datetime) -> str:
    """Return a moment as people read it, in UTC."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def is_web_address(url: str) -> bool:
    """Tell whether a link may be shown as one: http and https only, whatever the row says."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
