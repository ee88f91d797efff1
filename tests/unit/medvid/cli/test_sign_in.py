"""How `medvid login` waits for its user, and what it does with a key that it cannot keep."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from medvid.api.errors import LeaderboardError, Unreachable, refusal
from medvid.cli import sign_in
from medvid.cli.failures import CommandFailed
from medvid.models.problems import ProblemDetails
from medvid.models.sign_in import DeviceCode, DeviceKey


def refused(status: int, code: str) -> LeaderboardError:
    problem = ProblemDetails(
        type="about:blank",
        title=code,
        status=status,
        code=code,
        detail=code,
        fix="",
        request_id="1",
    )
    return refusal(problem, None)


class FakeClient:
    """A client whose server answers as the test says."""

    def __init__(self, *answers: DeviceKey | LeaderboardError) -> None:
        self.answers = list(answers)
        self.ended = False

    def finish_sign_in(self, _: str) -> DeviceKey:
        found = self.answers.pop(0)
        if isinstance(found, LeaderboardError):
            raise found
        return found

    def end_sign_in(self) -> None:
        self.ended = True


def begun(interval: int) -> DeviceCode:
    return DeviceCode(
        device_code="secret", user_code="BCDF-GHJK", verification_uri="https://lab.example.org/a",
        verification_uri_complete="https://lab.example.org/a?code=b", expires_in=600,
        interval=interval,
    )  # fmt: skip


def test_login_waits_longer_where_it_is_asked_to_or_hears_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    client: Any = FakeClient(
        DeviceKey(state="pending", key=None),
        refused(429, "slow_down"),
        Unreachable("nobody answers"),
        refused(503, "unavailable"),
        DeviceKey(state="allowed", key="mvk_1"),
    )
    assert sign_in.wait_for_key(client, begun(5)) == "mvk_1"
    assert waits == [5, 5, 10, 15, 20]
    client = FakeClient(refused(403, "device_code_denied"))
    with pytest.raises(LeaderboardError, match="device_code_denied"):
        sign_in.wait_for_key(client, begun(-7))
    assert waits[-1] == 1  # whatever a server says


def test_a_key_that_cannot_be_kept_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "medvid").symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    client: Any = FakeClient()
    with pytest.raises(CommandFailed, match="cannot write"):
        sign_in.keep_key(client, "https://lab.example.org", "mvk_1")
    assert client.ended
