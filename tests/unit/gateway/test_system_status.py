"""What the status says of the figures: honest about what is stalled and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from services.gateway.status.rules import Stage, StatusLimits, SystemStatus, assess, duration

LIMITS = StatusLimits(stale=60, slow=120, standing=900)
IDLE: dict[str, dict[str, float]] = {
    "medvid_submissions_unfinished": {"accepted": 0, "scored": 0},
    "medvid_submissions_oldest_seconds": {"accepted": 0, "scored": 0},
    "medvid_judge_runs_unfinished": {"queued": 0, "running": 0, "paused": 0},
    "medvid_judge_runs_oldest_seconds": {"queued": 0, "running": 0, "paused": 0},
    "medvid_judge_configured": {"": 1},
    "medvid_outbox_lag_seconds": {"": 0},
    "medvid_board_behind_seconds": {"community": 0, "official": 0},
}


def assessed(age: float | None = 3, **changes: dict[str, float]) -> SystemStatus:
    figures = dict(IDLE)
    for name, values in changes.items():
        figures[f"medvid_{name}"] = figures.get(f"medvid_{name}", {}) | values
    return assess(figures, age, LIMITS)


def stage(found: SystemStatus, name: str) -> Stage:
    return next(one for one in found.stages if one.name == name)


def test_an_idle_system_moves() -> None:
    found = assessed()
    assert (found.state, found.says) == ("moving", "Everything is moving.")
    assert [one.state for one in found.stages] == ["idle"] * 3
    assert found.behind == {"community": 0, "official": 0}
    assert all(one.eta is None for one in found.stages), "nothing was measured yet"


@pytest.mark.parametrize("age", [None, 61.0])
def test_without_fresh_figures_nothing_is_known(age: float | None) -> None:
    found = assessed(age)
    assert found.state == "unknown"
    assert {one.state for one in found.stages} == {"unknown"}
    assert {one.waiting for one in found.stages} == {None}
    assert "cannot tell" in found.says


@pytest.mark.parametrize(
    ("seconds", "typical", "state", "overall"),
    [
        (100, 5, "moving", "moving"),
        (121, 5, "slow", "slow"),
        (200, 60, "moving", "moving"),  # six times the usual is still usual
        (901, 60, "standing", "standing"),
        (901, 600, "moving", "moving"),
    ],
)
def test_old_work_is_called_by_its_name(
    seconds: float, typical: float, state: str, overall: str
) -> None:
    found = assessed(
        submissions_unfinished={"accepted": 2},
        submissions_oldest_seconds={"accepted": seconds},
        stage_typical_seconds={"scoring": typical},
    )
    assert stage(found, "scoring").state == state
    assert found.state == overall
    assert stage(found, "scoring").waiting == 2


def test_stalled_work_has_no_estimate() -> None:
    found = assessed(
        submissions_unfinished={"accepted": 1},
        submissions_oldest_seconds={"accepted": 5000},
        stage_typical_seconds={"scoring": 4},
    )
    assert stage(found, "scoring").eta is None
    assert "scoring" in found.says
    assert "safe" in found.says


@pytest.mark.parametrize(
    ("waiting", "pace", "eta"), [(0, 0, 4), (1, 60, 4), (30, 10, 180), (30, 0, 4)]
)
def test_the_estimate_is_the_longer_of_usual_and_backlog(
    waiting: float, pace: float, eta: float
) -> None:
    found = assessed(
        submissions_unfinished={"accepted": waiting},
        stage_typical_seconds={"scoring": 4},
        stage_per_minute={"scoring": pace},
    )
    assert stage(found, "scoring").eta == eta


def test_a_board_that_is_behind_makes_ranking_slow() -> None:
    found = assessed(board_behind_seconds={"official": 300})
    assert stage(found, "ranking").state == "slow"
    assert found.state == "slow"


def test_messages_that_are_not_handed_over_are_seen() -> None:
    assert assessed(outbox_lag_seconds={"": 1000}).state == "standing"
    assert "hand-over" in assessed(outbox_lag_seconds={"": 130}).says


def test_without_a_judge_judging_is_off_and_nothing_is_wrong() -> None:
    found = assessed(judge_configured={"": 0})
    assert stage(found, "judging").state == "off"
    assert found.state == "moving"


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("provider_down", "does not answer"),
        ("budget_month", "money"),
        ("judging_held", "operators"),
        ("needs_operator", "no usable answers"),
    ],
)
def test_paused_judging_says_why(reason: str, says: str) -> None:
    figures: dict[str, Any] = {
        "judge_runs_unfinished": {"paused": 1},
        "judge_runs_paused": {reason: 1},
    }
    found = assessed(**figures)
    assert stage(found, "judging").state == "paused"
    assert says in stage(found, "judging").says
    assert found.state == "slow"


def test_endpoints_that_do_not_serve_are_named() -> None:
    serving = {"a": 1, "us-east": 0, "eu": 0, "b": 1}
    says = stage(assessed(judge_endpoint_serving=serving), "judging").says
    assert says == "Nothing waits. 2 of 4 endpoints serve, not eu, us-east."
    says = stage(assessed(judge_endpoint_serving={"a": 1}), "judging").says
    assert says == "Nothing waits."


def test_judging_is_estimated_by_its_pairs() -> None:
    found = assessed(
        judge_runs_unfinished={"running": 1, "queued": 1},
        judge_pairs_open={"": 300},
        stage_per_minute={"judging": 600},
        stage_typical_seconds={"judging": 100},
    )
    judging = stage(found, "judging")
    assert (judging.state, judging.waiting, judging.eta) == ("moving", 2, 30)


def test_a_judge_of_a_panel_that_does_not_answer_is_named() -> None:
    found = assessed(
        judge_runs_unfinished={"running": 1},
        judge_member_down={"gpt-x": 0, "qwen-y": 1},
    )
    assert "Without qwen-y, which does not answer" in stage(found, "judging").says
    assert "gpt-x" not in stage(found, "judging").says


def test_pairs_at_the_provider_take_up_to_a_day() -> None:
    found = assessed(
        judge_runs_unfinished={"running": 1},
        judge_pairs_open={"": 300},
        judge_pairs_at_provider={"": 300},
        stage_per_minute={"judging": 600},
    )
    judging = stage(found, "judging")
    assert (judging.state, judging.eta) == ("moving", None)
    assert "up to a day" in judging.says


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 second"),
        (59, "59 seconds"),
        (61, "1 minute"),
        (7200, "2 hours"),
        (200_000, "2 days"),
    ],
)
def test_durations_are_said_in_one_unit(seconds: float, text: str) -> None:
    assert duration(seconds) == text
