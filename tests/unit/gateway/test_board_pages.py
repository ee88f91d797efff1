"""Pages of boards: what a view shows and says, what a page weighs, what a large one holds."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from uuid import UUID

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import Leaderboard, LeaderboardEntry
from services.gateway.pages.board_view import MOST_ROWS, Sheet, View
from services.gateway.pages.rendering import Pages
from services.gateway.pages.views import PageViews
from tests.many_models import MANY, TRACK, measured_board


def _entry(rank: int) -> LeaderboardEntry:
    return LeaderboardEntry(
        rank=rank,
        entry_id=UUID(int=rank),
        model_name=f"Model {rank}",
        organization="Even" if rank % 2 == 0 else "Odd",
        submitted_on=date(2026, 1, 1),
        mean_rank=float(rank),
        values=dict.fromkeys(METRIC_KEYS, 1 / rank),
        ranks=dict.fromkeys(METRIC_KEYS, rank),
    )


ROWS = [_entry(rank) for rank in range(1, 8)]


def test_a_small_board_is_sent_with_its_hidden_rows() -> None:
    assert Sheet(ROWS, "community").on_page(View(search="even"), most=7) == (list(range(7)), True)


def test_a_large_board_is_cut_to_the_first_rows_that_are_shown() -> None:
    sheet = Sheet(ROWS, "community")
    shown, whole = sheet.on_page(View(search="even"), most=2)
    assert ([ROWS[place].rank for place in shown], whole) == ([2, 4], False)
    assert sheet.on_page(View(), most=6) == (list(range(6)), False)


def test_the_page_of_a_large_board_says_so() -> None:
    count = MOST_ROWS + 1
    board = Leaderboard.empty("community", "compat").model_copy(
        update={"entries": [_entry(rank) for rank in range(1, count + 1)]}
    )
    page = Pages().board(board)
    assert page.count("<tr id=") == MOST_ROWS
    assert f"{MOST_ROWS} of {count} models" in page
    assert " data-cut" in page
    last = Pages().board(board, view=View(search=f"model {count}"))
    assert f"Model {count}<" in last
    assert last.count("<tr id=") == 1


BUDGET_BYTES = 60_000
_ROW = re.compile(r'<tr id="entry-.*?</tr>', re.DOTALL)
_TAGS = re.compile(r"<[^>]+>")
MEASURED = measured_board()


def _rows(page: str) -> list[str]:
    """Return the words of each row that is shown."""
    shown = [row for row in _ROW.findall(page) if not row.partition(">")[0].endswith(" hidden")]
    return [" ".join(_TAGS.sub(" ", row).split()) for row in shown]


async def test_a_page_of_241_rows_stays_within_its_budget() -> None:
    """Packed in haste, as views are that few ask for."""
    views = PageViews(Pages())
    for view in (View(), View(chosen=METRIC_KEYS), View(chosen=("cvs_acc",), sort="cvs_acc")):
        sent = await views.board(MEASURED, view)
        assert len(_rows(sent.identity.body.decode())) == MANY
        assert len(sent.gzip.body) <= BUDGET_BYTES, view


def test_the_only_metric_comes_with_its_rank_and_interval() -> None:
    entry = MEASURED.entries[0]
    low, high = entry.intervals["nap_acc"]  # type: ignore[attr-defined]
    more = f"; rank {entry.ranks['nap_acc']} in it , 95 % interval {low:.3f}\N{EN DASH}{high:.3f}"
    assert more in _rows(Pages().board(MEASURED, view=View(chosen=("nap_acc",))))[0]
    assert "95 % interval </span>" not in Pages().board(MEASURED, view=View(chosen=METRIC_KEYS))
    missing = entry.model_copy(update={"values": {**entry.values, "nap_acc": None}})
    board = MEASURED.model_copy(update={"entries": [missing]})
    (row,) = _rows(Pages().board(board, view=View(chosen=("nap_acc",))))
    assert "in it" not in row


def test_a_track_is_ranked_within_itself_beside_the_boards_rank() -> None:
    """In the order of these ranks, which is another than the board's where others are between."""
    page = Pages().board(MEASURED, view=View(track=TRACK))
    rows = _rows(page)
    assert f"80 of {MANY} models" in page
    places = [re.match(r"(\d+) (\d+) on the whole board ", row) for row in rows]
    assert [int(place[1]) for place in places if place] == list(range(1, 81))
    among_all = [int(place[2]) for place in places if place]
    assert sorted(among_all) == list(range(3, MANY, 3))
    assert among_all != sorted(among_all)
    assert " medal, rank" not in page
    assert "leaderboards/community.csv?track=MICCAI+2026" in page
    backwards = _rows(Pages().board(MEASURED, view=View(track=TRACK, descending=True)))
    assert backwards == rows[::-1]
    assert _rows(Pages().board(MEASURED, view=View(track="nobody's"))) == []


def test_a_search_says_how_many_of_all_it_leaves() -> None:
    board = Leaderboard.empty("community", "compat").model_copy(update={"entries": ROWS})
    assert "3 of 7 models" in Pages().board(board, view=View(search="even"))
    assert "of 7 models" not in Pages().board(board)


def test_a_narrow_screen_is_offered_each_metric_and_the_groups_of_the_same_search() -> None:
    view = View(search="even", sort="model")
    page = Pages().board(MEASURED, view=view)
    for other in (
        replace(view, sort="nap_acc", descending=True, chosen=("nap_acc",)),
        replace(view, chosen=METRIC_KEYS),
    ):
        assert f'href="/community?{other.query.replace("&", "&amp;")}"' in page, other
    assert '<summary class="button">Show: Mean rank</summary>' in page
