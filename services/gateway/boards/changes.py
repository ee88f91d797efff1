"""The feed of changes: of what boards' numbers rest on, errata, notes on boards."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from medvid.models.notes import BoardChange, ChangesAnswer, PublicNote
from services.gateway.boards.atom import ATOM_TYPE, Feed, News
from services.gateway.boards.current import CACHE_CONTROL
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import READ_HEADERS
from services.gateway.web.site import Site
from services.gateway.web.urls import inside, url

_LENGTH: Final = 50
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


def changes_feed(found: ChangesAnswer, site: Site) -> Representation:
    """Return the feed, the newest first; an item keeps its id for ever."""
    address = url("changes_feed")
    items = sorted(_items(found, site), key=lambda item: (item.updated, item.id), reverse=True)
    news = items[:_LENGTH]
    updated = news[0].updated if news else _BEGINNING
    feed = Feed(
        id=uuid5(NAMESPACE_URL, f"medvidbench:{inside(address)}").urn,
        title="MedVidBench: changes of rules, metrics and judges, and errata",
        address=site.absolute(address),
        page=site.absolute(url("changes")),
        updated=updated,
    )
    return represent(
        feed.text(news),
        content_type=ATOM_TYPE,
        cache_control=CACHE_CONTROL,
        headers=READ_HEADERS,
        last_modified=updated,
    )


def _items(found: ChangesAnswer, site: Site) -> Iterator[News]:
    for change in found.changes:
        yield News(
            id=change.id.urn,
            title=change_title(change),
            author=site.maintainers,
            summary=change.text,
            page=site.absolute(change.page),
            updated=change.at,
        )
    for note in found.notes:
        page = note.corrects.page if note.corrects else url("changes") + f"#note-{note.id}"
        yield News(
            id=note.id.urn,
            title=note_title(note),
            author=site.maintainers,
            summary=_summary(note),
            page=site.absolute(page),
            updated=note.changed_at,
            published=note.published_at,
        )


def change_title(change: BoardChange) -> str:
    """Return a change in a few words."""
    what = {
        "rule": "another ranking rule",
        "metric": "another version of the metrics",
        "ground_truth": "another ground truth",
        "judge": "another judge",
    }
    return f"{change.board.capitalize()} board: {what.get(change.kind, change.kind)}"


def note_title(note: PublicNote) -> str:
    """Return what a note on a board is, in a few words."""
    board = f"{(note.board or '').capitalize()} board"
    if note.corrects and note.corrected_by:
        named = f"erratum, snapshot {note.corrects.number} is corrected by "
        title = f"{board}: {named}{note.corrected_by.number}"
    else:
        title = f"{board}: a note"
    ends = {"withdrawn": " (withdrawn)", "resolved": " (resolved)"}
    return title + ends.get(note.state, "")


def _summary(note: PublicNote) -> str:
    if note.text is None:
        return "It was withdrawn."
    parts = [note.text, *(each.text for each in note.causes)]
    if note.resolution and note.resolution.text:
        parts.append(f"Resolved: {note.resolution.text}")
    return "\n\n".join(parts)
