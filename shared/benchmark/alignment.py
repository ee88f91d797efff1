"""Aligning records with the test set's samples (SPEC 1). Ids repeat, so order carries meaning.

By position where every record's (id, task) is that of the sample at its position; a partial upload
whose records are the test set's first ones, or whose keys are positions, counts as such. Otherwise
by key: records with a question take the samples of equal (id, task, question), then all others
those of equal (id, task), in order of occurrence. A record whose question occurs nowhere among the
samples of its id and task (models are often asked in other words) is taken as one without.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.benchmark.ground_truth import ID_SEPARATOR
from shared.benchmark.report import Code, Mode, Problem, Problems, shown
from shared.benchmark.submission import Record
from shared.benchmark.tasks import Task
from shared.benchmark.test_set import TestSet


@dataclass(slots=True)
class Alignment:
    """Which record answers which sample.

    `records[i]` answers sample i, or is None. `ambiguous` counts the records whose place only the
    order of occurrence decided: their key belongs to several samples. `reworded` holds the indices
    of samples whose record asks another question.
    """

    mode: Mode
    records: list[Record | None]
    ambiguous: int = 0
    reworded: list[int] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """The number of samples that have a record."""
        return sum(record is not None for record in self.records)


def align(records: Sequence[Record], test_set: TestSet, problems: Problems) -> Alignment:
    """Align; note unknown ids, mismatched qa_types and surplus records as problems.

    `records` come in order of position, as `read_records` returns them.
    """
    claimed = [record.position for record in records]
    for positions in (claimed, range(len(records))):
        if _agree(records, positions, test_set):
            return _by_position(records, positions, test_set)
    return _by_key(records, test_set, problems)


def _agree(records: Sequence[Record], positions: Sequence[int], test_set: TestSet) -> bool:
    """Whether every record is of the sample at its position, no position taken twice."""
    items, count = test_set.items, len(test_set.items)
    previous = -1
    for record, position in zip(records, positions, strict=True):
        if not previous < position < count:
            return False
        item = items[position]
        if record.id != item.id or record.task is not item.task:
            return False
        previous = position
    return True


def _by_position(
    records: Sequence[Record], positions: Sequence[int], test_set: TestSet
) -> Alignment:
    alignment = Alignment("position", [None] * len(test_set))
    for record, position in zip(records, positions, strict=True):
        alignment.records[position] = record
        if _is_reworded(record, position, test_set):
            alignment.reworded.append(position)
    return alignment


def _is_reworded(record: Record, position: int, test_set: TestSet) -> bool:
    """Whether the record's question is another than the sample's, where both have one."""
    question = test_set.items[position].question
    return bool(question) and record.question not in (None, question.encode())


class _Slots:
    """The samples that are still free, by key, in test-set order."""

    def __init__(self, test_set: TestSet) -> None:
        self._test_set = test_set
        self._by_question: dict[tuple[str, Task, bytes], list[int]] = defaultdict(list)
        for item in test_set.items:
            self._by_question[item.id, item.task, item.question.encode()].append(item.index)
        self._next: defaultdict[object, int] = defaultdict(int)
        self._taken: set[int] = set()

    def with_question(self, record: Record) -> Sequence[int]:
        """Return the samples of the record's id, task and question."""
        if not record.question:
            return ()
        return self._by_question.get((record.id, record.task, record.question), ())

    def without_question(self, record: Record) -> Sequence[int]:
        """Return the samples of the record's id and task."""
        return self._test_set.positions_by_key.get((record.id, record.task), ())

    def take(self, key: object, group: Sequence[int]) -> int | None:
        """Take the group's first free sample; amortised linear, as each is passed once a key."""
        index = self._next[key]
        while index < len(group) and group[index] in self._taken:
            index += 1
        self._next[key] = index + 1
        if index >= len(group):
            return None
        self._taken.add(group[index])
        return group[index]


def _by_key(records: Sequence[Record], test_set: TestSet, problems: Problems) -> Alignment:
    alignment = Alignment("key", [None] * len(test_set))
    slots = _Slots(test_set)
    others: list[Record] = []
    for record in records:
        if slots.with_question(record):
            key = (record.id, record.task, record.question)
            _place(record, key, slots.with_question(record), slots, alignment, problems)
        else:
            others.append(record)
    for record in others:
        group = slots.without_question(record)
        if not group:
            problems.add(_stranger(record, test_set))
            continue
        place = _place(record, (record.id, record.task), group, slots, alignment, problems)
        if place is not None and _is_reworded(record, place, test_set):
            alignment.reworded.append(place)
    return alignment


def _place(
    record: Record,
    key: object,
    group: Sequence[int],
    slots: _Slots,
    alignment: Alignment,
    problems: Problems,
) -> int | None:
    place = slots.take(key, group)
    if place is None:
        problems.add(_surplus(record, len(group)))
        return None
    alignment.records[place] = record
    alignment.ambiguous += len(group) > 1
    return place


def _surplus(record: Record, samples: int) -> Problem:
    return Problem(
        Code.SURPLUS_RECORD,
        record.path,
        f"one more record of {shown(record.id)}, {record.qa_type}",
        f"at most {samples}, as the test set has",
        "Remove the repeated record; each sample is answered once.",
    )


def _stranger(record: Record, test_set: TestSet) -> Problem:
    """Return the problem of a record whose (id, task) the test set does not have."""
    tasks = test_set.tasks_by_id.get(record.id)
    if tasks:
        return Problem(
            Code.QA_TYPE_MISMATCH,
            f"{record.path}.qa_type",
            f"{shown(record.qa_type)} for {shown(record.id)}",
            f"{' or '.join(tasks)}, as the test set has for this id",
            "Copy id and qa_type together from one sample of the test set.",
        )
    return Problem(
        Code.UNKNOWN_ID,
        f"{record.path}.id",
        shown(record.id),
        f"an id of the test set: {ID_SEPARATOR.join(('video_id', 'start', 'end', 'fps'))}",
        _id_fix(record.id, test_set),
    )


def _id_fix(identity: str, test_set: TestSet) -> str:
    near = identity.strip()
    if near not in test_set.tasks_by_id:
        clip, _, _ = near.rpartition(ID_SEPARATOR)
        near = test_set.ids_by_clip.get(clip, "")
    return f"Did you mean {shown(near)}?" if near else "Copy the id from the test set."
