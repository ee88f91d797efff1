"""A judge's identity: what is not used leaves it as it was, what is used makes another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

from medvid.judging.estimates import CallFigures
from medvid.judging.parts_table import (
    DEFAULT_PARSER,
    PARSERS,
    PARTS,
    PROMPT_VERSION,
    ParserName,
)
from medvid.judging.pricing import FREE
from medvid.judging.rationale import load_rationale
from medvid.judging.rubric import Rubric, load_rubric
from medvid.judging.versions import JudgeVersion

ROOT = Path(__file__).parents[4]
GOLDEN = {
    "openai": "03663b573fb1985768ea9956b7d92f052b087a0a31d9be905a35bf7df0da74fa",
    "stub": "e6288417474ed5874f26cd1e2ce65ea449952cb9b299e0d9307ca2b9066022dc",
}
"""Hashes that verdicts in databases have."""


def openai(rubric: Rubric) -> JudgeVersion:
    return JudgeVersion.of(
        rubric, provider="openai", model="gpt-4.1-2025-04-14", temperature=0.0, max_tokens=200,
        seed=None, max_caption_characters=8_000,
    )  # fmt: skip


def test_the_hash_of_a_judge_stays_what_it_was() -> None:
    plain = openai(load_rubric("v1"))
    assert plain.hash == GOLDEN["openai"]
    assert "rationale" not in plain.public()
    stub = replace(plain, provider="stub", model="stub-judge-1", max_caption_characters=None)
    assert stub.hash == GOLDEN["stub"]


def test_every_part_stands_in_the_changelog_with_its_digest_and_in_the_documents() -> None:
    """A changed word of a rubric needs a line there: the name alone would not tell."""
    digests = {(part.kind, part.name): part.digest for part in PARTS}
    files = {path.stem for path in (ROOT / "medvid/judging/rubrics").glob("*.toml")}
    assert {name for kind, name in digests if kind == "rubric"} == files
    for name in files:
        assert load_rubric(name).version == f"{name}+{digests['rubric', name]}"
    rationale, _, digest = load_rationale().version.partition("+")
    assert digests["rationale", rationale] == digest
    version = openai(load_rubric("v1"))
    assert (version.prompt, version.parser) == (PROMPT_VERSION, DEFAULT_PARSER)
    assert get_args(ParserName) == tuple(PARSERS)
    document = (ROOT / "docs/judge-versions.md").read_text("utf-8")
    for part in PARTS:
        assert f"| {part.kind} | {part.name} | {part.since} | {part.says} |" in document


def test_a_version_is_read_back_from_its_facts() -> None:
    for version in (openai(load_rubric("v1")), openai(load_rubric("v1", rationale=True))):
        assert JudgeVersion.read(version.public()) == version
        assert replace(version, parser="2").hash != version.hash


def test_a_judge_that_gives_reasons_is_another_one_with_longer_replies() -> None:
    plain, explained = load_rubric("v1"), load_rubric("v1", rationale=True)
    version = openai(explained)
    assert version.hash == "d6b2895a8dac4ca85f8051b97799684b88d6f14473dbe970d63551f5572d438a"
    assert version.rubric == openai(plain).rubric
    assert version.max_tokens == 400
    assert str(version.public()["rationale"]).startswith("v1+")
    figures = [CallFigures.of(rubric, FREE, 1) for rubric in (plain, explained)]
    assert figures[1].reply_tokens > figures[0].reply_tokens
    assert figures[1].overhead_tokens > figures[0].overhead_tokens
