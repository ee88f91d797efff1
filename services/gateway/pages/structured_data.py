"""What search engines read of a page (JSON-LD, schema.org): of a board, and of a model.

It says what the page says. Templates write it with `tojson`, which leaves no way out of a script.
"""

from __future__ import annotations

from typing import Any, Final

from medvid.models.boards import COLUMNS, Leaderboard
from medvid.models.entries import EntryDetails
from services.gateway.boards.urls import board_url, csv_url, page_url
from services.gateway.web.site import site
from services.gateway.web.urls import url

_CONTEXT: Final = "https://schema.org"
_ABOUT: Final = (
    "Scores and ranks of video language models on eight medical and surgical video tasks of "
    "MedVidBench, by ten metrics."
)


def board_data(board: Leaderboard) -> dict[str, Any]:
    """Return a board as a Dataset."""
    here = site().absolute
    found: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "Dataset",
        "name": f"MedVidBench leaderboard: {board.board} board",
        "description": f"{_ABOUT} {board.scoring.capitalize()} scoring, {len(board.entries)} "
        "models.",
        "url": here(page_url(board.board, board.scoring)),
        "version": str(board.revision),
        "isAccessibleForFree": True,
        "creator": _maintainers(),
        "variableMeasured": [
            {
                "@type": "PropertyValue",
                "name": column.label,
                "description": column.description,
                "minValue": column.min,
                "maxValue": column.max,
            }
            for column in COLUMNS
        ],
        "distribution": [
            _download("application/json", here(board_url(board.board, board.scoring))),
            _download("text/csv", here(csv_url(board.board, board.scoring))),
            _download("application/jsonl", here(url("api_results"))),
        ],
    }
    if board.updated_at:
        found["dateModified"] = board.updated_at.isoformat()
    if board.permalink:
        found["identifier"] = here(board.permalink)
    if site().paper or site().links.paper:
        found["citation"] = _paper()
    return found


def entry_data(entry: EntryDetails) -> dict[str, Any]:
    """Return the model of an entry as a SoftwareApplication."""
    here = site().absolute
    found: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "SoftwareApplication",
        "name": entry.model_name,
        "applicationCategory": "Video language model",
        "url": here(entry.page),
        "author": {"@type": "Organization", "name": entry.team or entry.organization},
        "datePublished": entry.submitted_on.isoformat(),
        "subjectOf": {
            "@type": "Dataset",
            "name": f"MedVidBench leaderboard: {entry.board} board",
            "description": _ABOUT,
            "url": here(url(entry.board)),
            "creator": _maintainers(),
        },
    }
    if entry.model_url:
        found["sameAs"] = entry.model_url
    if entry.facts and entry.facts.licence:
        found["license"] = {"@type": "CreativeWork", "name": entry.facts.licence}
    if entry.facts and entry.facts.released_on:
        found["dateCreated"] = entry.facts.released_on.isoformat()
    return found


def _maintainers() -> dict[str, str]:
    return {"@type": "Organization", "name": site().maintainers}


def _download(media_type: str, address: str) -> dict[str, str]:
    return {"@type": "DataDownload", "encodingFormat": media_type, "contentUrl": address}


def _paper() -> dict[str, Any]:
    paper, address = site().paper, site().links.paper
    found: dict[str, Any] = {"@type": "ScholarlyArticle"}
    if address:
        found["url"] = address
    if paper:
        authors = [{"@type": "Person", "name": name} for name in paper.authors]
        found |= {"name": paper.title, "author": authors, "datePublished": str(paper.year)}
    return found
