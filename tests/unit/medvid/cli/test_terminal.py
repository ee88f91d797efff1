"""No text of a server, a model or a file commands the terminal that it is printed on."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medvid.cli.main import app
from medvid.cli.terminal import shown
from tests.patience import HANG_SECONDS

HOSTILE = "a\x1b[2J\x1b]0;title\x07b\x9b31mc\x7f"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pläin text\twith\r\nlines", "pläin text\twith\r\nlines"),
        ("\x1b[1;31mred\x1b[0m", "\x1b[1;31mred\x1b[0m"),
        ("\x1b[2K\x1b[1A\x1b[?25l", "\x1b[2K\x1b[1A\x1b[?25l"),
        ("\x1b[2J", "␛[2J"),
        ("\x1b[", "␛["),
        ("\x1b\x1b[0m", "␛\x1b[0m"),
        ("\x1b]8;;http://x\x1b\\", "␛]8;;http://x␛\\"),
        ("\x1bc\x00\x07", "␛c␀␇"),
        ("\x9b2J\x7f", "�2J␡"),
    ],
)
def test_only_what_styles_passes(text: str, found: str) -> None:
    assert shown(text) == found


def on_a_terminal(*words: str) -> bytes:
    """Return what a command writes to a terminal, as standard output and error."""
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "medvid", *words], stdin=subprocess.DEVNULL, stdout=theirs,
        stderr=theirs, env=environment | {"TERM": "xterm", "COLUMNS": "200"},
    ) as process:  # fmt: skip
        os.close(theirs)
        written = b""
        try:
            while piece := os.read(ours, 1 << 16):
                written += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        assert process.wait(HANG_SECONDS) == 0
    return written


def test_a_name_commands_no_terminal_and_a_pipe_gets_it_whole(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([{"model_name": HOSTILE, "cvs_acc": 1}]))
    written = on_a_terminal("rank", str(rows))
    assert "␛[2J␛]0;title".encode() in written
    assert b"\x1b[1m" in written  # the table's own heading
    for command in (b"\x1b[2J", b"\x1b]", b"\x07", "\x9b".encode()):
        assert command not in written
    piped = CliRunner().invoke(app, ["rank", str(rows), "--json"])
    assert json.loads(piped.stdout)[0]["model_name"] == HOSTILE
