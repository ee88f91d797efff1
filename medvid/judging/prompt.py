"""From two captions to the messages a model reads, and back.

A caption is data. Both travel in one JSON object in which every character that could end the
data, start a role or hide from a reader is escaped: `<`, `>`, `[`, `]`, line breaks, control,
invisible and unassigned characters. So the delimiter cannot occur inside the data, no caption can
put `R2: 5` at the start of a line, and the prompt is the same for the same texts (verdicts are
cached by text).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, Literal, TypedDict

from medvid.benchmark.tasks import ASPECTS, Task
from medvid.judging.rubric import Rubric
from medvid.judging.verdicts import SCORES

OPENING: Final = "<captions>"
CLOSING: Final = "</captions>"
RATIONALE: Final = "rationale"
"""Its key in a reply; lines begin it with a capital."""

# Printable by their category, yet blank or without a glyph of their own: fillers, the braille
# blank, variation selectors. Text hidden in them would be seen by the model only.
_INVISIBLE: Final = frozenset(
    map(
        chr,
        (
            0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0,
            *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0),
        ),
    )
)  # fmt: skip
_SUSPECT: Final = re.compile(r"[^ -~]|[<>\[\]]")
_STRUCTURAL: Final = "<>[]"
# English runs at 4 to 5 bytes a token, other scripts and escapes lower. Reserving takes the safe
# side, estimating the middle.
_BYTES_PER_TOKEN: Final = 4
_BYTES_PER_TOKEN_AT_LEAST: Final = 3
_TOKENS_PER_MESSAGE: Final = 8


class Form(StrEnum):
    """How the model is asked to reply."""

    JSON = "json"
    LINES = "lines"


class ChatMessage(TypedDict):
    """One message of a chat."""

    role: Literal["system", "user"]
    content: str


def build_messages(
    rubric: Rubric,
    prediction: str,
    reference: str,
    task: Task,
    *,
    form: Form,
    limit: int | None = None,
    reminder: bool = False,
) -> list[ChatMessage]:
    """Return the messages that ask for one verdict.

    A caption longer than `limit` characters is cut, and the prompt says so. With `reminder` it is
    asked to keep to the form; what it said before is not repeated, as it may hold text of the
    caption.
    """
    captions = {"reference": _cut(reference, limit), "candidate": _cut(prediction, limit)}
    notes = [
        f"The {name} is cut: {limit} of its {len(text)} characters are shown. Judge what is shown."
        for name, text in (("reference", reference), ("candidate", prediction))
        if limit is not None and len(text) > limit
    ]
    user = [
        rubric.tasks.get(task, ""),
        *notes,
        f"{OPENING}\n{_escape(json.dumps(captions, ensure_ascii=False))}\n{CLOSING}",
        rubric.closing,
        rubric.reminder if reminder else "",
    ]
    return [
        {"role": "system", "content": _system(rubric, form)},
        {"role": "user", "content": "\n\n".join(part for part in user if part)},
    ]


def read_captions(messages: Sequence[ChatMessage]) -> tuple[str, str]:
    """Return prediction and reference out of messages built here, as far as they were shown.

    Raises ValueError where there are none.
    """
    for message in reversed(messages):
        _, opening, rest = message["content"].partition(f"{OPENING}\n")
        data, closing, _ = rest.partition(f"\n{CLOSING}")
        if opening and closing:
            captions = json.loads(data)
            return captions["candidate"], captions["reference"]
    raise ValueError("the messages hold no captions")


def reply_schema(*, rationale: bool = False) -> dict[str, object]:
    """Return the JSON schema of a reply; endpoints that keep to it keep to its order, too."""
    score = {"type": "integer", "enum": list(SCORES)}
    reason = {RATIONALE: {"type": "string"}} if rationale else {}
    properties = {**reason, **dict.fromkeys(ASPECTS, score)}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def estimate_tokens(messages: Sequence[ChatMessage], *, at_most: bool = False) -> int:
    """Estimate the tokens of a prompt; `at_most` rather too many than too few."""
    per_token = _BYTES_PER_TOKEN_AT_LEAST if at_most else _BYTES_PER_TOKEN
    size = sum(len(message["content"].encode()) for message in messages)
    return -(-size // per_token) + _TOKENS_PER_MESSAGE * len(messages)


def _system(rubric: Rubric, form: Form) -> str:
    aspects = "\n\n".join(
        "\n".join(
            [
                f"{key}. {aspect.title}: {aspect.question}",
                *(
                    f"  {score} = {level}"
                    for score, level in zip(SCORES, aspect.levels, strict=True)
                ),
            ]
        )
        for key, aspect in rubric.aspects.items()
    )
    # The example shows form only; its scores differ, so that copying it would be seen.
    example: dict[str, object] = dict(zip(ASPECTS, (2, 3, 1, 4, 3), strict=True))
    asked = rubric.rationale or rubric
    if rubric.rationale is not None:
        label = RATIONALE if form is Form.JSON else RATIONALE.capitalize()
        example = {label: rubric.rationale.example, **example}
    if form is Form.JSON:
        text = asked.json_form.replace("{keys}", ", ".join(ASPECTS))
        shown = json.dumps(example)
    else:
        text = asked.lines_form
        shown = "\n".join(f"{name}: {value}" for name, value in example.items())
    if rubric.rationale is not None:
        text = text.replace("{characters}", str(rubric.rationale.characters))
    return f"{rubric.instructions}\n\n{aspects}\n\n{text.replace('{example}', shown)}"


def _cut(text: str, limit: int | None) -> str:
    return text if limit is None else text[:limit]


def _escape(text: str) -> str:
    return _SUSPECT.sub(_escape_one, text)


def _escape_one(match: re.Match[str]) -> str:
    character = match[0]
    if character not in _STRUCTURAL and character.isprintable() and character not in _INVISIBLE:
        return character
    if character in _STRUCTURAL:
        return f"\\u{ord(character):04x}"
    return json.dumps(character)[1:-1]
