"""Commands are imported when they run; a help of a group needs none of them."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from medvid.cli.main import app, main
from tests.depth import deep
from tests.patience import HANG_SECONDS

SERVER = ("aio_pika", "jinja2", "openai", "services.standalone")
HEAVY = ("aiohttp", "numpy", "asyncpg", "orjson", "medvid.api")


def commands(group: Any) -> Iterator[Any]:
    for command in group.commands.values():
        if hasattr(command, "commands"):
            yield from commands(command)
        else:
            yield command


def groups(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield path, group
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from groups(command, *path, name)


def test_a_group_shows_the_help_that_each_command_has() -> None:
    found = list(commands(get_command(app)))
    assert len(found) > 50
    for command in found:
        context = typer.Context(command, info_name=command.name, resilient_parsing=True)
        whole = command.make_context(command.name, [], context, resilient_parsing=True).command
        assert command.help == inspect.cleandoc(whole.help), command.name
        assert command.help.split()[0].istitle(), command.name


def test_each_kind_of_job_has_every_verb() -> None:
    admin: Any = get_command(app).commands["admin"]  # type: ignore[attr-defined]
    groups = {name: list(each.commands) for name, each in admin.commands.items()
              if hasattr(each, "commands")}  # fmt: skip
    kinds = {name: verbs for name, verbs in groups.items() if "discard" in verbs}
    verbs = ["start", "list", "show", "apply", "discard"]
    assert kinds == {"rescoring": verbs, "reread": verbs, "succession": verbs}


def heavy_in_the_help_of(commands: Sequence[Sequence[str]], heavy: Sequence[str]) -> list[str]:
    """Return what of `heavy` a fresh process has imported once it has shown these helps."""
    script = (
        "import sys; from medvid.cli.main import app\n"
        f"for words in {commands!r}:\n"
        "    try: app([*words, '--help'])\n"
        "    except SystemExit: pass\n"
        f"print(*[each for each in {heavy!r} if each in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], capture_output=True, text=True, check=True,
        timeout=HANG_SECONDS,
    )  # fmt: skip
    assert done.stdout.count("Usage: ") == len(commands)
    return done.stderr.split()


def test_the_help_of_a_group_imports_nothing_heavy() -> None:
    assert heavy_in_the_help_of([[], ["admin"], ["admin", "rescoring"]], HEAVY) == []


def test_the_help_of_a_command_imports_neither_client_nor_numbers_nor_server() -> None:
    commands = (
        "submit", "replace", "status", "judge", "board", "entry", "quotas", "validate",
        "admin entries", "admin rescoring start", "admin keys make", "admin doctor", "up",
    )  # fmt: skip
    heavy = ("aiohttp", "numpy", "asyncpg", *SERVER)
    assert heavy_in_the_help_of([each.split() for each in commands], heavy) == []


@deep
def test_no_help_opens_what_only_a_running_server_needs() -> None:
    """Only the judge's calibration does."""
    names = [
        [*path, name]
        for path, group in groups(get_command(app))
        for name in group.commands if name != "calibrate-judge"
    ]  # fmt: skip
    assert len(names) > 50
    assert heavy_in_the_help_of(names, SERVER) == []


def test_a_file_that_cannot_be_written_is_named_in_a_line(tmp_path: Path) -> None:
    """By whichever command: `demo` has a ground truth and predictions that fit it."""
    demo = Path(__file__).parents[4] / "demo"
    truth, predictions, tests = (
        str(demo / f"{name}.json.gz") for name in ("ground_truth", "predictions", "test_set")
    )
    baseline = tmp_path / "baseline.jsonl"
    baseline.write_text('{"qa_type": "tal", "source": "x", "reward": {"compat": 1.0}}')
    here = str(tmp_path / "missing" / "file.md")
    for words in (
        ["sample", tests, "--out", here],
        ["overlay", predictions, predictions, "--task", "stg", "--out", here],
        ["score", truth, predictions, "--per-sample", here],
        ["score", truth, predictions, "--replicates", here],
        ["score", truth, predictions, "--report", here],
        ["score", truth, predictions, "--judge", "openai", "--model", "m", "--base-url",
         "http://127.0.0.1:1/v1", "--cache", here],
        ["rewards", "fit", str(baseline), "--out", here],
    ):  # fmt: skip
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2, (words, done.exception)
        assert f"{here}" in done.stderr
        assert "cannot be used: No such file or directory." in done.stderr
    full = CliRunner().invoke(app, ["sample", tests, "--out", "/dev/full"])
    assert (full.exit_code, full.stderr.count("\n")) == (2, 1)
    assert "No space left on device" in full.stderr


def test_help_and_version_have_their_usual_options() -> None:
    for words in (["-h"], ["score", "-h"], ["admin", "rescoring", "start", "-h"]):
        assert "Usage: " in CliRunner().invoke(app, words).stdout
    assert re.fullmatch(r"medvid \d+\.\d+\.\d+\n", CliRunner().invoke(app, ["--version"]).stdout)


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (["status", "--no-such-option"], "wrong_usage", 2),
        (["no-such-command"], "wrong_usage", 2),
        (["score", "no-truth.json", "no-file.json"], "wrong_usage", 2),
        (["peek", __file__, __file__, "--task", "no-task"], "wrong_usage", 2),
        (["validate", "no-file.json"], "unusable_file", 2),
        (["score", __file__, __file__], "invalid_file", 1),
        (["status", f"{UUID(int=1)}", "--url", "http://127.0.0.1:1"], "unreachable", 3),
        (["status", f"{UUID(int=1)}", "--url", "nowhere"], "bad_address", 2),
        (["status", "abcd"], "unknown_submission", 2),
    ],
)
def test_with_json_an_error_is_json_with_its_own_code(
    words: list[str], code: str, status: int, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["medvid", *words, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == status
    error = json.loads(printed.out)["error"]
    assert error["code"] == code
    assert error["detail"]
    assert "medvid: " in printed.err
