"""Pages of large boards hold the first rows of a view; searches and orders see all of the board."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.boards import Leaderboard, LeaderboardEntry
from services.gateway.pages.board_view import MOST_ROWS, Sheet, View
from services.gateway.pages.rendering import Pages


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
