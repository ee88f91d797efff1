"""The forms in which a board can be had, and what each is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

from aiohttp import hdrs, web

from medvid.models.boards import Leaderboard
from services.gateway.boards.citations import board_bibtex, citation_cff
from services.gateway.boards.cursors import Form, TableForm
from services.gateway.boards.lines import board_lines
from services.gateway.boards.spreadsheet import board_csv
from services.gateway.boards.tables import board_table, latex_table, markdown
from services.gateway.web.endpoints import (
    BIBTEX,
    CSV,
    JSON,
    JSON_LINES,
    LATEX,
    MARKDOWN,
    YAML,
)
from services.gateway.web.negotiation import negotiate


@dataclass(frozen=True, slots=True)
class BoardForm:
    """A form of boards: its media type, the end of its files' names, and what writes it."""

    media_type: str
    suffix: str
    write: Callable[[Leaderboard], str]


FORMS: Final[Mapping[Form, BoardForm]] = {
    "json": BoardForm(JSON, "json", lambda board: board.model_dump_json()),
    "csv": BoardForm(CSV, "csv", board_csv),
    "jsonl": BoardForm(JSON_LINES, "jsonl", board_lines),
    "markdown": BoardForm(MARKDOWN, "md", lambda board: markdown(board_table(board))),
    "latex": BoardForm(LATEX, "tex", lambda board: latex_table(board_table(board))),
    "bibtex": BoardForm(BIBTEX, "bib", board_bibtex),
    "cff": BoardForm(YAML, "cff", citation_cff),
}
BOARD_TYPES: Final = tuple(FORMS[form].media_type for form in get_args(Form))
_BY_TYPE: Final[Mapping[str, Form]] = {form.media_type: name for name, form in FORMS.items()}


def content_type(media_type: str) -> str:
    """Return a media type with the encoding that texts are in."""
    return media_type if media_type == JSON else f"{media_type}; charset=utf-8"


def accepted_form(request: web.Request) -> Form:
    """Return the form that a request's Accept header prefers."""
    accept = request.headers.get(hdrs.ACCEPT, "*/*")
    return _BY_TYPE[negotiate(accept, BOARD_TYPES) or JSON]


def accepted_table(request: web.Request) -> TableForm:
    """Return the form of a table of its own that a request's Accept header prefers."""
    return "csv" if accepted_form(request) == "csv" else "json"
