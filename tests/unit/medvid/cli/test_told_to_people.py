"""What the commands tell people: boards that fit, messages that name the cure, help in words."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Mapping
from uuid import uuid4

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from medvid.api import Client, Leaderboard, SubmissionStatus
from medvid.api.errors import Refused, Unintelligible, refusal
from medvid.api.network_errors import misplaced
from medvid.benchmark.tasks import METRIC_KEYS, METRICS
from medvid.cli import config_file, status_text
from medvid.cli.board import show_board
from medvid.cli.keys import _show as show_quotas
from medvid.cli.main import app, main
from medvid.cli.session import Session, interruptible, with_default
from medvid.cli.watch import _is_behind
from medvid.models.accounts import QuotaStatus
from medvid.models.judging import JudgeResult, JudgeRun
from medvid.models.problems import ProblemDetails

LONG = "Qwen2.5VL-7B-Surg-CholecT50"


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("home")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(folder))
    for name in ("MEDVID_URL", "MEDVID_API_KEY", "MEDVID_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def entry(rank: int, name: str, **more: object) -> Mapping[str, object]:
    return {
        "rank": rank, "entry_id": uuid4(), "model_name": name, "organization": "A laboratory",
        "submitted_on": "2026-04-15", "mean_rank": rank + 0.25,
        "values": dict.fromkeys(METRIC_KEYS, 0.9), "ranks": dict.fromkeys(METRIC_KEYS, rank),
        **more,
    }  # fmt: skip


def shown(width: int, *metrics: str) -> str:
    rows = [entry(1, LONG), entry(2, "B", badges=["stub judge"])]
    board = Leaderboard.model_validate({
        "board": "official", "scoring": "compat", "revision": 1, "updated_at": None,
        "entries": rows, "total": 2,
    })  # fmt: skip
    out = io.StringIO()
    show_board(board, Console(file=out, width=width), metrics)
    return out.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 118, 200])
def test_a_board_fits_and_shows_what_it_ranks_by(width: int) -> None:
    text = shown(width)
    assert max(map(len, text.splitlines()[1:])) <= width  # the title wraps by itself
    assert (text.count("1.25"), text.count("2.25")) == (1, 1)
    assert text.count("0.900") == 2 * len(METRICS)
    assert "[stub judge]" in text
    words = set(text.split())
    assert {"mIoU@0.3", "Mean"} <= words  # heads of two lines, as the page has them
    if width > 60:
        assert LONG in words  # whole, in one line
    assert (text.count("2026-04-15") == 2) == (width == 200)
    assert ("(A laboratory)" in text) == (width == 200)


def test_a_narrow_name_breaks_where_it_has_a_hyphen() -> None:
    lines = [line.split() for line in shown(40).splitlines()]
    assert ["1", "Qwen2.5VL-7B-Surg-", "1.25", "0.900"] in lines
    assert ["CholecT50"] in lines


def test_only_the_metrics_that_were_asked_for() -> None:
    words = set(shown(200, "sa_acc").split())
    assert "SA" in words
    assert not {"Mean", "Submitted", "CVS"} & words


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("administrator", "the administrator"),
        ("address:127.0.0.1", "the address 127.0.0.1"),
        ("key:7", "the key 7"),
    ],
)
def test_a_quota_is_counted_for_somebody_in_words(account: str, words: str) -> None:
    use = {"used": 1, "limit": 2, "next_at": None}
    found = QuotaStatus.model_validate(
        {"account": account, "submissions": use, "bytes": use, "judge_runs": use}
    )
    out = io.StringIO()
    show_quotas(found, Console(file=out, width=80))
    assert f"Counted for {words}." in out.getvalue()


def test_a_judge_is_named_by_its_model_and_the_beginning_of_its_version() -> None:
    judged = JudgeResult.model_validate({
        "judge_version": "0123456789ab" + "f" * 52, "judge": {"model": "m-1"}, "stub": False,
        "completed_at": "2026-04-15T00:00:00Z", "facts": {},
    })  # fmt: skip
    assert status_text.judge_name(judged) == "m-1, judge 0123456789ab"


def standing(ranks: Mapping[str, int]) -> SubmissionStatus:
    score = {"metric": "vs_llm", "compat": 3.0, "strict": 3.0, "ranks": ranks}
    place = {"scoring": "compat", "rank": 2, "of": 3, "mean_rank": 2.0, "ranks": {}}
    return SubmissionStatus.model_validate({
        "id": uuid4(), "state": "ranked", "final": True, "timeline": [],
        "judging": {"run": None, "result": None},
        "standing": {"places": [place], "scores": [score]},
    })  # fmt: skip


def test_a_board_that_was_ranked_before_the_judge_was_done_is_waited_for() -> None:
    assert _is_behind(standing({}))
    assert not _is_behind(standing({"compat": 2}))


@pytest.mark.parametrize("path", ["/api/v1", "/community", "/leaderboard"])
def test_an_address_with_a_path_too_many_says_what_to_try(path: str) -> None:
    host = "http://one.example:8080"
    nothing = problem("not_found", 404)
    for error in (nothing, Unintelligible("a page")):
        assert f"use {host};" in (misplaced(host + path, error) or "")
        assert misplaced(host, error) is None
    assert misplaced(host + path, problem("entry_not_found", 404)) is None


def problem(code: str, status: int, **more: object) -> Refused:
    details = {
        "type": "/", "title": "T", "status": status, "code": code, "detail": "It is so.",
        "fix": "Do this.", "request_id": "r", **more,
    }  # fmt: skip
    return refusal(ProblemDetails.model_validate(details), None)


def test_an_invalid_submission_names_its_first_problem() -> None:
    item = {
        "code": "missing_field", "path": "$[0].id", "found": "no id", "expected": "an id",
        "fix": "Write it.",
    }  # fmt: skip
    error = problem("invalid_submission", 422, errors=[item])
    assert str(error) == (
        "It is so. Do this. The first is missing_field at $[0].id: found no id, expected an id. "
        "Write it."
    )
    assert str(problem("invalid_query", 422)) == "It is so. Do this."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["board", "commuity"], "is not one of 'community', 'official'. Did you mean 'community'?"),
        (["judge", "My model"], "is remembered here by 'My model'"),
        (["withdraw", "My model"], "is remembered here by 'My model'"),
        (["entry", "--url", "nowhere", "x"], "is no address of a server"),
    ],
)
def test_a_wrong_word_is_named_with_what_is_meant(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())  # whatever the terminal's width
    assert "Value error" not in done.stderr


def test_the_default_address_is_said_to_be_one() -> None:
    fix = "Check the address."
    named, default = (
        config_file.settings("http://one.example")["url"],
        config_file.settings()["url"],
    )
    assert with_default(named, fix) == fix
    assert with_default(default, fix) == f"No server was named, so it was {default.text}. {fix}"


def test_who_interrupts_is_told_how_things_stand() -> None:
    said = io.StringIO()
    with Client("http://one.example") as client:
        session = Session(client, "http://one.example", Console(file=said))
        with pytest.raises(typer.Exit) as ended, interruptible(session, "Nothing was sent."):
            raise KeyboardInterrupt
    assert (ended.value.exit_code, said.getvalue()) == (130, "\nInterrupted. Nothing was sent.\n")


def test_a_run_that_is_closed_has_no_seconds_left() -> None:
    run = JudgeRun.model_construct(
        state="running", items=9, items_done=9, eta_seconds=None, reason=None, detail=None
    )
    assert status_text.judging(run) == "9 of 9 items, the scores are made of them"


@pytest.mark.parametrize(
    "words", [[], ["board"], ["convert"], ["submit"], ["score"], ["admin"], ["admin", "costs"]]
)
def test_help_shows_no_types_of_python(words: list[str]) -> None:
    text = CliRunner().invoke(app, [*words, "-h"], env={"COLUMNS": "200"}).stdout
    assert "--help" in text
    assert not re.search(r"<(bool|str|int|path|file|dir|list.*|\w+ range)>", text)


def test_help_keeps_what_stands_in_angle_brackets() -> None:
    text = CliRunner().invoke(app, ["convert", "-h"], env={"COLUMNS": "200"}).stdout
    assert "<think> blocks" in text


class _Closed(io.StringIO):
    """A pipe whose reader has seen enough."""

    def fileno(self) -> int:
        return os.open(os.devnull, os.O_WRONLY)

    def write(self, _: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_help_for_a_reader_that_has_seen_enough_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["medvid", "--help"])
    monkeypatch.setattr(sys, "stdout", _Closed())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
