"""Aligning records with the test set's samples (SPEC 1). Ids repeat, so order carries meaning.

A record agrees with a sample if its id is one of the sample's aliases, and qa_type and question
agree where both say them. The readings are tried in this order:

1. by position, where every record agrees with the sample at its position;
2. by position, where all that disagrees is ids that no sample has;
3. in test-set order with gaps: each record takes the earliest sample behind the one before;
4. by key: each record takes the first free sample that it agrees with, those with the fewest first.

A question that no sample of the record's id and qa_type asks (models are often asked in other
words) is not compared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from medvid.benchmark.clips import loosened
from medvid.benchmark.report import Code, Mode, Problem, Problems, shown
from medvid.benchmark.submission import Record
from medvid.benchmark.tasks import same_qa_type
from medvid.benchmark.test_set import TestItem, TestSet


@dataclass(slots=True)
class Alignment:
    """Which record answers which sample.

    `records[i]` answers sample i, or is None. `ambiguous` counts the records whose key fits several
    samples, so that only their order differs. The others list indices of samples:
    `reworded`, whose record asks another question; `foreign_ids`, whose record has an id that no
    sample has.
    """

    mode: Mode
    records: list[Record | None]
    ambiguous: int = 0
    reworded: list[int] = field(default_factory=list)
    foreign_ids: list[int] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """The number of samples that have a record."""
        return sum(record is not None for record in self.records)


def align(records: Sequence[Record], test_set: TestSet, problems: Problems) -> Alignment:
    """Align; note unknown ids, mismatched qa_types and surplus records as problems.

    `records` come in order of position, as `read_records` returns them.
    """
    candidates = _Candidates(test_set)
    placed = (
        _by_position(records, test_set, candidates)
        or _by_claim(records, test_set, candidates)
        or _in_order(records, test_set, candidates)
        or _by_key(records, test_set, candidates, problems)
    )
    for index, record in enumerate(placed.records):
        if record is not None and _is_reworded(record, test_set.items[index]):
            placed.reworded.append(index)
    return placed


def _is_reworded(record: Record, item: TestItem) -> bool:
    """Whether the record's question is another than the sample's, where both have one."""
    return bool(item.question and record.question) and record.question != item.question.encode()


class _Candidates:
    """Which samples a record agrees with; found once for equal (alias, qa_type, question)."""

    def __init__(self, test_set: TestSet) -> None:
        self._test_set = test_set
        self._found: dict[tuple[str, str, bytes | None], list[int]] = {}

    def of(self, record: Record) -> list[int]:
        """Return the indices of the samples that the record agrees with, in test-set order."""
        return self._asked(record) or self._any_question(record)

    def agrees(self, record: Record, index: int) -> bool:
        """Whether the record agrees with the sample; quick where all is spelled alike."""
        item = self._test_set.items[index]
        if record.id != item.id and record.alias not in item.aliases:
            return False
        if record.qa_type != item.qa_type and not _same_task(record, item):
            return False
        return not _is_reworded(record, item) or not self._asked(record)

    def _asked(self, record: Record) -> list[int]:
        """Return the samples that ask the record's question, or none at all, which fits any."""
        if not record.question:
            return []
        key = (record.alias, record.qa_type, record.question)
        if key not in self._found:
            groups = self._test_set.positions_by_alias.get(record.alias, {})
            asked = groups.get(record.question.decode(), [])
            self._found[key] = self._of_task(
                record, [*asked, *(groups.get("", ()) if asked else ())]
            )
        return self._found[key]

    def _any_question(self, record: Record) -> list[int]:
        key = (record.alias, record.qa_type, None)
        if key not in self._found:
            groups = self._test_set.positions_by_alias.get(record.alias, {})
            every = [index for group in groups.values() for index in group]
            self._found[key] = self._of_task(record, every)
        return self._found[key]

    def _of_task(self, record: Record, indices: list[int]) -> list[int]:
        items = self._test_set.items
        return sorted(index for index in indices if _same_task(record, items[index]))


def _same_task(record: Record, item: TestItem) -> bool:
    return record.task is item.task and same_qa_type(record.qa_type, item.qa_type)


def _by_position(
    records: Sequence[Record], test_set: TestSet, candidates: _Candidates
) -> Alignment | None:
    """Align record i with sample i (rules 1 and 2); None where they do not fit."""
    if len(records) != len(test_set):
        return None
    foreign: list[int] = []
    for index, record in enumerate(records):
        if candidates.agrees(record, index):
            continue
        item = test_set.items[index]
        known = record.alias in test_set.positions_by_alias
        if known or not _same_task(record, item) or _is_reworded(record, item):
            return None
        foreign.append(index)
    return Alignment("position", list(records), foreign_ids=foreign)


def _by_claim(
    records: Sequence[Record], test_set: TestSet, candidates: _Candidates
) -> Alignment | None:
    """Align a part of the test set whose records are keyed by their positions in the whole."""
    claimed = [record.position for record in records]
    if claimed == list(range(len(records))) or any(
        not 0 <= claim < len(test_set) or not candidates.agrees(record, claim)
        for record, claim in zip(records, claimed, strict=True)
    ):
        return None
    alignment = _nothing("position", test_set)
    for record, claim in zip(records, claimed, strict=True):
        alignment.records[claim] = record
    return alignment if alignment.answered == len(records) else None


def _in_order(
    records: Sequence[Record], test_set: TestSet, candidates: _Candidates
) -> Alignment | None:
    """Give each record the earliest sample behind the one before (rule 3); None if one has none.

    Taking the earliest leaves most to the records behind, so it fails only where any choice would.
    """
    alignment = _nothing("position", test_set)
    previous = -1
    for record in records:
        found = candidates.of(record)
        place = bisect_right(found, previous)
        if place == len(found):
            return None
        previous = found[place]
        alignment.records[previous] = record
        alignment.ambiguous += len(found) > 1
    return alignment


def _by_key(
    records: Sequence[Record], test_set: TestSet, candidates: _Candidates, problems: Problems
) -> Alignment:
    """Give each record the first free sample that it agrees with (rule 4), or note why not (5)."""
    alignment = _nothing("key", test_set)
    left: list[Record] = []
    passed: Counter[int] = Counter()  # by list of candidates: how many of its first are taken
    for record in sorted(records, key=lambda record: len(candidates.of(record))):
        found = candidates.of(record)
        place = passed[id(found)]
        while place < len(found) and alignment.records[found[place]] is not None:
            place += 1
        passed[id(found)] = place
        if place == len(found):
            left.append(record)
        else:
            alignment.records[found[place]] = record
            alignment.ambiguous += len(found) > 1
    if left:
        listed = list(_mismatches_by_position(records, test_set, candidates))
        for problem in listed or (_mismatch(record, test_set, candidates) for record in left):
            problems.add(problem)
    return alignment


def _nothing(mode: Mode, test_set: TestSet) -> Alignment:
    return Alignment(mode, [None] * len(test_set))


def _mismatches_by_position(
    records: Sequence[Record], test_set: TestSet, candidates: _Candidates
) -> Iterator[Problem]:
    """Yield what is wrong at the positions of a file with as many records as samples.

    A record that only stands elsewhere is no mistake. Of those of equal keys, the last are reported
    that are more than the samples they fit.
    """
    if len(records) != len(test_set):
        return
    kinds = Counter(id(candidates.of(record)) for record in records)  # equal keys share a list
    wrong = [r for index, r in enumerate(records) if not candidates.agrees(r, index)]
    elsewhere = Counter(id(candidates.of(record)) for record in wrong)
    for record in wrong:
        found = candidates.of(record)
        elsewhere[id(found)] -= 1
        if elsewhere[id(found)] < kinds[id(found)] - len(found):
            yield _mismatch(record, test_set, candidates)


def _mismatch(record: Record, test_set: TestSet, candidates: _Candidates) -> Problem:
    found = candidates.of(record)
    if found:
        return _surplus(record, len(found))
    groups = test_set.positions_by_alias.get(record.alias)
    if groups is None:
        return _unknown_id(record, test_set)
    known = sorted({test_set.items[index].qa_type or test_set.items[index].task
                    for group in groups.values() for index in group})  # fmt: skip
    return Problem(
        Code.QA_TYPE_MISMATCH,
        f"{record.path}.qa_type",
        f"{shown(record.qa_type)} for {shown(record.id)}",
        f"{' or '.join(known)}, as the test set has for this id",
        "Copy id and qa_type together from one sample of the test set.",
    )


def _surplus(record: Record, samples: int) -> Problem:
    return Problem(
        Code.SURPLUS_RECORD,
        record.path,
        f"one more record of {shown(record.id)}, {record.qa_type}",
        f"at most {samples}, as the test set has",
        "Remove the repeated record: each sample is answered once. Where a resumed run wrote it "
        "twice, 'medvid convert FILE --last-wins' keeps the last.",
    )


def _unknown_id(record: Record, test_set: TestSet) -> Problem:
    near = _near_id(record.id, test_set)
    return Problem(
        Code.UNKNOWN_ID,
        f"{record.path}.id",
        shown(record.id),
        f"an id of the test set, such as {shown(test_set.items[0].id)}"
        if len(test_set)
        else "an id of the test set",
        f"Did you mean {shown(near)}?" if near else "Copy the id from the test set.",
    )


def _near_id(identity: str, test_set: TestSet) -> str:
    """Return an id of other separators, white space, case or rate; empty if there is none."""
    loose = loosened(identity)
    return test_set.ids_by_loose.get(loose) or test_set.ids_by_loose.get(
        loose.rpartition(" ")[0], ""
    )
