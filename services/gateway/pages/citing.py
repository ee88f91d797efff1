"""What pages say of citing a board or an entry, taking it elsewhere, and links to it."""

from __future__ import annotations

import re
from typing import Any, Final

from markupsafe import Markup, escape

from medvid.models.boards import Leaderboard
from medvid.models.entries import EntryDetails
from services.gateway.boards.citations import board_bibtex, entry_bibtex, paper_bibtex
from services.gateway.boards.models import rank_text
from services.gateway.boards.urls import board_url, page_url, scoring_query
from services.gateway.pages.structured_data import board_data, entry_data
from services.gateway.web.site import site
from services.gateway.web.urls import url

_BOARD_FORMS: Final = (
    ("CSV", "csv"), ("JSON", "json"), ("JSON Lines", "jsonl"), ("Markdown", "markdown"),
    ("LaTeX", "latex"), ("BibTeX", "bibtex"), ("CITATION.cff", "cff"),
)  # fmt: skip
_ENTRY_FORMS: Final = (
    ("BibTeX", "bibtex"), ("Model card", "model-index"), ("Every Eval Ever", "every-eval-ever"),
)  # fmt: skip
_ON_THE_HUB: Final = ("Hugging Face .eval_results", "eval-results")
_FRAME: Final = (
    '<iframe src="{address}" title="MedVidBench, {board} board" width="100%" height="460" '
    'loading="lazy"></iframe>'
)


def citing_board(board: Leaderboard, *, past: bool) -> dict[str, Any]:
    """Return what the page of a board is given; a past one is cited as the snapshot it is."""
    query = scoring_query(board.scoring)
    framed = url("framed", board=board.board, query=query)
    address = board.permalink if past and board.permalink else board_url(board.board, board.scoring)
    return {
        "citation": board_bibtex(board),
        "paper_citation": paper_bibtex(),
        "exports": [(label, _with_format(address, form)) for label, form in _BOARD_FORMS],
        "framed": framed,
        "frame": _FRAME.format(address=site().absolute(framed), board=board.board)
        if site().frame_ancestors
        else "",
        "card": url("board_card", board=board.board, query=query),
        "own_address": page_url(board.board, board.scoring),
        "structured": None if past else board_data(board),
    }


def citing_entry(entry: EntryDetails, board: Leaderboard) -> dict[str, Any]:
    """Return what the page of an entry is given; `board` is its board in compat scoring."""
    row = next((each for each in board.entries if each.entry_id == entry.id), None)
    badge = url("badge", board=entry.board, id=entry.id)
    forms = (*_ENTRY_FORMS, _ON_THE_HUB) if site().hub_dataset else _ENTRY_FORMS
    image, page = site().absolute(badge), site().absolute(entry.page)
    return {
        "citation": entry_bibtex(entry, board),
        "paper_citation": paper_bibtex(),
        "exports": [
            ("JSON", entry.url),
            *((label, _exported(entry, form)) for label, form in forms),
        ],
        "badge": badge,
        "badge_says": f"MedVidBench, rank {rank_text(row)}" if row and row.rank else "MedVidBench",
        "badge_markdown": f"[![MedVidBench]({image})]({page})",
        "card": url("entry_card", board=entry.board, id=entry.id),
        "own_address": entry.page,
        "structured": entry_data(entry),
    }  # fmt: skip


def _exported(entry: EntryDetails, form: str) -> str:
    return url("api_entry_export", query={"format": form}, board=entry.board, id=entry.id)


def whole(text: str, *addresses: str) -> Markup:
    """Return a text in which a script makes addresses whole where the site's host is not known."""
    text = text.rstrip()
    named = [address for address in addresses if address]
    if site().origin or not named:
        return escape(text)
    longest_first = sorted((str(escape(each)) for each in named), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return Markup(  # noqa: S704 - both were escaped
        pattern.sub(
            lambda found: f'<span data-absolute="{found[0]}">{found[0]}</span>', str(escape(text))
        )
    )


def _with_format(address: str, form: str) -> str:
    return address if form == "json" else f"{address}{'&' if '?' in address else '?'}format={form}"
