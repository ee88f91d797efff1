"""The file of a pool: what it says is each endpoint's settings, and what is wrong is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.judge.members import members_of
from services.judge.open_judge import judge_version, rubric_of
from services.judge.pool_file import pool_of
from services.judge.settings import JudgeSettings
from shared.runtime.errors import Misconfigured

KEY = "sk-this-key-must-never-be-seen"
ONE = '[[endpoint]]\nname = "one"\nbase_url = "https://one.example.org/v1"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pool.toml"


def settings(file: Path, **changes: Any) -> JudgeSettings:
    given = {"judge_provider": "openai", "judge_pool": file, "judge_model": "m"}
    return JudgeSettings.model_validate(given | changes)


def test_each_endpoint_has_its_own_on_top_of_the_service(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_TWO", KEY)
    file.write_text(
        f'{ONE}[[endpoint]]\nname = "two"\nbase_url = "https://two.example.org/v1"\n'
        'api_key_env = "KEY_OF_TWO"\nrequests_per_minute = 60\ntokens_per_minute = 9000\n'
        'month_cap_usd = 1.5\nquery = {version = "1"}\nheaders_env = {"api-key" = "KEY_OF_TWO"}\n'
    )
    common = settings(file, judge_prices={"m": {"input": 2, "output": 8}}, judge_headers={"x": "y"})
    one, two = pool_of(common)
    assert [each.name for each in (one, two)] == ["one", "two"]
    assert one.settings.judge_base_url == "https://one.example.org/v1"
    assert one.settings.judge_api_key.get_secret_value() == ""
    assert (one.month_cap, two.month_cap) == (None, 1_500_000)
    assert two.settings.judge_api_key.get_secret_value() == KEY
    assert two.settings.judge_requests_per_minute == 60
    assert two.settings.judge_tokens_per_minute == 9_000
    assert two.settings.judge_query == {"version": "1"}
    headers = two.settings.judge_headers
    assert {name: each.get_secret_value() for name, each in headers.items()} == {
        "x": "y", "api-key": KEY,
    }  # fmt: skip
    versions = {judge_version(each.settings, rubric_of(common)).hash for each in (one, two)}
    assert versions == {judge_version(common, rubric_of(common)).hash}
    assert KEY not in repr(pool_of(common))


def test_without_a_file_there_is_no_pool() -> None:
    assert pool_of(JudgeSettings.model_validate({})) == ()


def test_a_judge_of_a_panel_may_have_a_pool(file: Path, tmp_path: Path) -> None:
    file.write_text(ONE)
    judges = tmp_path / "judges.toml"
    judges.write_text(
        f'[[judge]]\nprovider = "openai"\nmodel = "m"\npool = "{file}"\n'
        '[[judge]]\nprovider = "openai"\nmodel = "n"\nbase_url = "https://n.example.org/v1"\n'
    )
    members = members_of(JudgeSettings.model_validate({"judges": judges})).judges
    assert [[each.name for each in pool_of(member.settings)] for member in members] == [["one"], []]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "No such file"),
        ("[[endpoint]\n", "is no TOML"),
        ("", "endpoint: Field required"),
        ("endpoint = []", "endpoint: List should have at least 1 item"),
        (ONE + ONE, "two endpoints are named one"),
        (ONE + ONE.replace('"one"', '"two"'), "one and two have one address and one key"),
        (ONE.replace('"one"', '"One!"'), "endpoint.1.name"),
        (ONE + 'model = "x"', "endpoint.1.model: Extra inputs"),
        (ONE + "requests_per_minute = 0", "endpoint.1.requests_per_minute"),
        (ONE + "requests_per_minute = nan", "endpoint.1.requests_per_minute"),
        (ONE + "month_cap_usd = -1", "endpoint.1.month_cap_usd"),
        (ONE + 'api_key_env = "UNSET_KEY"', "UNSET_KEY, which is not set"),
        (ONE.replace("https://", "ftp://"), "one: base_url: it must begin with https://"),
        (ONE + "month_cap_usd = 5", "price in MEDVID_JUDGE_PRICES"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(file: Path, text: str | None, says: str) -> None:
    if text is not None:
        file.write_text(text)
    with pytest.raises(Misconfigured) as caught:
        pool_of(settings(file))
    assert says in caught.value.detail
    assert "operations.md" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("judge_base_url", "https://other.example.org/v1"),
        ("judge_api_key", KEY),
        ("judge_requests_per_minute", 60),
        ("judge_tokens_per_minute", 60),
        ("judge_batch_api", "openai"),
    ],
)
def test_a_pool_beside_a_single_endpoint_is_refused(file: Path, name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(file, **{name: value})
    assert f"MEDVID_{name.upper()}" in str(caught.value)
    assert KEY not in str(caught.value.errors(include_input=False)[0]["msg"])
