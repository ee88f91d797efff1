"""Parser 2: more is form, no more is a score; what the strict parser reads it reads alike."""

from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.rationale import load_rationale
from medvid.judging.replies import InvalidReply, parse_reply
from medvid.judging.verdicts import is_valid

SCORES: Final = {"R2": 1, "R4": 2, "R5": 3, "R7": 4, "R8": 5}
LINES: Final = "\n".join(f"{key}: {score}" for key, score in SCORES.items())
JSON: Final = json.dumps(SCORES)


@pytest.mark.parametrize(
    "reply",
    [
        LINES.replace("R", "- R"),
        LINES.replace("R", "* **R").replace(":", ":**"),
        LINES.replace(":", "\uff1a"),
        LINES.replace("\n", "/5\n"),
        LINES.replace("R8: 5", "R8: 5.0"),
        LINES.lower(),
        "\n".join(
            f"{n}. {key} ({title}): {n}" for n, (key, title) in enumerate(ASPECTS.items(), 1)
        ),
        "\n".join(f"{key}. {title.title()}: {SCORES[key]}" for key, title in ASPECTS.items()),
        JSON.lower(),
        json.dumps({"scores": SCORES}),
        json.dumps({key: f"{score}/5" for key, score in SCORES.items()}),
        json.dumps({key: f"{score}.0" for key, score in SCORES.items()}),
    ],
)
def test_it_reads_what_the_strict_parser_refuses(reply: str) -> None:
    assert parse_reply(reply, parser="2").scores == SCORES
    with pytest.raises(InvalidReply):
        parse_reply(reply)


@pytest.mark.parametrize(
    "reply",
    [
        f"{LINES}\n- R2: 5",
        LINES.replace("R8: 5", "R8: 4.5"),
        LINES.replace("R8: 5", "R8: 6/5"),
        LINES.replace("R8: 5", "R8: 5/6"),
        LINES.replace("R8: 5", "R8: 15"),
        LINES.replace("R8: 5", "R8 is surely: 5"),
        LINES.replace("R8: 5", "R9: 5"),
        LINES.replace("R8: 5", "- - R8: 5"),
        f"Here they are:\n{LINES}",
        f"{LINES}\nThe candidate is good.",
        json.dumps({"scores": {"scores": SCORES}}),
        json.dumps({"scores": SCORES, "R2": 1}),
        json.dumps({"scores": [SCORES]}),
        json.dumps({"answer": SCORES}),
        JSON.replace('"R8": 5', '"R8": "5 or 4"'),
        JSON.replace('"R8": 5', '"R8": 5, "r8": 5'),
    ],
)
def test_what_is_no_score_is_none_for_it_either(reply: str) -> None:
    with pytest.raises(InvalidReply):
        parse_reply(reply, parser="2")


@pytest.mark.parametrize(
    "reply",
    [
        f"**Rationale:** It fits.\n{LINES}",
        f"- rationale: It fits.\n{LINES}",
        json.dumps({"Rationale": "It fits.", "scores": SCORES}),
    ],
)
def test_it_reads_reasons_too(reply: str) -> None:
    assert parse_reply(reply, load_rationale(), "2") == (SCORES, "It fits.")


@given(st.text(alphabet='R24578: -*/.0\n{}"rscore,', max_size=80))
def test_whatever_the_strict_parser_reads_it_reads_alike(text: str) -> None:
    try:
        strict = parse_reply(text)
    except InvalidReply:
        strict = None
    try:
        relaxed = parse_reply(text, parser="2")
    except InvalidReply:
        assert strict is None
    else:
        assert is_valid(relaxed.scores)
        assert strict in (None, relaxed)
