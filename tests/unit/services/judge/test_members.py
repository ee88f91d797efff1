"""The judges of a service: the single one of its settings, or those of a file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from medvid.judging.pricing import TokenPrice
from services.judge.members import members_of
from services.judge.settings import JudgeSettings
from shared.runtime.errors import Misconfigured

TWO = """
combine = "median"
wait_seconds = 60

[[judge]]
provider = "openai"
model = "gpt-x-2026-01-01"
api_key_env = "A_KEY"
price = { input = 1, output = 2 }
ends = 2027-01-14

[[judge]]
provider = "stub"
stub_salt = "b"
family = "qwen"
temperature = 0.5
"""


def settings(folder: Path, content: str, **others: object) -> JudgeSettings:
    path = folder / "judges.toml"
    path.write_text(content)
    return JudgeSettings.model_validate({"judges": path, **others})


def test_a_member_has_its_own_and_what_is_common(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-of-a")
    found = settings(tmp_path, TWO, judge_max_tokens=400, judge_run_cap_usd=5)
    assert found.why_off is None
    members = members_of(found)
    assert (members.combine, members.wait_seconds) == ("median", 60)
    a, b = members.judges
    assert (a.name, b.name) == ("gpt-x-2026-01-01", "stub-judge-1-b")
    assert a.settings.judge_api_key.get_secret_value() == "sk-of-a"
    assert b.settings.judge_api_key.get_secret_value() == ""
    assert (a.settings.price, a.settings.judge_ends) == (TokenPrice(1, 2), date(2027, 1, 14))
    assert (a.settings.judge_temperature, b.settings.judge_temperature) == (0.0, 0.5)
    assert {each.settings.judge_max_tokens for each in members.judges} == {400}
    assert (a.weight, b.family) == (1, "qwen")


def test_a_single_judge_is_its_own_only_member() -> None:
    found = JudgeSettings(judge_provider="stub")
    (member,) = members_of(found).judges
    assert member.settings is found


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "judge: Field required"),
        ("[[judge]", "is no TOML"),
        ('[[judge]]\nprovider = "stub"\n' * 6, "at most 5"),
        ('[[judge]]\nprovider = "none"\n', "provider"),
        ('[[judge]]\nprovider = "openai"\n', "judge 1: it has no model"),
        ("judge = " + "[" * 5_000, "is n(o TOML|ested)"),
        ('[judge]\nprovider = "stub"\n', "judge: Input should be a valid list"),
        ('combine = "best"\n[[judge]]\nprovider = "stub"\n', "combine"),
        ('[[judge]]\nprovider = "stub"\nprice = { input = -1, output = 1 }\n', "price.*from 0"),
        ('[[judge]]\nprovider = "stub"\nprice = { input = 1, out = 1 }\n', "price.output"),
        ('[[judge]]\nprovider = "stub"\nweight = 1e30\n', "judge.1.weight"),
        ('[[judge]]\nprovider = "openai"\nmodel = "gpt-5"\n[[judge]]\nprovider = "openai"\n'
         'model = "o3"\n', "judges 1 and 2 are of one family, gpt"),
        ('[[judge]]\nprovider = "stub"\nrun_cap_usd = 1\n', "there is no run_cap_usd"),
        ('[[judge]]\nprovider = "stub"\nweight = 0\n', "weight"),
        ('[[judge]]\nprovider = "stub"\ntemperature = 9\n', "judge 1: temperature"),
        ('[[judge]]\nprovider = "stub"\napi_key_env = "NOT_THERE"\n', "NOT_THERE, which is"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        members_of(settings(tmp_path, content))


def test_a_cap_needs_every_price_and_batches_a_single_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "sk-of-a")
    unpriced = TWO.replace("price = { input = 1, output = 2 }", "")
    with pytest.raises(Misconfigured, match="judge 1: a cap on spending needs"):
        members_of(settings(tmp_path, unpriced, judge_month_cap_usd=5))
    with pytest.raises(Misconfigured, match="BATCH_API is for a single judge"):
        members_of(settings(tmp_path, TWO, judge_batch_api="openai"))
    with pytest.raises(Misconfigured, match="No such file"):
        members_of(JudgeSettings(judges=tmp_path / "none.toml"))


@pytest.mark.parametrize("name", ["judge_provider", "judge_model", "judge_api_key"])
def test_the_single_judge_s_settings_are_refused_beside_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"unset MEDVID_{name.upper()}"):
        settings(tmp_path, TWO, **{name: "stub"})


def test_what_is_one_judge_of_two_names_is_said_before_anybody_is_asked(tmp_path: Path) -> None:
    pool = tmp_path / "pool.toml"
    pool.write_text('[[endpoint]]\nname = "eu"\nbase_url = "https://eu.example.org/v1"\n')
    content = "".join(
        f'[[judge]]\nprovider = "openai"\nmodel = "{model}"\npool = "{pool}"\n' for model in "mn"
    )
    with pytest.raises(Misconfigured, match="judges 1 and 2 both name an endpoint eu"):
        members_of(settings(tmp_path, content))
    family = '[[judge]]\nprovider = "stub"\nfamily = "x"\n'
    with pytest.raises(Misconfigured, match="one family, x"):
        members_of(settings(tmp_path, family + family + 'stub_salt = "b"\n'))
