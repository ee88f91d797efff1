"""From files to records: reads, drops, places and rewrites, and keeps account of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from medvid.benchmark.decoding import Document, Element, Limits
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.scanning import Layout
from medvid.benchmark.styles import strip_reasoning, tidy
from medvid.benchmark.submission import Record, number_of_key, read_records
from medvid.benchmark.tasks import task_of
from medvid.benchmark.test_set import TestSet
from medvid.cli.conversion import files as raw_files
from medvid.cli.conversion.fields import Draft, FileReading, drafts_of, truths
from medvid.cli.conversion.notes import Note, Rewrite
from medvid.cli.conversion.places import by_position, last_of_each

Failed = Literal["stop", "skip", "empty"]
_LIMITS: Final = Limits(records=1_000_000)
_MOST_NAMED: Final = 12
_EXCERPT: Final = 160


@dataclass(frozen=True, slots=True)
class Options:
    """What may be done to records on their way."""

    answer_field: str | None = None
    failed: Failed = "stop"
    last_wins: bool = False
    by_position: bool = False
    strip_reasoning: bool = False
    tidy: bool = False


@dataclass(slots=True)
class Conversion:
    """The records of all files in order of position, and what was done to make them."""

    records: list[Record] = field(default_factory=list)
    readings: list[FileReading] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    rewrites: list[Rewrite] = field(default_factory=list)


def convert_files(
    files: Mapping[str, bytes],
    problems: Problems,
    options: Options,
    test_set: TestSet | None = None,
) -> Conversion:
    """Convert files, noting what is wrong with any.

    Where the records of all files have different places, these order them; otherwise the files
    follow one another.
    """
    done = Conversion()
    drafts = _read(files, problems, options, done)
    if not drafts and not problems.count:
        problems.add(Problem(Code.EMPTY_FILE, "$", "no records", "one record a sample",
                             "Give the files that inference wrote."))  # fmt: skip
    drafts, notes = last_of_each(drafts, test_set, problems, last_wins=options.last_wins)
    done.notes += notes
    if options.by_position and test_set is not None and not problems.count:
        done.notes += by_position(drafts, test_set, problems)
    if not options.by_position:
        drafts = _named(drafts, done.readings, problems)
    tried = len(drafts)
    drafts = _without_failed(drafts, options.failed, problems, done.notes)
    if tried and not drafts and not problems.count:
        problems.add(Problem(Code.EMPTY_FILE, "$", "no record with an answer: all are failed ones",
                             "one record a sample", "Run these samples again."))  # fmt: skip
    _rewrite(drafts, options, done.rewrites)
    done.notes[:0] = _told(done.readings)
    if not options.by_position or not problems.count:  # without their places they lack everything
        done.records = _records(drafts, problems)
    return done


def _read(
    files: Mapping[str, bytes], problems: Problems, options: Options, done: Conversion
) -> list[Draft]:
    drafts: list[Draft] = []
    for name, data in files.items():
        own = Problems()
        file = raw_files.read(name, data, own)
        found: list[Draft] = []
        if file.records:
            found, reading = drafts_of(file, options.answer_field, own)
            done.readings.append(reading)
        if file.beside:
            names = _listed(file.beside)
            done.notes.append(Note("beside", f"fields beside the records, not read: {names}",
                                   len(file.beside)))  # fmt: skip
        prefix = f"{name}: " if len(files) > 1 else ""
        for draft in found:
            draft.path = prefix + draft.path
        problems.merge(own, prefix)
        if all(_place(draft) is not None for draft in found):
            found.sort(key=lambda draft: _place(draft) or 0)
        drafts += found
    return drafts


def _place(draft: Draft) -> int | None:
    """Return the place that a record's key, or its name in the run, gives it."""
    number = number_of_key(draft.key)
    if number is not None:
        return number
    return draft.number if draft.from_zero and "::" in draft.name else None


def _named(drafts: list[Draft], readings: Sequence[FileReading], problems: Problems) -> list[Draft]:
    """Return the drafts that say which sample they answer; note those that do not."""
    whole: list[Draft] = []
    layouts = ", ".join(dict.fromkeys(reading.layout for reading in readings if reading.layout))
    for draft in drafts:
        lacks = [] if "id" in draft.fields or "metadata" in draft.fields else ["id"]
        lacks += [] if "qa_type" in draft.fields else ["qa_type"]
        if not lacks:
            whole.append(draft)
        elif not problems.counted(Code.MISSING_FIELD):
            found = f"no {' and no '.join(lacks)}" + (f" ({layouts})" if layouts else "")
            problems.add(
                Problem(Code.MISSING_FIELD, draft.path, found, "what names the sample",
                        "Add --by-position --test-set TEST_SET: it gives each record the id, "
                        "qa_type and question of the sample at its place."), "",
            )  # fmt: skip
    return whole


def _without_failed(
    drafts: list[Draft], failed: Failed, problems: Problems, notes: list[Note]
) -> list[Draft]:
    bad = [draft for draft in drafts if draft.failed]
    if not bad:
        return drafts
    if failed == "stop":
        for draft in bad:
            if not problems.counted(Code.FAILED_RECORD):
                problems.add(
                    Problem(Code.FAILED_RECORD, draft.path, draft.failed, "an answer",
                            "Run these samples again, or use --failed skip (leave them out) or "
                            "--failed empty (answer them with an empty text)."), "",
                )  # fmt: skip
        return drafts
    places = ", ".join(draft.path for draft in bad[:3])
    done = "left out" if failed == "skip" else "answered with an empty text"
    notes.append(Note("failed", f"failed records, {done}: {bad[0].failed}, first at {places}",
                      len(bad)))  # fmt: skip
    if failed == "skip":
        return [draft for draft in drafts if not draft.failed]
    for draft in bad:
        draft.text = ""
    return drafts


def _rewrite(drafts: Sequence[Draft], options: Options, rewrites: list[Rewrite]) -> None:
    found: dict[str, Rewrite] = {}
    for draft in drafts:
        for rule, before, after in _rewritten(draft, options):
            known = found.get(rule)
            if known is None:
                found[rule] = Rewrite(rule, 1, draft.path, *_around(before, after))
            else:
                found[rule] = Rewrite(rule, known.count + 1, known.path, known.before, known.after)
    rewrites += sorted(found.values(), key=lambda rewrite: -rewrite.count)


def _rewritten(draft: Draft, options: Options) -> Iterator[tuple[str, str, str]]:
    """Rewrite a draft's text; yield each rule that did, with the text before and after."""
    if not isinstance(draft.text, str):
        return
    if options.strip_reasoning:
        before, draft.text = draft.text, strip_reasoning(draft.text)
        if draft.text != before:
            yield "strip_reasoning", before, draft.text
    qa_type = draft.fields.get("qa_type")
    task = task_of(qa_type) if isinstance(qa_type, str) else None
    if options.tidy and task is not None:
        before = draft.text
        draft.text, rules = tidy(before, task)
        for rule in rules:
            yield rule, before, draft.text


def _around(before: str, after: str) -> tuple[str, str]:
    """Return excerpts from a little before the first difference."""
    same = next(
        (place for place, (one, other) in enumerate(zip(before, after, strict=False))
         if one != other), min(len(before), len(after)),
    )  # fmt: skip
    start = max(same - 20, 0)
    return before[start : start + _EXCERPT], after[start : start + _EXCERPT]


def _told(readings: Sequence[FileReading]) -> list[Note]:
    """Return notes of what was read, spelled otherwise, and left out."""
    notes: list[Note] = []
    for reading in readings:
        prefix = f"{reading.name}: " if len(readings) > 1 else ""
        fields = " and ".join(shown(name) for name in reading.texts if name)
        layout = f"{reading.layout}, " if reading.layout else ""
        notes.append(Note("read", f"{prefix}records read: {layout}the model's text from {fields}",
                          reading.texts.total()))  # fmt: skip
        for change, count in reading.qa_types.items():
            notes.append(Note("qa_type", f"{prefix}qa_types spelled as the benchmark does: "
                              f"{change}", count))  # fmt: skip
        if reading.objects:
            first = next(iter(reading.objects))
            notes.append(Note("object", f"{prefix}predictions that were objects, written as text: "
                              f"{first}", reading.objects.total()))  # fmt: skip
        if reading.perhaps_truth:
            notes.append(Note("perhaps_truth", f"{prefix}records of a test set: the last answer of "
                              "their turns, which was read, may be the true one",
                              reading.perhaps_truth))  # fmt: skip
        if reading.cut_off:
            notes.append(Note("cut_off", f"{prefix}answers that end at the token limit "
                              '(finish_reason "length")', reading.cut_off))  # fmt: skip
        hidden = truths(reading)
        if hidden:
            notes.append(Note("truth_ignored", f"{prefix}fields that may hold true answers, not "
                              f"read: {_listed(hidden)}", len(hidden)))  # fmt: skip
        others = [name for name in reading.ignored if name not in hidden]
        if others:
            notes.append(Note("ignored", f"{prefix}other fields, not read: {_listed(others)}",
                              len(others)))  # fmt: skip
    return notes


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    listed = ", ".join(shown(name)[1:-1] for name in names[:_MOST_NAMED])
    return f"{listed} and {more} more" if more > 0 else listed


def _records(drafts: Sequence[Draft], problems: Problems) -> list[Record]:
    """Check drafts as the server does; return the records in order of position."""
    places = [_place(draft) for draft in drafts]
    ordered = None not in places and len(set(places)) == len(places)
    return read_records(_Drafted(drafts, ordered=ordered), _LIMITS, problems)


class _Drafted(Document):
    """Drafts as a document, so that they are checked by the code that checks uploads."""

    def __init__(self, drafts: Sequence[Draft], *, ordered: bool) -> None:
        super().__init__(b"", Layout("array", [], [], []), _LIMITS)
        self._drafts = drafts
        self._ordered = ordered

    def elements(self, problems: Problems) -> Iterator[Element]:  # noqa: ARG002 - as the base has it
        """Yield each draft as a record."""
        for index, draft in enumerate(self._drafts):
            if draft.failed and draft.text is None:
                continue  # noted before
            value = dict(draft.fields)
            inference = "id" not in value and "metadata" in value
            value["answer" if inference else "prediction"] = draft.text
            key = str(_place(draft)) if self._ordered else None
            yield Element(index, draft.path, key, value, may_hold_nul=True)
