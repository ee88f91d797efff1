"""How commands are given facts of models, and filters by them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from medvid.cli.board import read_filters
from medvid.cli.facts import change_text, read_facts
from medvid.cli.failures import CommandFailed, WrongUsage
from medvid.models.facts import FactChange

TOML = """
parameters = 7e9
open_weights = true
released_on = 2025-01-26
trained_on = ["AVOS"]
"""


def test_a_file_and_options_are_joined_and_an_option_wins(tmp_path: Path) -> None:
    file = tmp_path / "facts.toml"
    file.write_text(TOML)
    found = read_facts(file, ["open_weights=no", "licence=MIT", "trained_on="])
    assert found == {
        "parameters": 7e9, "open_weights": False, "released_on": "2025-01-26",
        "trained_on": None, "licence": "MIT",
    }  # fmt: skip
    as_json = tmp_path / "facts.json"
    as_json.write_text('{"frames": 8}')
    assert read_facts(as_json, ()) == {"frames": 8}
    assert read_facts(None, ()) == {}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("f.toml", "parameters = -1", r"\$\.parameters"),
        ("f.toml", "parameters = inf", r"\$\.parameters"),
        ("f.toml", "size = 1", r"\$\.size"),
        ("f.toml", "parameters: 1", "cannot read"),
        ("f.json", "[1]", "no object"),
    ],
)
def test_a_file_with_other_things_is_refused(
    tmp_path: Path, name: str, text: str, says: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(CommandFailed, match=says):
        read_facts(file, ())


def test_what_is_no_pair_names_those_that_there_are() -> None:
    for wrong in ("parameters", "size=1"):
        with pytest.raises(WrongUsage) as error:
            read_facts(None, [wrong])
        assert "active_parameters" in error.value.fix
    assert read_filters(["max_params=8e9", "licence=a=b"]) == {
        "max_params": "8e9", "licence": "a=b",
    }  # fmt: skip
    for wrong in ("max_params", "max_params=", "parameters=1"):
        with pytest.raises(WrongUsage) as error:
            read_filters([wrong])
        assert "max_params" in error.value.fix


def test_a_change_is_one_line() -> None:
    change = FactChange(
        at=datetime(2026, 4, 15, tzinfo=UTC), by="owner",
        before={"parameters": None, "prompt": "a\nb"},
        after={"parameters": 7_000_000_000, "prompt": None},
    )  # fmt: skip
    assert change_text(change) == "2026-04-15, owner: parameters unknown -> 7 B, another prompt"
