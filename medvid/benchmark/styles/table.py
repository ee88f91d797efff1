"""What each style does to the score, and what cures it.

A style is recognised by its rewrite (it counts where the rewrite changes what is read), or, where
no rewrite is safe, by `recognition`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.report import Code
from medvid.benchmark.tasks import Task

TIDY: Final = "medvid convert FILE --tidy -o fixed.json.gz"
STRIP_REASONING: Final = "medvid convert FILE --strip-reasoning -o fixed.json.gz"
LONGER: Final = "Raise the token limit of the model's output and run these samples again."
ASK: Final = "Ask the model for the form that the question asks for."
RERUN: Final = "Run these samples again; a missing answer scores the same."

_TIMES: Final = (
    "Ask the model for times as A-B seconds, such as 5.0-15.0 seconds; in dense captions a colon "
    "and the caption follow."
)
_NOT_READ: Final = "Nothing, or other numbers, are read: these answers score near zero."
_SWALLOWED: Final = "Only headers that begin a line are read: the others become text of a caption."
_MISSING: Final = (
    "A score that is not read counts as wrong in strict scoring, and is left out in compat."
)
_CAPTION: Final = "The judge reads it as part of the caption."
_SIMILARITY: Final = (
    "The label is chosen by text similarity, which may pick another one; strict scoring counts the "
    "answer as wrong."
)


@dataclass(frozen=True, slots=True)
class Style:
    """One style: what the predictions do, what that does to the score, and what cures it.

    `share` is the share of a task's answers from which on it is more than chance; 0 warns at once.
    `untidied` cures what has the style where tidying rewrites none of it; empty where it always
    does.
    """

    message: str
    effect: str
    fix: str = TIDY
    share: float = 0.0
    untidied: str = ""


STYLES: Final[Mapping[str, Style]] = {
    Code.REASONING: Style(
        "hold reasoning beside the answer",
        "Numbers and words of the reasoning are read as if they were the answer.",
        STRIP_REASONING,
    ),
    Code.UNFINISHED_REASONING: Style(
        "begin a block of reasoning that never ends",
        "There is no answer to score; what is read, if anything, is a thought.",
        LONGER,
    ),
    Code.ANSWER_TAGS: Style("hold the answer within tags", _NOT_READ),
    Code.CODE_FENCE: Style("hold the answer within a code fence", _NOT_READ),
    Code.CHAT_TEXT: Style("hold chat markers or words to the user", _CAPTION),
    Code.REFUSAL: Style("refuse, or hold a placeholder", "These answers score zero.", RERUN),
    Code.JSON: Style(
        "are JSON", _NOT_READ,
        untidied="Ask the model for plain text, or take the text out of the JSON.",
    ),
    Code.TABLE: Style("are tables", _NOT_READ),
    Code.FULL_WIDTH: Style("use full-width punctuation", _NOT_READ),
    Code.CLOCK_TIMES: Style(
        "write times as mm:ss or H:M:S",
        "00:05-00:15 is read as 5 to 0 seconds: these answers score near zero.",
        untidied=_TIMES,
    ),
    Code.DATES: Style("hold a date", "2024-05-06 is read as a segment of its own."),
    Code.DECIMAL_COMMAS: Style(
        "write decimal commas", "5,0-15,0 is read as 0 to 15: the times are wrong."
    ),
    Code.DASHES: Style("write a dash where only a hyphen is read", _NOT_READ),
    Code.UNITS_BETWEEN_NUMBERS: Style("write a unit between the numbers", _NOT_READ),
    Code.RANGE_WORDS: Style("write a word or an arrow between the times", _NOT_READ),
    Code.BRACKETED_TIMES: Style("write pairs of times in brackets", _NOT_READ),
    Code.LABELLED_TIMES: Style("label the times start and end", _NOT_READ),
    Code.INVERTED_SEGMENTS: Style(
        "hold segments that do not end after they start",
        "Such a segment overlaps with nothing: it scores zero.",
        "Write the earlier time first: 5.0-15.0 seconds.",
        0.1,
    ),
    Code.NO_TIMES: Style(
        "hold no time at all", "Nothing is read: these answers score zero.",
        "Ask the model for times as A-B seconds.",
    ),
    Code.UNREAD_TIMES: Style(
        "hold times in a form that is not read",
        "Nothing is read: these answers score zero.",
        _TIMES,
    ),
    Code.HEADER_PREFIX: Style("have something before the headers", _SWALLOWED),
    Code.HEADER_STYLE: Style("have headers other than 'A-B seconds:'", _NOT_READ),
    Code.TEMPLATE_TEXT: Style(
        "repeat the prompt's template",
        "The caption says nothing about the video: the judge gives it the lowest score.",
        RERUN,
    ),
    Code.BOX_STYLE: Style(
        "hold boxes other than 'T seconds: [x1, y1, x2, y2]'", _NOT_READ,
        untidied="Ask the model for boxes as T seconds: [x1, y1, x2, y2], in pixels.",
    ),
    Code.BOX_TIMES: Style(
        "hold boxes at other times than the question asks for",
        "Boxes are looked up by time: at every other time they score zero.",
        "Write each box at the second that the question asks for, as seconds of the clip.",
        0.05,
    ),
    Code.FRAMES_FOR_SECONDS: Style(
        "name frames instead of seconds",
        "Frames are not read, or are read as seconds: these answers score near zero.",
        "Divide frames by the frame rate and write seconds.",
    ),
    Code.UNORDERED_BOXES: Style(
        "hold boxes whose second corner is not below and right of the first",
        "Such a box overlaps with nothing: it scores zero. Boxes as x, y, width, height look so.",
        "Write the corners x1, y1, x2, y2: x2 = x + width, y2 = y + height.",
        0.05,
    ),
    Code.XYWH_BOXES: Style(
        "hold boxes that fit the truth as x, y, width, height, and not as corners",
        "Width and height are read as the second corner: these boxes score near zero.",
        "Write the corners x1, y1, x2, y2: x2 = x + width, y2 = y + height.",
        0.2,
    ),
    Code.NORMALISED_BOXES: Style(
        "hold boxes within 0-1",
        "Pixels are expected: these boxes score zero.",
        "Multiply x by the frame's width and y by its height.",
        0.5,
    ),
    Code.TIMES_IN_FRAMES: Style(
        "hold times far behind the clip's end",
        "Seconds of the clip are expected: such segments overlap with nothing.",
        "Write seconds: divide frames by the frame rate.",
        0.5,
    ),
    Code.TOO_MANY_SEGMENTS: Style(
        "hold far more segments than there can be",
        "Every surplus segment counts against the answer in strict scoring, and in DVC_F1.",
        "Set a repetition penalty or a token limit, and run these samples again.",
        0.05,
    ),
    Code.LINES_FOR_COMMAS: Style(
        "write scores on lines where only commas divide them", f"Only the first is read. {_MISSING}"
    ),
    Code.MARKUP: Style("write bold, bullets or numbers around names and scores", _MISSING),
    Code.NAMES_ALTERED: Style("spell the names otherwise", _MISSING),
    Code.SCORE_STYLE: Style("write scores in another form than 'name: N' or 'name: N/5'", _MISSING),
    Code.OTHER_SCALE: Style(
        "rate on another scale than is asked for",
        f"Aspects are N/5 with N from 1 to 5, components 0 to 2; others are wrong. {_MISSING}",
        "Ask the model for scores on the scale of the question.",
    ),
    Code.UNNAMED_SCORES: Style(
        "hold no score with the name of what it rates",
        f"Nothing is read. {_MISSING}",
        "Ask the model for 'name: score', with the names as the question gives them.",
    ),
    Code.LABEL_STYLE: Style("hold more than the label", _SIMILARITY, share=0.05),
}  # fmt: skip

_BY_TASK: Final[Mapping[tuple[str, Task], str]] = {
    (code, task): effect
    for code in (Code.REASONING, Code.ANSWER_TAGS, Code.CODE_FENCE, Code.CHAT_TEXT, Code.JSON)
    for task, effect in (
        (Task.VIDEO_SUMMARY, _CAPTION),
        (Task.REGION_CAPTION, _CAPTION),
        (Task.NEXT_ACTION, _SIMILARITY),
    )
}


def effect_of(code: str, task: Task) -> str:
    """Return what a style does to a task's score."""
    return _BY_TASK.get((code, task)) or STYLES[code].effect
