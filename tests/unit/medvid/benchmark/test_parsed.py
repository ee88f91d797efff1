"""What an owner reads of a prediction is what the metrics read, whatever the truth is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.parsed import Value, parse
from medvid.benchmark.tasks import Task
from medvid.benchmark.test_set import TestItem

WRITTEN = "0-9.:[]/,- seconds:\n"


def item(task: Task) -> TestItem:
    return TestItem(0, "v", task, "What comes next in Cholec80?", source="cholec80")


@pytest.mark.parametrize(
    ("task", "text", "value"),
    [
        (Task.TAL, "1.5-3, 4-2 seconds.", [[1.5, 3.0], [4.0, 2.0]]),
        (Task.TAL, "no times", []),
        (Task.DENSE_CAPTIONING, "0-3 seconds: A cut.", [[0.0, 3.0, "A cut."]]),
        (Task.STG, "1.0 seconds: [1, 2, 3, 4]", {"1.0": [1.0, 2.0, 3.0, 4.0]}),
        (Task.STG, "[[1, 2, 3, 4]]", [[1, 2, 3, 4]]),
        (Task.SKILL_ASSESSMENT, "Respect for tissue: 4/5", {"Respect for tissue": 4}),
        (Task.NEXT_ACTION, "something else", None),
        (Task.VIDEO_SUMMARY, " A summary. ", "A summary."),
    ],
)
def test_each_task_has_its_plain_value(task: Task, text: str, value: Value) -> None:
    parsed = parse(text, item(task))
    assert parsed.value == value
    assert parsed.is_read == (value != [])


@given(st.sampled_from(list(Task)), st.text(alphabet=WRITTEN + "e1 9", max_size=60))
def test_anything_is_parsed_into_what_json_can_hold(task: Task, text: str) -> None:
    json.dumps(parse(text, item(task)).value, allow_nan=False)
