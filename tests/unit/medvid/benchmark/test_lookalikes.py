"""Homographs are refused, names in any script are not."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from medvid.benchmark.lookalikes import first_lookalike
from medvid.benchmark.names import check_entry_fields

# ruff: noqa: RUF001 - letters that look alike are what is tested


@pytest.mark.parametrize(
    ("name", "letter"),
    [
        ("СhatGPT", "С"),  # Cyrillic es
        ("GРT-4", "Р"),
        ("Med-VLМ", "М"),
        ("Ορus", "Ο"),  # Greek omicron
        ("РОХ", "Р"),  # every letter passes for Latin
        ("ＧＰＴ", "Ｇ"),
        ("𝐆𝐏𝐓", "𝐆"),
        ("ℝeal", "ℝ"),
        ("Lab СОР", "С"),
        ("оpen", "о"),
    ],
)
def test_homographs_are_found(name: str, letter: str) -> None:
    assert first_lookalike(name) == letter
    problems = check_entry_fields({"model_name": name, "organization": "Lab"})
    assert [problem.code for problem in problems] == ["lookalike_character"]


@pytest.mark.parametrize(
    "name",
    [
        "GPT-4.1",
        "Модель 7B",
        "Модель СОР",  # other letters tell that it is Cyrillic
        "医学视频 VLM",
        "Σ-Net",
        "β-VAE",
        "ViT-λ",
        "Straße",
        "Über-Modell",
        "Ångström",
        "نموذج",
        "R²",
        "Qwen2.5-VL₇",
        "",
    ],
)
def test_honest_names_pass(name: str) -> None:
    assert first_lookalike(name) is None


def test_the_published_names_pass() -> None:
    content = (files("medvid.benchmark") / "data/published_leaderboards.json").read_text("utf-8")
    names = [row["model_name"] for rows in json.loads(content).values() for row in rows]
    assert names
    assert [name for name in names if first_lookalike(name)] == []


def test_other_fields_may_hold_any_letters() -> None:
    assert check_entry_fields({"model_name": "A", "organization": "ООО Лаб", "team": "РОХ"}) == []
