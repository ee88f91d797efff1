"""The page about the benchmark tells what the system does."""

from __future__ import annotations

import pytest

from medvid.benchmark.reading import read
from medvid.benchmark.tasks import ASPECTS, METRICS, Task, task_of
from medvid.benchmark.test_set import TestItem
from medvid.benchmark.vocabulary import load_vocabulary
from medvid.judging.rubric import load_rubric
from services.gateway.pages.about import GUIDES, TaskGuide, shown_rubric
from services.gateway.pages.rendering import Pages


def test_every_task_is_explained_once() -> None:
    assert sorted(guide.task for guide in GUIDES) == sorted(Task)
    assert {column.key for guide in GUIDES for column in guide.columns} == {m.key for m in METRICS}
    assert all(task_of(name) == guide.task for guide in GUIDES for name in guide.qa_types)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.task)
def test_every_example_is_read_as_it_says(guide: TaskGuide) -> None:
    item = TestItem(index=0, id="a&&0&&1&&1.0", task=guide.task, question="")
    reading = read(guide.example, item, None)
    expected = {Task.TAL: 2, Task.STG: 2, Task.DENSE_CAPTIONING: 2, Task.CVS_ASSESSMENT: 3}
    expected |= {Task.SKILL_ASSESSMENT: 6}
    assert not reading.cut_off
    assert reading.emitted == expected.get(guide.task, 1)


def test_the_example_of_an_action_is_a_label() -> None:
    example = next(guide.example for guide in GUIDES if guide.task == Task.NEXT_ACTION)
    assert any(example in labels for labels in load_vocabulary().labels.values())


def test_the_rubric_is_the_one_that_the_judge_is_given() -> None:
    given, shown = load_rubric("v1"), shown_rubric()
    assert shown.version == given.version
    assert [aspect.code for aspect in shown.aspects] == list(ASPECTS)
    for aspect in shown.aspects:
        assert aspect.question == given.aspects[aspect.code].question
        assert aspect.levels == given.aspects[aspect.code].levels
    text = Pages().about()
    assert shown.version in text
    assert " ".join(given.instructions.split())[:200] in " ".join(text.split())
