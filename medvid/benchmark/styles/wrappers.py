"""What models and tools put around an answer: reasoning, tags, code fences, chat markers.

All patterns are linear: repeats are possessive, and nothing scans for a closing delimiter inside a
pattern.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

REASONING: Final = "reasoning"
UNFINISHED_REASONING: Final = "unfinished_reasoning"
ANSWER_TAGS: Final = "answer_tags"
CODE_FENCE: Final = "code_fence"
CHAT_TEXT: Final = "chat_text"

Rewrite = Callable[[str], str]

_TAG: Final = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_ANSWER_OPENS: Final = re.compile(r"<answer>|<\|begin_of_box\|>", re.IGNORECASE)
_ANSWER_CLOSES: Final = re.compile(r"</answer>|<\|end_of_box\|>", re.IGNORECASE)
_BOXED: Final = re.compile(r"\\boxed\s*+\{(?:\s*+\\text\s*+\{)?")
_FENCE: Final = re.compile(r"^[ \t]*+```[ \t]*+\w*+[ \t]*+\n?|\n?[ \t]*+```[ \t]*+$", re.MULTILINE)
_CHAT_TOKEN: Final = re.compile(
    r"<\|(?:im_start|im_end|eot_id|endoftext|assistant|start_header_id|end_header_id|end)\|>"
    r"|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<end_of_utterance>|<eos>|<pad>",
    re.IGNORECASE,
)
_PREFIX: Final = re.compile(
    r"(?:(?:\*\*)?(?:assistant|model|(?:the |my )?(?:final )?answer|output|response)(?:\*\*)?"
    r"(?:\s*+:(?:\*\*)?|(?=[ \t]*+\n))"
    r"|(?:sure|certainly|of course|okay|ok)\b[^\n:.]{0,120}+[:.!\n]"
    r"|here(?: is|'s| are)\b[^\n:.]{0,120}+:)\s*+",
    re.IGNORECASE,
)


_SUFFIX: Final = re.compile(
    r"\n\s*+(?:let me know|i hope|please (?:note|let)|feel free|note:|if you (?:need|have|want)|"
    r"is there anything|would you like)[^\n]*+\s*+\Z",
    re.IGNORECASE,
)


def strip_reasoning(text: str) -> str:
    """Return a text without its reasoning.

    Finished `<think>…</think>` blocks are removed; of an unfinished one everything from the tag on;
    of a closing tag alone (the opening one was part of the prompt) everything before it.
    """
    if ">" not in text or not _TAG.search(text):
        return text
    return "\n".join(part for part in map(str.strip, _outside_reasoning(text)) if part)


def _outside_reasoning(text: str) -> list[str]:
    """Return the pieces between blocks of reasoning."""
    kept: list[str] = []
    start: int | None = 0  # of the piece being read, None within reasoning
    for tag in _TAG.finditer(text):
        if tag[1]:
            if start is not None:
                kept.clear()
            start = tag.end()
        elif start is not None:
            kept.append(text[start : tag.start()])
            start = None
    if start is not None:
        kept.append(text[start:])
    return kept


def reasoning_is_unfinished(text: str) -> bool:
    """Whether a block of reasoning begins that never ends."""
    tags = _TAG.findall(text)
    return bool(tags) and not tags[-1]


def rewrite(text: str, *, prefixes: bool) -> tuple[str, list[str]]:
    """Return the answer itself, and what was taken from around it.

    Unfinished reasoning stays: nothing but the model can say what the answer would have been.
    """
    applied = []
    for name, part in _parts(prefixes=prefixes):
        changed = part(text)
        if changed != text:
            text = changed
            applied.append(name)
    return text, applied


def _parts(*, prefixes: bool) -> Iterator[tuple[str, Rewrite]]:
    yield REASONING, _without_finished_reasoning
    yield CHAT_TEXT, _without_chat_tokens
    yield ANSWER_TAGS, _inside_answer_tags
    yield CODE_FENCE, _without_fences
    yield CHAT_TEXT, _without_suffix
    if prefixes:
        yield CHAT_TEXT, _without_prefix


def _without_finished_reasoning(text: str) -> str:
    return text if reasoning_is_unfinished(text) else strip_reasoning(text)


def _without_chat_tokens(text: str) -> str:
    if not _CHAT_TOKEN.search(text):
        return text
    return _CHAT_TOKEN.sub("\n", text).strip()


def _inside_answer_tags(text: str) -> str:
    """Return the last answer in tags or in a LaTeX box."""
    opens = list(_ANSWER_OPENS.finditer(text))
    if opens:
        inside = text[opens[-1].end() :]
        closes = _ANSWER_CLOSES.search(inside)
        return (inside[: closes.start()] if closes else inside).strip()
    if _ANSWER_CLOSES.search(text):
        return _ANSWER_CLOSES.sub("\n", text).strip()
    boxes = list(_BOXED.finditer(text))
    if boxes:
        end = text.find("}", boxes[-1].end())
        if end >= 0:
            return text[boxes[-1].end() : end].strip()
    return text


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text).strip() if "```" in text else text


def _without_suffix(text: str) -> str:
    """Return a text without a last line that speaks to the user."""
    end = text.rstrip()
    found = _SUFFIX.match(text, max(end.rfind("\n"), 0))
    return text[: found.start()].rstrip() if found else text


def _without_prefix(text: str) -> str:
    found = _PREFIX.match(text)
    rest = text[found.end() :].strip() if found else ""
    return rest or text
