"""Tidying and stripping: what is done twice is done once, and what is well written stays."""

# ruff: noqa: RUF001 - the styles hold such characters

from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from medvid.benchmark.styles import recognise, strip_reasoning, tidy
from medvid.benchmark.tasks import Task
from tests.unit.medvid.benchmark.test_styles import ASPECTS


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>a</think> b", "b"),
        ("a <think>b</think> c", "a\nc"),
        ("a</think>b", "b"),
        ("a <think>b", "a"),
        ("<THINK>a<think>b</think>c</think>d", "d"),
        ("<thi<think>x</think>nk>y", "<thi\nnk>y"),
        ("a < b > c", "a < b > c"),
        ("<think>only", ""),
    ],
)
def test_reasoning_is_stripped(text: str, left: str) -> None:
    assert strip_reasoning(text) == left
    assert strip_reasoning(left) == left


PIECES: Final = st.sampled_from([
    "<think>", "</think>", "<answer>", "</answer>", "```", "\\boxed{", "}", "[", "]", "(", ")", "{",
    '"start": ', '"end": ', "start: ", "end ", "1", "2.5", "0:05", " ", "\n", "- ", "1. ", "**",
    ", ", "-", "–", " to ", "s", " seconds", " seconds: ", ":", "|", "two structures",
    "Cystic plate", "/5",
    "Respect for tissue", "Time and motion", "is ", "one", "tying", "next action ", "Sure! ", "，",
    "2024-05-06", "between ", " and ", "min ", "Let me know", "frame ", "<box>", "[1, 2, 3, 4]",
])  # fmt: skip
MANGLED: Final = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=60)


@given(MANGLED, st.sampled_from(Task))
@example("<thi<think>x</think>nk>5-6", Task.TAL)
def test_tidying_twice_is_tidying_once(text: str, task: Task) -> None:
    once, names = tidy(text, task)
    assert tidy(once, task) == (once, ())
    assert (once == text) == (not names)
    recognise(text, task)
    assert strip_reasoning(strip_reasoning(text)) == strip_reasoning(text)


TIMES: Final = st.decimals(0, 9999, places=1).map(str) | st.integers(0, 9999).map(str)
SPANS: Final = st.tuples(TIMES, TIMES).filter(lambda times: float(times[0]) < float(times[1]))
CAPTIONS: Final = st.text("abc de,-", min_size=3).map(lambda text: f"A{text.strip()}b.")
WELL_WRITTEN: Final[dict[Task, st.SearchStrategy[str]]] = {
    Task.TAL: st.lists(SPANS.map("-".join), min_size=1).map(", ".join).map("{} seconds.".format),
    Task.STG: st.lists(
        st.tuples(TIMES, st.tuples(*[TIMES] * 4).map(", ".join)).map(
            "{0[0]} seconds: [{0[1]}]".format
        ),
        min_size=1,
    ).map(" ".join),
    Task.DENSE_CAPTIONING: st.lists(
        st.tuples(SPANS.map("-".join), CAPTIONS).map(" seconds: ".join), min_size=1
    ).map("\n".join),
    Task.CVS_ASSESSMENT: st.tuples(*[st.integers(0, 2)] * 3).map(
        "Two structures: {0[0]}, Cystic plate: {0[1]}, Hepatocystic triangle: {0[2]}".format
    ),
    Task.SKILL_ASSESSMENT: st.tuples(*[st.integers(1, 5)] * 6).map(
        lambda scores: ", ".join(f"{a}: {n}/5" for a, n in zip(ASPECTS, scores, strict=True))
    ),
}  # fmt: skip


@given(st.data(), st.sampled_from(sorted(WELL_WRITTEN)))
def test_what_is_well_written_comes_back_unchanged(data: st.DataObject, task: Task) -> None:
    text = data.draw(WELL_WRITTEN[task])
    assert tidy(text, task) == (text, ())
    assert recognise(text, task) == ()
