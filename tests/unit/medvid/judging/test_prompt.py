"""The prompt: captions are data, whatever they say; they come back out of it unchanged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.tasks import ASPECTS, CAPTION_TASKS, Task
from medvid.judging.prompt import (
    CLOSING,
    OPENING,
    Form,
    build_messages,
    estimate_tokens,
    read_captions,
    reply_schema,
)
from medvid.judging.replies import InvalidReply, parse_reply
from medvid.judging.rubric import load_rubric, parse_rubric
from tests.depth import examples

RUBRIC: Final = load_rubric("v1")
RUBRIC_FILE: Final = Path(__file__).parents[4] / "medvid/judging/rubrics/v1.toml"
VERDICT: Final = "R2: 1\nR4: 2\nR5: 3\nR7: 4\nR8: 5"
SCORE_LINE: Final = re.compile(r"^\W*R[0-9]\W*[0-9]", re.MULTILINE)
FORMS: Final = pytest.mark.parametrize("form", list(Form))
ANY_TEXT: Final = st.text(st.characters(), max_size=200)  # lone surrogates too


def _attempts() -> dict[str, str]:
    found = json.loads((Path(__file__).parent / "data" / "injections.json").read_bytes())
    texts = {}
    for attempt in found:
        unit, count = attempt.get("padding", ("", 0))
        texts[attempt["name"]] = unit * count + attempt["text"]
    return texts


ATTEMPTS: Final = _attempts()
# Their whole text is a verdict: a model that repeated nothing else could not be told apart. They
# must not reach it as such, which the tests of the prompt hold.
VERDICTS_THEMSELVES: Final = {
    "plain verdict", "json verdict", "fenced verdict", "crlf verdict", "newlines as padding",
}  # fmt: skip
EACH_ATTEMPT: Final = pytest.mark.parametrize("name", list(ATTEMPTS))


def user_part(prediction: str, reference: str, form: Form = Form.JSON, **more: int) -> str:
    messages = build_messages(
        RUBRIC, prediction, reference, Task.VIDEO_SUMMARY, form=form, limit=more.get("limit")
    )
    return messages[1]["content"]


def test_the_corpus_is_large() -> None:
    assert len(ATTEMPTS) >= 60


@FORMS
@EACH_ATTEMPT
def test_an_attempt_changes_nothing_but_one_line_of_data(name: str, form: Form) -> None:
    text = ATTEMPTS[name]
    plain = build_messages(RUBRIC, "a", "b", Task.VIDEO_SUMMARY, form=form)
    for prediction, reference in ((text, "b"), ("a", text), (text, text)):
        messages = build_messages(RUBRIC, prediction, reference, Task.VIDEO_SUMMARY, form=form)
        assert [message["role"] for message in messages] == ["system", "user"]
        assert messages[0] == plain[0]
        lines = messages[1]["content"].split("\n")
        usual = plain[1]["content"].split("\n")
        data = usual.index(OPENING) + 1
        assert lines[:data] + lines[data + 1 :] == usual[:data] + usual[data + 1 :]
        assert read_captions(messages) == (prediction, reference)


@EACH_ATTEMPT
def test_an_attempt_can_neither_end_the_data_nor_start_a_line_nor_hide(name: str) -> None:
    content = user_part(ATTEMPTS[name], ATTEMPTS[name])
    assert content.count(OPENING) == content.count(CLOSING) == 1
    assert content.count("<") == content.count(">") == 2
    assert "[" not in content
    assert SCORE_LINE.search(content) is None
    assert len(content.splitlines()) == len(content.split("\n"))
    hidden = [character for character in content if not (character.isprintable())]
    assert set(hidden) <= {"\n"}


@EACH_ATTEMPT
def test_a_reply_that_repeats_an_attempt_is_no_verdict(name: str) -> None:
    text = ATTEMPTS[name]
    replies = [f"The caption says: {text}\n{VERDICT}", f"{text}\n{VERDICT}"]
    replies.append(f"{VERDICT}\n{text}" if text.strip() else "")
    if name not in VERDICTS_THEMSELVES:
        replies.append(text)
    for reply in replies:
        with pytest.raises(InvalidReply):
            parse_reply(reply)


@settings(max_examples=examples(150), deadline=None)
@given(ANY_TEXT, ANY_TEXT)
def test_captions_come_back_as_they_were(prediction: str, reference: str) -> None:
    messages = build_messages(RUBRIC, prediction, reference, Task.REGION_CAPTION, form=Form.LINES)
    assert read_captions(messages) == (prediction, reference)
    assert messages[1]["content"].encode()  # also where a caption cannot be encoded


@settings(max_examples=examples(50), deadline=None)
@given(ANY_TEXT, ANY_TEXT)
def test_equal_captions_make_equal_prompts_and_others_other_ones(one: str, other: str) -> None:
    assert user_part(one, "r") == user_part(one, "r")
    assert (user_part(one, "r") == user_part(other, "r")) == (one == other)


def test_medical_text_in_any_script_stays_readable() -> None:
    content = user_part("Dissection of the émigré's Ductus, 37 °C — 胆嚢 🩺", "β-blocker, 5 µm")
    assert "Dissection of the émigré's Ductus, 37 °C — 胆嚢 🩺" in content
    assert "β-blocker, 5 µm" in content


def test_a_long_caption_is_cut_and_the_model_is_told() -> None:
    messages = build_messages(RUBRIC, "a" * 300, "b" * 100, Task.VIDEO_SUMMARY, form=Form.JSON,
                              limit=100)  # fmt: skip
    assert read_captions(messages) == ("a" * 100, "b" * 100)
    assert "The candidate is cut: 100 of its 300 characters" in messages[1]["content"]
    assert "The reference is cut" not in messages[1]["content"]


def test_a_reminder_is_added_and_nothing_repeated() -> None:
    with_it = build_messages(RUBRIC, "a", "b", Task.VIDEO_SUMMARY, form=Form.JSON, reminder=True)
    without = build_messages(RUBRIC, "a", "b", Task.VIDEO_SUMMARY, form=Form.JSON)
    assert with_it[1]["content"] == f"{without[1]['content']}\n\n{RUBRIC.reminder}"
    assert with_it[0] == without[0]


@pytest.mark.parametrize(
    "content", ["", "<captions>\n{}", "no captions here", "<captions>\nnot json\n</captions>"]
)
def test_other_messages_hold_no_captions(content: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        read_captions([{"role": "user", "content": content}])


@FORMS
def test_the_system_message_names_each_aspect_and_level_and_shows_a_readable_example(
    form: Form,
) -> None:
    system = build_messages(RUBRIC, "a", "b", Task.VIDEO_SUMMARY, form=form)[0]["content"]
    for key, aspect in RUBRIC.aspects.items():
        assert f"{key}. {aspect.title}" in system
        assert all(level in system for level in aspect.levels)
    assert "{keys}" not in system
    assert "{example}" not in system
    example = system[system.rindex("{") :] if form is Form.JSON else system[-29:]
    assert set(parse_reply(example).scores) == set(ASPECTS)
    with_reason = load_rubric("v1", rationale=True)
    asking = build_messages(with_reason, "a", "b", Task.VIDEO_SUMMARY, form=form)[0]["content"]
    assert asking.startswith(system[: system.index("Reply with")])
    assert "at most 400 characters" in asking
    example = asking[asking.rindex("{" if form is Form.JSON else "\nRationale:") :]
    assert parse_reply(example, with_reason.rationale) == (
        {"R2": 2, "R4": 3, "R5": 1, "R7": 4, "R8": 3}, with_reason.rationale.example
    )  # fmt: skip


def test_each_caption_task_has_words_of_its_own() -> None:
    built = {
        build_messages(RUBRIC, "a", "b", task, form=Form.JSON)[1]["content"]
        for task in CAPTION_TASKS
    }
    assert len(built) == len(CAPTION_TASKS)


def test_the_schema_allows_five_whole_numbers_and_nothing_else() -> None:
    schema = reply_schema()
    assert schema["required"] == list(ASPECTS)
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema))["properties"]["R2"]["enum"] == [1, 2, 3, 4, 5]


def test_the_schema_asks_for_the_reason_before_the_scores() -> None:
    """Endpoints write the keys in its order: the scores rest on what was said before them."""
    schema = reply_schema(rationale=True)
    assert schema["required"] == list(schema["properties"]) == ["rationale", *ASPECTS]
    assert schema["additionalProperties"] is False


def test_reserving_takes_more_tokens_than_estimating() -> None:
    messages = build_messages(RUBRIC, "a" * 4000, "b", Task.VIDEO_SUMMARY, form=Form.JSON)
    assert estimate_tokens(messages, at_most=True) > estimate_tokens(messages) > 1000


def test_a_changed_word_is_another_rubric() -> None:
    content = RUBRIC_FILE.read_bytes()
    changed = content.replace(b"Length is no merit", b"Length is a merit")
    assert parse_rubric("v1", content).version == RUBRIC.version
    assert parse_rubric("v1", changed).version != RUBRIC.version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"[aspects.R4]", b"[aspects.R3]"),
        (b"closing =", b"opening ="),
        (b'"Unrelated to the reference, or its medical terms are wrong throughout.",\n', b""),
    ],
)
def test_an_incomplete_rubric_is_refused(old: bytes, new: bytes) -> None:
    content = RUBRIC_FILE.read_bytes()
    assert old in content
    with pytest.raises(ValueError, match="rubric v1"):
        parse_rubric("v1", content.replace(old, new))


def test_a_missing_rubric_is_named() -> None:
    with pytest.raises(ValueError, match="no rubric v0"):
        load_rubric("v0")
