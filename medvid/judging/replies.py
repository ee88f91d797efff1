"""From a model's reply to a verdict, or to the reason why there is none.

Only a reply that is a verdict and nothing else is one. Nothing is searched for inside a longer
text, as that text may repeat the caption; nothing is clamped, rounded or filled in. What is form
only is taken off: a fence, thoughts that the model closed before it replied. Where a reason is
asked for besides the scores, one without it is no verdict of that judge.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Literal, NamedTuple, NoReturn

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.parts_table import DEFAULT_PARSER, PARSERS
from medvid.judging.prompt import RATIONALE
from medvid.judging.rationale import Rationale, kept
from medvid.judging.relaxed import strict_lines, strict_pairs
from medvid.judging.verdicts import SCORES, Verdict

MAX_REPLY_CHARACTERS: Final = 2_000
"""Five scores take under 100; what is longer is something else."""

Unreadable = Literal["malformed", "truncated", "refused", "empty", "reasoning_limit"]
REASONING_LIMIT: Final = "reasoning_limit"
"""The limit was spent before the reply began: asked again, the same would be paid again."""
_MAX_THOUGHTS: Final = 1_000_000
_FENCE: Final = re.compile(r"```(?:json|text)?[ \t]*\n(.*?)\n?```", re.DOTALL | re.IGNORECASE)
_THOUGHTS: Final = (
    "</think>", "</thinking>", "</thought>", "</reasoning>", "</seed:think>", "[/THINK]",
    "<unused95>", "<|channel|>final<|message|>",
)  # fmt: skip
"""Templates open them in the prompt or in the reply; the last end is where the reply begins."""
_OPENED: Final = re.compile(r"\s*(<(think|thinking|thought|reasoning|seed:think)>|\[THINK\])")
_ENDS: Final = re.compile(r"(</s>|<\|(im_end|eot_id|end|return|endoftext)\|>|<end_of_turn>)\s*\Z")
_DIGIT: Final = re.compile(r"[1-5]")
_FILTERED: Final = frozenset(
    {"safety", "recitation", "prohibited_content", "blocklist", "spii", "sensitive", "refusal",
     "guardrail_intervened"}
)  # fmt: skip
_CUT: Final = frozenset(
    {"length", "max_tokens", "model_length", "max_output_tokens", "model_context_window_exceeded"}
)
_LINE: Final = re.compile(r"([A-Z][0-9])[ \t]*:[ \t]*([0-9])[ \t]*")
_REASON: Final = re.compile(rf"{RATIONALE.capitalize()}[ \t]*:(.*)")
_THOUGHT_ONLY: Final = (
    "the model spent the whole token limit on reasoning: give it a longer one, or less effort"
)
_LONGEST_ESCAPE: Final = 12  # characters of JSON for one of a text


class InvalidReply(Exception):
    """A reply that is no verdict: `reason` is a stable code, `detail` for a human."""

    def __init__(self, reason: Unreadable, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Unreadable = reason
        self.detail = detail


class ReadVerdict(NamedTuple):
    """What a finished reply says: the scores, and the reason where one is asked for."""

    scores: Verdict
    rationale: str | None = None


def read_reply(
    content: str | None,
    *,
    finish_reason: str | None,
    refusal: str | None,
    rationale: Rationale | None = None,
    parser: str = DEFAULT_PARSER,
) -> ReadVerdict:
    """Return what a finished reply says; raises InvalidReply.

    `rationale`: how it was asked for; `parser`: by which of `PARSERS` it is read.
    """
    if refusal:
        raise InvalidReply("refused", "the model refused to answer")
    end = (finish_reason or "").lower()
    if end.startswith("content_filter") or end in _FILTERED:
        raise InvalidReply("refused", "a content filter stopped the reply")
    if end in _CUT:
        if _is_thought_only(content):
            raise InvalidReply(REASONING_LIMIT, _THOUGHT_ONLY)
        raise InvalidReply("truncated", "the reply ended at the token limit")
    if content is None or not content.strip():
        raise InvalidReply("empty", "the reply is empty")
    return parse_reply(content, rationale, parser)


def parse_reply(
    content: str, rationale: Rationale | None = None, parser: str = DEFAULT_PARSER
) -> ReadVerdict:
    """Read a JSON object or five lines, perhaps in one Markdown fence; raises InvalidReply."""
    reply, relaxed = _without_thoughts(content), PARSERS[parser].relaxed
    if rationale is not None and reply != content:
        with suppress(InvalidReply):  # a reason may quote what ends thoughts
            return _parse(content, rationale, relaxed=relaxed)
    return _parse(reply, rationale, relaxed=relaxed)


def _is_thought_only(content: str | None) -> bool:
    """Tell whether nothing of a reply was begun: it is empty, or thoughts without an end."""
    if content is None or not content.strip():
        return True
    return bool(_OPENED.match(content)) and not any(end in content for end in _THOUGHTS)


def _parse(content: str, rationale: Rationale | None, *, relaxed: bool) -> ReadVerdict:
    longest = MAX_REPLY_CHARACTERS
    if rationale is not None:
        longest += _LONGEST_ESCAPE * rationale.characters
    if len(content) > longest:
        _malformed(f"the reply has {len(content)} characters")
    text = _ENDS.sub("", content).strip()
    fenced = _FENCE.fullmatch(text)
    if fenced:
        text = fenced[1].strip()
    if text.startswith("{"):
        pairs = _from_json(text)
        pairs = strict_pairs(pairs) if relaxed else pairs
    else:
        pairs = _from_lines(strict_lines(text) if relaxed else text)
    if rationale is None:
        return ReadVerdict(_verdict(pairs))
    reasons = [value for key, value in pairs if key == RATIONALE]
    scores = _verdict([(key, value) for key, value in pairs if key != RATIONALE])
    return ReadVerdict(scores, _reason(reasons, rationale))


def _reason(reasons: Sequence[object], rationale: Rationale) -> str:
    if len(reasons) != 1 or not isinstance(reasons[0], str):
        _malformed("there is not one rationale")
    reason = kept(reasons[0], rationale.characters)
    return reason or _malformed("the rationale is empty")


def _without_thoughts(content: str) -> str:
    if len(content) > _MAX_THOUGHTS:
        return content
    ends = [content.rfind(end) + len(end) for end in _THOUGHTS if end in content]
    return content[max(ends) :] if ends else content


def _from_json(text: str) -> Sequence[tuple[str, object]]:
    # Pairs of nested objects become tuples, which are no scores.
    try:
        found = json.loads(text, object_pairs_hook=tuple, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidReply("malformed", "the reply is not a JSON object") from error
    pairs: tuple[tuple[str, object], ...] = found
    return pairs


def _from_lines(text: str) -> Sequence[tuple[str, object]]:
    pairs: list[tuple[str, object]] = []
    for line in filter(str.strip, text.split("\n")):
        match = _LINE.fullmatch(line.strip())
        if match is not None:
            pairs.append((match[1], int(match[2])))
        elif reason := _REASON.fullmatch(line.strip()):
            pairs.append((RATIONALE, reason[1]))
        else:
            _malformed("a line is not of the form 'R2: 4'")
    return pairs


def _verdict(pairs: Sequence[tuple[str, object]]) -> Verdict:
    keys = [key for key, _ in pairs]
    for key in keys:
        if key not in ASPECTS:
            _malformed("an unknown aspect is scored")
        if keys.count(key) > 1:
            _malformed(f"{key} is scored twice")
    missing = [aspect for aspect in ASPECTS if aspect not in keys]
    if missing:
        _malformed(f"{', '.join(missing)} not scored")
    scores = {key: _score(key, value) for key, value in pairs}
    return {aspect: scores[aspect] for aspect in ASPECTS}


def _score(aspect: str, value: object) -> int:
    if isinstance(value, str) and _DIGIT.fullmatch(value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        _malformed(f"the score of {aspect} is not a number")
    if value not in SCORES:  # 4.0 is in a range, 4.5 and an infinity are not
        _malformed(f"the score of {aspect} is not a whole number from 1 to 5")
    return int(value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _malformed(detail: str) -> NoReturn:
    raise InvalidReply("malformed", detail)
