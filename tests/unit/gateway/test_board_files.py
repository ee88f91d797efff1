"""Boards as files: whatever is written is read back as it was, and no cell is a formula."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.lookalikes import first_lookalike
from medvid.benchmark.names import clean_name
from medvid.benchmark.tasks import BOARDS, METRICS, SOURCES
from services.gateway.admin.board_csv import read_csv, write_csv
from services.gateway.admin.board_import import BoardEntry, plan_import
from services.gateway.admin.board_rows import BoardRow, read_boards

_VISIBLE = st.characters(exclude_categories=["C", "Zl", "Zp"])
_FIRST = st.sampled_from(["", "=", "+", "-", "@", "'", "''=", "\uff1d", '"', ",", ";"])


def words(limit: int) -> st.SearchStrategy[str]:
    text = st.builds("".join, st.tuples(_FIRST, st.text(_VISIBLE, min_size=1, max_size=limit)))
    return text.map(clean_name).filter(bool)


_VALUES = st.fixed_dictionaries(
    {metric.key: st.none() | st.floats(0, metric.maximum) for metric in METRICS}
)
_FACTS = st.fixed_dictionaries(
    {},
    optional={
        "parameters": st.integers(1, 10**15),
        "open_weights": st.booleans(),
        "licence": words(20),
        "trained_on": st.lists(st.sampled_from(SOURCES), max_size=2, unique=True).map(
            lambda found: [source for source in SOURCES if source in found]
        ),
        "usd_per_sample": st.just(0.0) | st.floats(1e-9, 1e6),
        "prompt": st.builds("{}\n{}".format, words(10), words(10)),
    },
)
_ROWS = st.builds(
    BoardRow,
    model_name=words(20).filter(lambda name: first_lookalike(name) is None),
    organization=words(20), team=st.none() | words(20),
    authors=st.none() | words(20), model_url=st.none() | st.just("https://example.org/a?b=1"),
    track=st.none() | words(10),
    badges=st.lists(words(8).filter(lambda text: ";" not in text), max_size=3).map(tuple),
    submitted_on=st.dates(), verified_on=st.dates(), verification_note=st.none() | words(30),
    compat=_VALUES, strict=_VALUES, facts=_FACTS,
)  # fmt: skip


@given(row=_ROWS)
def test_a_row_survives_both_forms(row: BoardRow) -> None:
    boards = {"official": [row]}
    as_json = json.loads(json.dumps({"official": [row.to_json()]}))
    assert read_boards(as_json) == (boards, [])
    text = write_csv(boards)  # type: ignore[arg-type]
    assert read_boards(read_csv(text)) == (boards, [])
    for cell in next(iter(csv.reader(io.StringIO(text.split("\r\n", 1)[1], newline="")))):
        assert not cell.startswith(tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20"))


@pytest.mark.parametrize("text", ["", "a,b\n1,2", "board\nofficial,x", 'board\n"official'])
def test_what_is_no_table_is_refused_with_its_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|cells"):
        read_csv(text)


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "1_0", "0x1", "\u0661", "1e999", " 1"])
def test_a_cell_that_is_no_plain_number_is_no_number(number: str) -> None:
    text = f"board,model_name,organization,date,cvs_acc\nofficial,A,B,2026-01-01,{number}"
    _, problems = read_boards(read_csv(text))
    assert [problem.path for problem in problems] == ["$.official[0].cvs_acc"]


def test_minus_zero_is_zero() -> None:
    row = {"model_name": "A", "organization": "B", "date": "2026-01-01", "cvs_acc": -0.0}
    boards, _ = read_boards({"official": [row]})
    assert ",0.0," in write_csv(boards)


def test_the_published_leaderboards_are_such_a_file() -> None:
    from services.operate.boards import published_boards

    boards, problems = read_boards(json.loads(published_boards()))
    assert problems == []
    assert set(boards) == set(BOARDS)
    assert all(row.verified_on == row.submitted_on for row in boards["official"])
    assert all(row.verified_on is None for row in boards["community"])


def test_a_plan_changes_nothing_that_is_so_already() -> None:
    from uuid import uuid4

    row = BoardRow("A", "B", None, None, None, None, (), date(2026, 1, 1), None, None,
                   dict.fromkeys(metric.key for metric in METRICS),
                   dict.fromkeys(metric.key for metric in METRICS))  # fmt: skip
    entry = BoardEntry(uuid4(), row, scored=False)
    for existing in ("keep", "update"):
        changes, problems = plan_import({"community": [row]}, {"community": [entry]}, existing)  # type: ignore[arg-type]
        assert ([change.kind for change in changes], problems) == (["unchanged"], [])


def test_a_row_is_held_against_the_entry_of_its_name_in_any_spelling() -> None:
    from uuid import uuid4

    rows = [
        BoardRow(name, "B", None, None, None, None, (), date(2026, 1, 1), None, None,
                 dict.fromkeys(metric.key for metric in METRICS),
                 dict.fromkeys(metric.key for metric in METRICS))
        for name in ("A\u2013 1", "A\u2014 1", "A- 1", "A-  2")
    ]  # fmt: skip
    # The second kept a key of an older rule.
    present = [BoardEntry(uuid4(), row, scored=False) for row in rows[:2]]
    for row, kind, entry in (
        (rows[0], "unchanged", present[0]),
        (rows[1], "unchanged", present[1]),
        (rows[3], "added", None),
    ):
        (change,), _ = plan_import({"community": [row]}, {"community": present}, "update")
        assert (change.kind, change.entry_id) == (kind, entry and entry.id)
    (change,), _ = plan_import({"community": [rows[2]]}, {"community": present}, "update")
    assert change.kind == "changed"
