"""Texts that commands write."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from medvid.cli.files import write_text

TEXT = "\u6a21\u578b,\u0141\r\n1,2\r\n"


def test_what_is_printed_is_what_a_file_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a console that has neither the letters nor the ends of lines."""
    printed, file = io.BytesIO(), tmp_path / "board.csv"
    console = io.TextIOWrapper(printed, encoding="ascii", newline="\r\n")
    monkeypatch.setattr(sys, "stdout", console)
    console.write("before\n")
    write_text(TEXT)
    write_text(TEXT, file)
    assert printed.getvalue() == b"before\r\n" + file.read_bytes() == b"before\r\n" + TEXT.encode()
