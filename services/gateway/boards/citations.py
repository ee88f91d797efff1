"""How a board, an entry and the benchmark's paper are cited: BibTeX and CITATION.cff 1.2.0."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from medvid.models.boards import Leaderboard
from medvid.models.entries import EntryDetails
from services.gateway.boards.models import rank_text
from services.gateway.boards.quoting import latex, latex_address, slug, yaml_text
from services.gateway.boards.urls import state_url
from services.gateway.web.site import Paper, site

_ARXIV: Final = re.compile(r"https?://arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})(?:v\d+)?")
_SHORT_WORD: Final = 3


def board_bibtex(board: Leaderboard) -> str:
    r"""Return the entry of a board as it is at a snapshot."""
    name = f"{board.board} board, {board.scoring} scoring, revision {board.revision}"
    year = {"year": str(board.updated_at.year)} if board.updated_at else {}
    when = f"State of {_moment(board)}"
    snapshot = f", snapshot {board.snapshot}{corrected(board)}" if board.snapshot else ""
    return _bibtex(
        f"medvidbench-{board.board}-{board.revision}",
        {
            "title": f"{{MedVidBench}} leaderboard: {name}",
            "author": _whole(site().maintainers),
            **year,
            "howpublished": latex_address(site().absolute(state_url(board))),
            "note": f"{when}{snapshot}",
        },
    )


def corrected(board: Leaderboard) -> str:
    """Return what a citation of a snapshot adds where errata name another; '' without any."""
    numbers = [
        str(note.corrected_by.number)
        for note in board.notes
        if note.corrects and note.corrected_by and note.corrects.number == board.snapshot
    ]
    return f", corrected by snapshot {', '.join(numbers)}" if numbers else ""


def entry_bibtex(entry: EntryDetails, board: Leaderboard) -> str:
    """Return the entry of a model on a board; `board` is its board in compat scoring."""
    row = next((each for each in board.entries if each.entry_id == entry.id), None)
    of = sum(each.rank is not None for each in board.entries)
    rank = f"Rank {rank_text(row)} of {of}" if row and row.rank else "Not ranked"
    return _bibtex(
        f"medvidbench-{slug(entry.model_name)}-{str(entry.id)[:8]}",
        {
            "title": f"{{{latex(entry.model_name)}}} on the {{MedVidBench}} {entry.board} board",
            "author": _authors(entry.authors) or _whole(entry.team or entry.organization),
            "year": str(entry.submitted_on.year),
            "howpublished": latex_address(site().absolute(entry.page)),
            "note": f"{rank}, state of {_moment(board)}, revision {board.revision}",
        },
    )


def paper_bibtex() -> str | None:
    """Return the entry of the benchmark's paper; None where the site does not name it."""
    paper, address = site().paper, site().links.paper
    if paper is None:
        return None
    arxiv = _ARXIV.fullmatch(address or "")
    fields = {
        "title": f"{{{latex(paper.title)}}}",
        "author": " and ".join(map(latex, paper.authors)),
        "year": str(paper.year),
    }
    if arxiv:
        fields |= {"eprint": arxiv[1], "archivePrefix": "arXiv"}
    if address:
        fields["howpublished"] = latex_address(address)
    return _bibtex(_paper_key(paper), fields)


def citation_cff(board: Leaderboard) -> str:
    """Return the CITATION.cff of a board as it is now."""
    found: dict[str, Any] = {
        "cff-version": "1.2.0",
        "message": "If you use these results, please cite this board and the benchmark's paper."
        if site().paper
        else "If you use these results, please cite this board.",
        "type": "dataset",
        "title": f"MedVidBench leaderboard: {board.board} board",
        "authors": [{"name": site().maintainers}],
        "version": f"{board.board}-{board.revision}",
    }
    if board.updated_at:
        found["date-released"] = board.updated_at.date().isoformat()
    if site().origin:
        found["url"] = site().absolute(state_url(board))
    if site().links.code:
        found["repository-code"] = site().links.code
    paper = site().paper
    if paper is not None:
        reference: dict[str, Any] = {
            "type": "article",
            "title": paper.title,
            "authors": [_person(name) for name in paper.authors],
            "year": paper.year,
        }
        found["references"] = [
            reference | ({"url": site().links.paper} if site().links.paper else {})
        ]
    return yaml_text(found, width=100)


def _bibtex(key: str, fields: Mapping[str, str]) -> str:
    width = max(map(len, fields))
    lines = [f"  {name:<{width}} = {{{value}}}" for name, value in fields.items()]
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}\n"


def _whole(name: str) -> str:
    """Return a name that is no person's, which BibTeX leaves as it is."""
    return f"{{{latex(name)}}}"


def _authors(text: str | None) -> str:
    """Return names as BibTeX separates them, where it is plain which they are."""
    names = _names(text or "")
    return " and ".join(map(latex, names)) if len(names) > 1 else _whole(text) if text else ""


def _names(text: str) -> Sequence[str]:
    """Return the names of a list: by semicolons, 'and', or commas between whole names."""
    parts = [each.strip() for each in re.split(r"\s*;\s*|\s+and\s+|,?\s*&\s*", text)]
    if len(parts) == 1:
        parts = [each.strip() for each in text.split(",")]
    else:
        parts = [name for part in parts for name in _between_commas(part)]
    return parts if all(" " in each or "." in each for each in parts) else [text]


def _between_commas(part: str) -> Sequence[str]:
    pieces = [each.strip() for each in part.split(",") if each.strip()]
    return pieces if all(" " in each for each in pieces) else [part]


def _person(name: str) -> dict[str, str]:
    """Return a person as CFF has one; the last word is the family's, or what a comma ends."""
    family, comma, given = name.partition(",")
    if not comma:
        given, _, family = name.rpartition(" ")
    found = {"family-names": family.strip(), "given-names": given.strip()}
    return {key: value for key, value in found.items() if value}


def _paper_key(paper: Paper) -> str:
    family = _person(paper.authors[0]).get("family-names", "")
    words = [slug(word) for word in paper.title.split()]
    first = next((word for word in words if len(word) > _SHORT_WORD), words[0])
    return f"{slug(family)}{paper.year}{first}"


def _moment(board: Leaderboard) -> str:
    if board.updated_at is None:
        return "today"
    return f"{board.updated_at.day} {board.updated_at:%b %Y, %H:%M} UTC"
