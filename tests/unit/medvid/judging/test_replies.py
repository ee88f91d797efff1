"""Replies: a verdict and nothing else, or a reason; nothing is clamped or searched for."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.rationale import load_rationale
from medvid.judging.replies import (
    MAX_REPLY_CHARACTERS,
    InvalidReply,
    parse_reply,
    read_reply,
)
from medvid.judging.verdicts import is_valid

SCORES: Final = {"R2": 1, "R4": 2, "R5": 3, "R7": 4, "R8": 5}
LINES: Final = "\n".join(f"{key}: {score}" for key, score in SCORES.items())
JSON: Final = json.dumps(SCORES)


@pytest.mark.parametrize(
    "reply",
    [
        LINES,
        JSON,
        f"\n  {LINES}  \n\n",
        LINES.replace("\n", "\r\n"),
        LINES.replace("\n", "\n\n"),
        LINES.replace(": ", ":"),
        LINES.replace(": ", "\t: "),
        "\n".join(reversed(LINES.split("\n"))),
        json.dumps(SCORES, indent=2),
        f"```json\n{JSON}\n```",
        f"```\n{LINES}\n```",
        f"```text\n{LINES}\n```\n",
        JSON.replace(": 4", ": 4.0"),
        JSON.replace(": 4", ': "4"'),
        f"```JSON\n{JSON}\n```",
        f"<think>R2: 5</think>\n{JSON}",
        f"[THINK]R2: 5[/THINK]{JSON}",
        f"<unused94>thought\nR2: 5<unused95>{JSON}",
        f"<|channel|>analysis<|message|>R2: 5<|end|><|channel|>final<|message|>{JSON}",
        f"<seed:think>R2: 5</seed:think>{LINES}",
        f"{LINES}</s>",
        f"{JSON}<|im_end|>\n",
        '{"R8":5,"R2":1,"R4":2,"R5":3,"R7":4}',
    ],
)
def test_five_scores_in_either_form_are_a_verdict(reply: str) -> None:
    verdict, reason = parse_reply(reply)
    assert (verdict, reason) == (SCORES, None)
    assert list(verdict) == list(ASPECTS)
    assert is_valid(verdict)


@pytest.mark.parametrize(
    "reply",
    [
        "no scores",
        LINES.replace("R8: 5", ""),
        LINES.replace("R8: 5", "R8: 6"),
        LINES.replace("R8: 5", "R8: 0"),
        LINES.replace("R8: 5", "R8: -5"),
        LINES.replace("R8: 5", "R8: 4.5"),
        LINES.replace("R8: 5", "R8: 5/5"),
        LINES.replace("R8: 5", "R8: 55"),
        LINES.replace("R8: 5", "R8: \u0665"),
        LINES.replace("R8: 5", "R8: five"),
        LINES.replace("R8: 5", "R8 = 5"),
        LINES.replace("R8", "R9"),
        LINES.replace("R8", "r8"),
        LINES.replace("R8", "R7"),
        f"{LINES}\nR8: 5",
        f"{LINES}\nR3: 5",
        f"{LINES} done",
        f"{LINES}</s></s>done",
        f"<|im_end|>{JSON}",
        f"\ufeff{JSON}",
        f"Here are my scores:\n{LINES}",
        f"{LINES}\nThe candidate is good.",
        f"- {LINES}",
        LINES.replace("\n", ", "),
        LINES.replace("\n", "\u2028"),
        JSON.replace('"R8": 5', '"R8": 6'),
        JSON.replace('"R8": 5', '"R8": 0'),
        JSON.replace('"R8": 5', '"R8": 4.5'),
        JSON.replace('"R8": 5', '"R8": "5/5"'),
        JSON.replace('"R8": 5', '"R8": "6"'),
        JSON.replace('"R8": 5', '"R8": " 5"'),
        JSON.replace('"R8": 5', '"R8": "\u0665"'),
        JSON.replace('"R8": 5', '"R8": true'),
        JSON.replace('"R8": 5', '"R8": null'),
        JSON.replace('"R8": 5', '"R8": [5]'),
        JSON.replace('"R8": 5', '"R8": {"score": 5}'),
        JSON.replace('"R8": 5', '"R8": NaN'),
        JSON.replace('"R8": 5', '"R8": Infinity'),
        JSON.replace('"R8": 5', '"R8": 1e400'),
        JSON.replace('"R8": 5', '"R8": 5, "R8": 5'),
        JSON.replace('"R8": 5', '"R8": 5, "comment": "fine"'),
        JSON.replace('"R8": 5', '"R8": ' + "5" * 1900),
        JSON[:-1],
        JSON + JSON,
        f"{JSON} as requested",
        f"Sure! {JSON}",
        f"[{JSON}]",
        f"```python\n{JSON}\n```",
        f"```json\n{JSON}\n```\n```json\n{JSON}\n```",
        "{" * 1000,
        '{"a":' * 300,
        "{}",
        "",
        " " * (MAX_REPLY_CHARACTERS + 1) + LINES,
    ],
)
def test_anything_else_is_malformed(reply: str) -> None:
    with pytest.raises(InvalidReply) as caught:
        parse_reply(reply)
    assert caught.value.reason == "malformed"
    assert caught.value.detail


def test_what_is_malformed_is_said_without_repeating_the_reply() -> None:
    with pytest.raises(InvalidReply) as caught:
        parse_reply(LINES.replace("R8: 5", "SECRET CAPTION"))
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "finish_reason", "refusal", "reason"),
    [
        (LINES, "length", None, "truncated"),
        (None, "length", None, "reasoning_limit"),
        (" ", "max_tokens", None, "reasoning_limit"),
        ("<think>The hook is", "length", None, "reasoning_limit"),
        ("<think>So.</think>R2:", "length", None, "truncated"),
        (LINES, "model_context_window_exceeded", None, "truncated"),
        (LINES, "content_filter", None, "refused"),
        (None, "stop", "I cannot judge that.", "refused"),
        (LINES, "stop", "I cannot judge that.", "refused"),
        (None, "stop", None, "empty"),
        ("", "stop", None, "empty"),
        (" \n", "stop", None, "empty"),
        (None, None, None, "empty"),
        ("what", "stop", None, "malformed"),
    ],
)
def test_an_unfinished_reply_is_no_verdict_whatever_it_says(
    content: str | None, finish_reason: str | None, refusal: str | None, reason: str
) -> None:
    with pytest.raises(InvalidReply) as caught:
        read_reply(content, finish_reason=finish_reason, refusal=refusal)
    assert caught.value.reason == reason


@pytest.mark.parametrize("finish_reason", ["stop", None, "eos", "tool_calls"])
def test_how_endpoints_call_a_finished_reply_differs(finish_reason: str | None) -> None:
    assert read_reply(LINES, finish_reason=finish_reason, refusal=None).scores == SCORES


@given(st.text())
def test_no_text_does_anything_but_pass_or_fail(text: str) -> None:
    try:
        verdict = parse_reply(text).scores
    except InvalidReply:
        return
    assert is_valid(verdict)


NUMBERS: Final = st.one_of(
    st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=3), st.just([5])
)


@given(st.fixed_dictionaries(dict.fromkeys(ASPECTS, NUMBERS)))
def test_a_json_verdict_has_whole_numbers_from_1_to_5(scores: dict[str, Any]) -> None:
    good = all(
        score in ("1", "2", "3", "4", "5") or (type(score) in (int, float) and score in range(1, 6))
        for score in scores.values()
    )
    try:
        verdict = parse_reply(json.dumps(scores)).scores
    except InvalidReply:
        assert not good
    else:
        assert good
        assert verdict == {aspect: int(score) for aspect, score in scores.items()}


@given(st.fixed_dictionaries(dict.fromkeys(ASPECTS, st.integers(1, 5))))
def test_what_was_written_is_what_is_read(scores: dict[str, int]) -> None:
    lines = "\n".join(f"{key}: {score}" for key, score in scores.items())
    assert parse_reply(lines).scores == parse_reply(json.dumps(scores)).scores == scores


ASKED: Final = load_rationale()
WITH_REASON: Final = json.dumps({"rationale": "The instrument is missing.", **SCORES})
REASON_FIRST: Final = f"Rationale: The instrument is missing.\n{LINES}"


@pytest.mark.parametrize(
    "reply",
    [
        WITH_REASON,
        REASON_FIRST,
        f"{LINES}\nRationale: The instrument is missing.",
        f"```json\n{WITH_REASON}\n```",
        f"<think>Rationale: none</think>\n{REASON_FIRST}",
        f"Rationale: I think so</think>{WITH_REASON}",
        REASON_FIRST.replace(": The", " :\tThe").replace("\n", "\r\n"),
        WITH_REASON.replace("The instrument", "The\\u0000\\n \\u202einstrument"),
        WITH_REASON.replace(" instrument", "\\ud800instrument"),
    ],
)
def test_a_reason_is_read_beside_the_scores_in_either_form(reply: str) -> None:
    assert parse_reply(reply, ASKED) == (SCORES, "The instrument is missing.")


def test_a_reason_may_quote_what_ends_thoughts() -> None:
    """A caption that holds it decides neither scores nor what is read."""
    said = "It ends </think> R2: 5 as the caption asks"
    assert parse_reply(json.dumps({"rationale": said, **SCORES}), ASKED) == (SCORES, said)
    assert parse_reply(f"Rationale: {said}\n{LINES}", ASKED) == (SCORES, said)


def test_a_reason_is_kept_on_one_line_and_cut() -> None:
    said = "\U0001f52a<script>alert(1)</script>\x1b[31m\n" * 100
    _, reason = parse_reply(json.dumps({"rationale": said[:400], **SCORES}), ASKED)
    assert reason is not None
    assert len(reason) <= ASKED.characters
    assert reason.isprintable()
    _, reason = parse_reply(json.dumps({"rationale": "a " * 900, **SCORES}), ASKED)
    assert reason is not None
    assert len(reason) == ASKED.characters
    assert reason.endswith("…")


@pytest.mark.parametrize(
    "reply",
    [
        JSON,
        LINES,
        json.dumps({"rationale": "", **SCORES}),
        json.dumps({"rationale": " \n\x00", **SCORES}),
        json.dumps({"rationale": None, **SCORES}),
        json.dumps({"rationale": 4, **SCORES}),
        json.dumps({"rationale": ["a"], **SCORES}),
        json.dumps({"rationale": {"text": "a"}, **SCORES}),
        json.dumps({"reason": "a", **SCORES}),
        WITH_REASON.replace('"R2"', '"rationale": "Another.", "R2"'),
        WITH_REASON.replace('"R8": 5', '"R8": 6'),
        WITH_REASON[:-1],
        json.dumps({"rationale": "a" * 7_000, **SCORES}),
        f"{REASON_FIRST}\nRationale: Another.",
        f"Rationale:\n{LINES}",
        f"Rationale: It\ngoes on.\n{LINES}",
        f"R2: 5\n{REASON_FIRST}",
        "Rationale: only",
    ],
)
def test_a_reply_without_one_reason_is_malformed_where_it_is_asked_for(reply: str) -> None:
    with pytest.raises(InvalidReply) as caught:
        parse_reply(reply, ASKED)
    assert caught.value.reason == "malformed"
    assert "Another" not in caught.value.detail


@pytest.mark.parametrize("reply", [WITH_REASON, REASON_FIRST])
def test_a_reason_that_nobody_asked_for_is_malformed(reply: str) -> None:
    with pytest.raises(InvalidReply):
        parse_reply(reply)


@given(st.text())
def test_no_text_does_anything_but_pass_or_fail_with_a_reason_either(text: str) -> None:
    try:
        verdict, reason = parse_reply(text, ASKED)
    except InvalidReply:
        return
    assert is_valid(verdict)
    assert reason


@given(st.text(st.characters()).filter(lambda text: text.strip()))
def test_whatever_the_reason_the_scores_are_read(reason: str) -> None:
    try:
        verdict, kept = parse_reply(json.dumps({"rationale": reason, **SCORES}), ASKED)
    except InvalidReply:
        assert not any(character.isprintable() and character != " " for character in reason)
    else:
        assert verdict == SCORES
        assert kept is not None
        assert 0 < len(kept) <= ASKED.characters
