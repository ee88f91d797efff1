"""CSV has one home: what is written is read back, no cell is a formula, nobody else writes any."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.spreadsheets import decode, delimiter_of, read_rows, table, text_of

ROOT: Final = Path(__file__).parents[3]
_SIGNS: Final = "=+-@'\"\t\r\n,\uff1d\uff20 "
TEXTS: Final = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\ufeff") | st.sampled_from(_SIGNS)
)
OTHERS: Final = {"medvid/cli/administration/boards.py": "columns for a terminal, by tabs"}
"""What uses the csv module beside its home, and for what."""


@given(st.lists(st.lists(TEXTS, min_size=2, max_size=2), max_size=5))
def test_what_is_written_is_read_back_and_no_cell_is_a_formula(rows: list[list[str]]) -> None:
    text = table(["first", "second"], rows)
    header, *lines = [cells for _, cells in read_rows(text)]
    assert header == ["first", "second"]
    assert [[text_of(cell) for cell in cells] for cells in lines] == rows
    for cell in (cell for cells in lines for cell in cells):
        assert not re.match(r" *[=+\-@\t\r\n＝＋－＠]", cell)  # noqa: RUF001


def test_a_file_with_a_mark_of_its_byte_order_is_read() -> None:
    text = decode("\ufeffid;prediction\r\n1;ä\r\n".encode())
    assert delimiter_of(text.splitlines()[0]) == ";"
    assert list(read_rows(text, delimiter=";")) == [(1, ["id", "prediction"]), (2, ["1", "ä"])]


def test_a_broken_line_is_named() -> None:
    with pytest.raises(ValueError, match=r"^line 3: "):
        list(read_rows('a,b\n1,2\n"x"y,3\n'))


def test_a_cell_may_be_long() -> None:
    assert next(read_rows("x" * 200_000))[1] == ["x" * 200_000]


def test_csv_has_one_home() -> None:
    using = {
        str(path.relative_to(ROOT))
        for room in ("medvid", "services", "shared", "client")
        for path in (ROOT / room).rglob("*.py")
        if re.search(r"^\s*(import csv\b|from csv import)", path.read_text(), re.MULTILINE)
    }
    assert using == {"medvid/spreadsheets.py", *OTHERS}
