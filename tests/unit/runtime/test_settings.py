"""Wrong settings: each is named by its variable, with what is wrong and never its value."""

from __future__ import annotations

import pytest

from services.gateway.settings import GatewaySettings
from services.judge.settings import JudgeSettings
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import load_settings

PRICES = "MEDVID_JUDGE_PRICES"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MEDVID_PUBLIC_URL", "https://board.example/?a", "MEDVID_PUBLIC_URL: has more than"),
        ("MEDVID_DATABASE_POOL_SIZE", "many", "MEDVID_DATABASE_POOL_SIZE: Input should be"),
        (
            "MEDVID_CONTACT",
            "secret",
            "MEDVID_CONTACT: is neither a mail address nor a web address;",
        ),
        ("MEDVID_CODE_URL", "javascript:secret", "MEDVID_CODE_URL: is no web address; set it to"),
        ("MEDVID_DATA_URL", "https:///secret", "MEDVID_DATA_URL: is no web address; set it to"),
        ("MEDVID_PAPER_YEAR", "2026", "MEDVID_PAPER_YEAR: MEDVID_PAPER_TITLE, MEDVID_PAPER_AU"),
        ("MEDVID_JUDGE_POOL", "secret", "MEDVID_JUDGE_POOL names endpoints"),
        (PRICES, '{"secret', f"{PRICES}: this is no JSON."),
        (PRICES, '{"m": {"input": "secret", "output": 8}}', f"{PRICES} at m.input: Input should"),
        ("MEDVID_JUDGE_HEADERS", "secret", "MEDVID_JUDGE_HEADERS: this is no JSON."),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    if variable == "MEDVID_JUDGE_POOL":  # what is wrong of two settings together names both
        monkeypatch.setenv("MEDVID_JUDGE_API_KEY", "secret")
    settings = JudgeSettings if "JUDGE" in variable else GatewaySettings
    with pytest.raises(Misconfigured) as error:
        load_settings(settings)
    assert str(error.value).startswith(f"wrong settings: {said}")
    assert "secret" not in str(error.value)
