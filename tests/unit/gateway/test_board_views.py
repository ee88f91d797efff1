"""Views of boards: made once while they are kept, few at a time, within the memory given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.notes import NamedSnapshot, PublicNote
from services.gateway.boards.current import Boards
from services.gateway.boards.reader_weights import read_weights
from services.gateway.boards.store import Arrival, FoundEntry, Snapshot, SnapshotRef
from services.gateway.boards.views import BoardViews, Window, weights_of
from services.gateway.pages.rendering import Pages
from shared.runtime.errors import NotFound
from tests.acceptance.gateway_harness import row


class Past:
    """A history of boards of three entries; implements BoardHistory and SnapshotSource."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.noted: dict[int, list[PublicNote]] = {}
        self.at_once = 0
        self.most_at_once = 0

    async def find_snapshot(self, snapshot_id: int) -> Snapshot | None:
        if snapshot_id > 100:
            return None
        self.read.append(snapshot_id)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        content = orjson.dumps([row(rank) for rank in (1, 2, 3)])
        moment = datetime(2026, 4, 15, tzinfo=UTC)
        return Snapshot(snapshot_id, "community", "compat", 1, content, moment)

    async def snapshot_id_at(
        self,
        board: Board,  # noqa: ARG002 - the port's
        scoring: Scoring,  # noqa: ARG002 - the port's
        moment: datetime,
    ) -> int | None:
        return 7 if moment.year >= 2026 else None

    async def newest_snapshots(self) -> Sequence[SnapshotRef]:
        return []

    async def snapshot(self, snapshot_id: int) -> Snapshot:
        raise NotImplementedError

    async def entry(self, board: Board, entry_id: UUID, *, spans: int) -> FoundEntry | None:
        raise NotImplementedError

    async def errata(self, snapshot_id: int) -> Sequence[PublicNote]:
        return self.noted.get(snapshot_id, ())

    async def arrivals(self, boards: Sequence[Board], limit: int) -> Sequence[Arrival]:
        raise NotImplementedError


def views(past: Past, **limits: Any) -> BoardViews:
    return BoardViews(Boards(past, Pages().board, poll_seconds=60), past, **limits)


def erratum(faulty: int, right: int, state: Any = "published") -> PublicNote:
    def named(number: int) -> NamedSnapshot:
        return NamedSnapshot(number=number, url=f"/api/v1/snapshots/{number}", page="/")

    moment = datetime(2026, 5, 1, tzinfo=UTC)
    return PublicNote(
        id=UUID(int=faulty), kind="erratum", state=state, by="administrator", name=None,
        text="A label was wrong.", published_at=moment, changed_at=moment, board="community",
        corrects=named(faulty), corrected_by=named(right),
    )  # fmt: skip


async def test_a_snapshot_that_is_kept_learns_of_its_errata_in_every_form() -> None:
    past = Past()
    made = views(past)
    before = await made.permalink(5, "json")
    past.noted = {5: [erratum(5, 9)], 9: [erratum(5, 9)]}
    after = await made.permalink(5, "json")
    assert after.identity.etag != before.identity.etag
    assert orjson.loads(after.identity.body)["notes"][0]["corrected_by"]["number"] == 9
    assert past.read == [5], "its rows were kept"
    table = await made.permalink(5, "csv")
    assert table.identity.headers["Link"] == '</api/v1/snapshots/9>; rel="successor-version"'
    right = await made.permalink(9, "csv")
    assert right.identity.headers["Link"] == '</api/v1/snapshots/5>; rel="predecessor-version"'
    for form in ("bibtex", "markdown", "latex"):
        text = (await made.permalink(5, form)).identity.body.decode().lower()
        assert "corrected by snapshot 9" in text, form
        assert "corrected by" not in (await made.permalink(9, form)).identity.body.decode().lower()
    past.noted = {5: [erratum(5, 9, "withdrawn")]}
    withdrawn = await made.permalink(5, "json")
    assert orjson.loads(withdrawn.identity.body)["notes"] == []
    assert withdrawn.last_modified is not None
    assert before.last_modified is not None
    assert withdrawn.last_modified > before.last_modified, "else a reader by time keeps the erratum"


async def test_a_view_is_made_once() -> None:
    past = Past()
    made = views(past)
    first, second = await asyncio.gather(made.permalink(5, "json"), made.permalink(5, "json"))
    assert first is second
    assert await made.permalink(5, "json") is await made.permalink(5, "json")
    assert await made.permalink(5, "csv") is not first
    assert past.read == [5]
    moment = datetime(2026, 4, 16, tzinfo=UTC)
    await made.past("community", "compat", moment, Window("json"))
    await made.past("community", "compat", moment, Window("json", track="Open"))
    assert past.read[-1] == 7
    assert past.read.count(7) == 1


async def test_past_boards_are_kept_within_a_number_of_entries() -> None:
    past = Past()
    made = views(past, kept_entries=6)
    for snapshot_id in (1, 2, 3):  # three entries each, so the third drops the first
        await made.snapshot(snapshot_id)
    await made.snapshot(3)
    await made.snapshot(2)
    assert past.read == [1, 2, 3]
    await made.snapshot(1)
    await made.snapshot(3)
    assert past.read == [1, 2, 3, 1, 3]


async def test_views_are_kept_within_a_number_of_bytes() -> None:
    made = views(Past(), kept_bytes=20_000)
    first = await made.permalink(1, "csv")
    for number in range(2, 20):
        await made.permalink(number, "csv")
    assert await made.permalink(19, "csv") is await made.permalink(19, "csv")
    assert await made.permalink(1, "csv") is not first
    nothing = views(Past(), kept_bytes=10)
    assert await nothing.permalink(1, "csv") is not await nothing.permalink(1, "csv")


async def test_readers_weights_push_out_one_another_and_nothing_else() -> None:
    """Whoever asks with ever other weights makes nobody else's view anew."""
    made = views(Past(), kept_bytes=40_000, kept_entries=12)
    board = await made.permalink(1, "csv")
    track = await made.past("community", "compat", 1, Window("json", track="Open"))
    opinions = await made.second_opinions("community", "compat", 1, None)
    weighed = [
        await made.past("community", "compat", 1, Window("json", weights=weights_of(f"sa_acc:{n}")))
        for n in range(2, 40)
    ]
    for n in range(2, 40):
        await made.second_opinions("community", "compat", 1, read_weights(f"sa_acc:{n}"))
    assert await made.permalink(1, "csv") is board
    assert await made.past("community", "compat", 1, Window("json", track="Open")) is track
    assert await made.second_opinions("community", "compat", 1, None) is opinions
    last, first = (Window("json", weights=weights_of(f"sa_acc:{n}")) for n in (39, 2))
    assert await made.past("community", "compat", 1, last) is weighed[-1], "kept for a while"
    assert await made.past("community", "compat", 1, first) is not weighed[0]


async def test_boards_are_read_one_after_another() -> None:
    past = Past()
    made = views(past)
    await asyncio.gather(*(made.snapshot(number, address=str(number)) for number in range(1, 30)))
    assert past.most_at_once == 1


async def test_what_is_not_there() -> None:
    made = views(Past())
    with pytest.raises(NotFound):
        await made.snapshot(101)
    with pytest.raises(NotFound):
        await made.past("official", "compat", 5, Window("json"))
    early = await made.past("community", "strict", datetime(2020, 1, 1, tzinfo=UTC), Window("json"))
    assert orjson.loads(early.identity.body)["entries"] == []
