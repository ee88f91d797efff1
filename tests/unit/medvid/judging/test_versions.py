"""A judge's identity: what is not used leaves it as it was, what is used makes another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

from medvid.judging.estimates import REPLY_TOKENS, CallFigures, ExpectedTokens
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
OLD_LIMIT: Final = "max_tokens"
NEW_LIMIT: Final = "max_completion_tokens"


def openai(rubric: Rubric, **changes: Any) -> JudgeVersion:
    given = {"temperature": 0.0, "max_tokens": 200} | changes
    return JudgeVersion.of(
        rubric, provider="openai", model="gpt-4.1-2025-04-14", seed=None,
        max_caption_characters=8_000, **given,
    )  # fmt: skip


def reasoning(rubric: Rubric) -> JudgeVersion:
    return openai(
        rubric, temperature=None, max_tokens=4000, reasoning_effort="low",
        token_parameter=NEW_LIMIT,
    )  # fmt: skip


def test_the_hash_of_a_judge_stays_what_it_was() -> None:
    plain = openai(load_rubric("v1"))
    assert plain.hash == GOLDEN["openai"]
    assert plain.public().keys().isdisjoint({"rationale", "reasoning_effort", "token_parameter"})
    # What its endpoint calls a limit was never a part of a judge that is told no effort.
    assert openai(load_rubric("v1"), token_parameter=NEW_LIMIT) == plain
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
    plain, explained = load_rubric("v1"), load_rubric("v1", rationale=True)
    for version in (openai(plain), openai(explained), reasoning(plain)):
        assert JudgeVersion.read(version.public()) == version
        assert replace(version, parser="2").hash != version.hash


def test_effort_limit_and_absent_temperature_make_another_judge() -> None:
    rubric = load_rubric("v1")
    version = reasoning(rubric)
    assert version.hash == "6f696faefd5aaed3f92e21210716d2519e13d1e35364d055453b6290bd705b0d"
    shown = version.public()
    assert [shown[name] for name in ("reasoning_effort", "token_parameter", "max_tokens")] == [
        "low", NEW_LIMIT, 4000
    ]  # fmt: skip
    assert shown["temperature"] is None
    others = [
        replace(version, reasoning_effort="high"), replace(version, token_parameter=OLD_LIMIT),
        replace(version, max_tokens=2000), replace(version, temperature=0.0),
    ]  # fmt: skip
    assert len({version.hash, *(other.hash for other in others)}) == 5


def test_until_verdicts_tell_it_reasoning_may_take_what_the_limit_leaves() -> None:
    rubric = load_rubric("v1")
    version = reasoning(rubric)
    assert CallFigures.of(version, rubric, FREE, 1).reasoning_tokens == 4000 - REPLY_TOKENS
    told = ExpectedTokens(reasoning=300, cached=100)
    figures = CallFigures.of(version, rubric, FREE, 1, told)
    assert (figures.reasoning_tokens, figures.cached_tokens) == (300, 100)
    for silent in (openai(rubric), replace(version, reasoning_effort="none")):
        assert CallFigures.of(silent, rubric, FREE, 1).reasoning_tokens == 0


def test_a_judge_that_gives_reasons_is_another_one_with_longer_replies() -> None:
    plain, explained = load_rubric("v1"), load_rubric("v1", rationale=True)
    version = openai(explained)
    assert version.hash == "d6b2895a8dac4ca85f8051b97799684b88d6f14473dbe970d63551f5572d438a"
    assert version.rubric == openai(plain).rubric
    assert version.max_tokens == 400
    assert str(version.public()["rationale"]).startswith("v1+")
    figures = [CallFigures.of(openai(each), each, FREE, 1) for each in (plain, explained)]
    assert figures[1].reply_tokens > figures[0].reply_tokens
    assert figures[1].overhead_tokens > figures[0].overhead_tokens
