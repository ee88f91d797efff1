"""Which sample each draft answers: repeated runs, and places taken from a test set.

Ids repeat in the test set, and so do whole keys (id, qa_type, question). So records of one key are
doubled only where there are more of them than samples, which only the test set can say.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from medvid.benchmark.clips import canonical, clip_of
from medvid.benchmark.report import Code, Problem, Problems, shown
from medvid.benchmark.submission import number_of_key
from medvid.benchmark.tasks import same_qa_type, task_of
from medvid.benchmark.test_set import TestItem, TestSet, without_video_token
from medvid.cli.conversion.fields import Draft
from medvid.cli.conversion.notes import Note

_LARGEST_SHARE: Final = 0.4
_FEWEST: Final = 100
"""A clean file repeats fewer of its keys than this share; what repeats more, and is no small trial,
seems doubled even where no test set says so."""
_SPACE: Final = re.compile(r"\s+")

Key = tuple[str, ...]


def last_of_each(
    drafts: list[Draft], test_set: TestSet | None, problems: Problems, *, last_wins: bool
) -> tuple[list[Draft], list[Note]]:
    """Return the drafts without those that a later one of the same sample replaces.

    Where they must not be dropped, they are noted as problems.
    """
    named = _named_in_the_run(drafts)
    key_of = _name_key if named else _sample_key
    groups: dict[Key, list[Draft]] = defaultdict(list)
    for draft in drafts:
        groups[key_of(draft)].append(draft)
    room = (lambda _: 1) if named or test_set is None else _room(test_set)
    surplus = {key: len(group) - room(group[0]) for key, group in groups.items()}
    doubled = {key: count for key, count in surplus.items() if count > 0}
    if not doubled:
        return drafts, []
    certain = named or test_set is not None
    total = sum(doubled.values())
    if not last_wins:
        if certain or (len(drafts) >= _FEWEST and total >= _LARGEST_SHARE * len(drafts)):
            _refuse(groups, doubled, problems, certain=certain)
            return drafts, []
        return drafts, [Note("perhaps_doubled", "records with the id, qa_type and question of "
            "another: samples of their own, or records of a resumed run (--test-set shows which; "
            "--last-wins keeps the last)", total)]  # fmt: skip
    dropped = {
        id(draft) for key, count in doubled.items() for draft in _dropped(groups[key], count)
    }
    notes = [Note("last_wins", "earlier records of a sample that a later one replaces", total)]
    if not certain:
        notes.append(Note(
            "perhaps_samples", "records dropped because id, qa_type and question are equal, "
            "which the test set has too: give --test-set, so that none of its samples is lost",
            total,
        ))  # fmt: skip
    shared = sum(room(groups[key][0]) > 1 for key in doubled)
    if shared:
        notes.append(Note(
            "shared_keys", "doubled keys that several samples share: which of their earlier "
            "records belongs to which is known by order alone", shared,
        ))  # fmt: skip
    return [draft for draft in drafts if id(draft) not in dropped], notes


def _dropped(group: Sequence[Draft], count: int) -> list[Draft]:
    """Return those to drop: failures first, then the earlier ones."""
    return sorted(group, key=lambda draft: not draft.failed)[:count]


def _named_in_the_run(drafts: Sequence[Draft]) -> bool:
    """Whether every draft has a name in its run, and equal names mean the same sample."""
    found: dict[str, Key] = {}
    return all(
        draft.name and found.setdefault(draft.name, _sample_key(draft)) == _sample_key(draft)
        for draft in drafts
    )


def _name_key(draft: Draft) -> Key:
    return (draft.name,)


def _sample_key(draft: Draft) -> Key:
    qa_type, question = draft.fields.get("qa_type"), draft.fields.get("question")
    asked = without_video_token(question) if isinstance(question, str) else ""
    identity = _identity(draft)
    if not identity and not draft.name:
        return (draft.path,)  # nothing names it, so nothing is equal to it
    return (identity or draft.name, str(qa_type), asked)


def _identity(draft: Draft) -> str:
    identity = draft.fields.get("id")
    if isinstance(identity, str):
        return canonical(identity)
    clip = clip_of(draft.fields)
    return canonical(clip.id) if clip else ""


def _room(test_set: TestSet) -> Callable[[Draft], int]:
    """Return a function that counts the samples a draft may answer; at least one."""

    def samples(draft: Draft) -> int:
        groups = test_set.positions_by_alias.get(_identity(draft), {})
        question = draft.fields.get("question")
        asked = without_video_token(question) if isinstance(question, str) else ""
        indices = groups.get(asked) or [index for group in groups.values() for index in group]
        return max(sum(_same_task(draft, test_set.items[index]) for index in indices), 1)

    return samples


def _same_task(draft: Draft, item: TestItem) -> bool:
    qa_type = draft.fields.get("qa_type")
    return (
        isinstance(qa_type, str)
        and task_of(qa_type) is item.task
        and same_qa_type(qa_type, item.qa_type)
    )


def _refuse(
    groups: dict[Key, list[Draft]], doubled: dict[Key, int], problems: Problems, *, certain: bool
) -> None:
    fix = "Where a resumed run wrote them twice, --last-wins keeps the last of each."
    if not certain:
        fix += (
            " Add --test-set: without it a doubled record looks the same as one of several "
            "samples with the same id."
        )
    for key, count in doubled.items():
        for draft in groups[key][-count:]:
            problems.add(
                Problem(Code.SURPLUS_RECORD, draft.path, f"one more record of {shown(key[0])}",
                        "one record for each sample", fix), "",
            )  # fmt: skip


def by_position(drafts: list[Draft], test_set: TestSet, problems: Problems) -> list[Note]:
    """Give each draft the id, qa_type and question of the sample at its place; note what differs.

    The place is the number in the record where each has one of its own, else the place in the file.
    """
    places, how = _places(drafts, test_set, problems)
    if places is None:
        return []
    agreed = reworded = 0
    questions = [_plain(item.question) for item in test_set.items]
    known = {question for question in questions if question}
    for draft, place in zip(drafts, places, strict=True):
        item, asked = test_set.items[place], _plain(without_video_token(draft.asked))
        if _asks(asked, questions[place]):
            agreed += 1
        elif asked and questions[place]:
            if any(_asks(asked, question) for question in known):
                _misplaced(draft, item, problems)
            reworded += 1
        _check_names(draft, item, problems)
        draft.fields = {"id": item.id, "qa_type": item.qa_type or str(item.task)}
        if item.question:
            draft.fields["question"] = item.question
        draft.number, draft.key = place, str(place)
    checked = f"{agreed:,} ask their sample's question" if agreed else (
        "the file holds no question of the test set, so nothing else could confirm it"
    )  # fmt: skip
    notes = [Note("by_position", f"records placed by {how}; {checked}", len(drafts))]
    if reworded:
        notes.append(Note("other_words", "records whose question, in words of its own, could not "
                          "confirm their place", reworded))  # fmt: skip
    return notes


def _places(
    drafts: Sequence[Draft], test_set: TestSet, problems: Problems
) -> tuple[list[int] | None, str]:
    """Return the index of each draft's sample and how it was found; None with the problem noted."""
    numbers, name = _numbers(drafts)
    if numbers is None:
        if len(drafts) != len(test_set):
            problems.add(Problem(
                Code.QUESTION_MISMATCH, "$", f"{len(drafts):,} records without numbers",
                f"{len(test_set):,}, one for each sample of the test set",
                "Give all files of the run in order, or write each sample's index into its record.",
            ))  # fmt: skip
            return None, ""
        return list(range(len(drafts))), "their order"
    repeated = [number for number, count in Counter(numbers).items() if count > 1]
    base = _base(drafts, numbers, len(test_set))
    if repeated or base is None or not min(numbers) - base >= 0 or (
        max(numbers) - base >= len(test_set)
    ):  # fmt: skip
        _bad_numbers(numbers, repeated, name, test_set, problems)
        return None, ""
    return [number - base for number in numbers], f'"{name}", counted from {base}'


def _numbers(drafts: Sequence[Draft]) -> tuple[list[int] | None, str]:
    """Return the number of each draft, from a field or the key, and where they come from."""
    numbers = [draft.number for draft in drafts]
    if drafts and all(number is not None for number in numbers):
        return [number for number in numbers if number is not None], drafts[0].numbered_by
    numbers = [number_of_key(draft.key) for draft in drafts]
    if drafts and all(number is not None for number in numbers):
        return [number for number in numbers if number is not None], "the records' keys"
    return None, ""


def _base(drafts: Sequence[Draft], numbers: Sequence[int], samples: int) -> int | None:
    """Return what the numbers count from: 0 or 1; None where that is not clear."""
    if drafts[0].from_zero or 0 in numbers:
        return 0
    return 1 if samples in numbers else None


def _bad_numbers(
    numbers: Sequence[int],
    repeated: Sequence[int],
    name: str,
    test_set: TestSet,
    problems: Problems,
) -> None:
    found = f'"{name}" from {min(numbers):,} to {max(numbers):,}'
    fix = "Number the samples from 0 in test-set order."
    if repeated:
        found += f", {len(repeated):,} of them several times"
        fix = (
            "Where a resumed run wrote them twice, use --last-wins; where several runs each begin "
            "again, convert them one by one with their part of the test set."
        )
    problems.add(Problem(
        Code.QUESTION_MISMATCH, "$", found,
        f"each index of the test set once, 0 to {len(test_set) - 1:,} (or 1 to {len(test_set):,})",
        fix,
    ))  # fmt: skip


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _asks(asked: str, question: str) -> bool:
    """Whether a prompt is a question, or holds it between other texts."""
    return bool(question) and question in asked


def _misplaced(draft: Draft, item: TestItem, problems: Problems) -> None:
    if not problems.counted(Code.QUESTION_MISMATCH, ".question"):
        problems.add(
            Problem(Code.QUESTION_MISMATCH, f"{draft.path}.question",
                    shown(without_video_token(draft.asked)),
                    f"{shown(item.question)}, as sample {item.index} asks",
                    "Its question belongs to another sample: the records are not in this test "
                    "set's order. Write the samples' ids or indices with the answers."),
            ".question",
        )  # fmt: skip


def _check_names(draft: Draft, item: TestItem, problems: Problems) -> None:
    """Note where what the record itself says about its sample differs."""
    identity, qa_type = _identity(draft), draft.fields.get("qa_type")
    if identity and identity not in item.aliases and not problems.counted(Code.UNKNOWN_ID, ".id"):
        problems.add(
            Problem(Code.UNKNOWN_ID, f"{draft.path}.id", shown(identity), shown(item.id),
                    "The records are not in this test set's order."), ".id",
        )  # fmt: skip
    if (
        isinstance(qa_type, str)
        and not _same_task(draft, item)
        and not problems.counted(Code.QA_TYPE_MISMATCH, ".qa_type")
    ):
        problems.add(
            Problem(Code.QA_TYPE_MISMATCH, f"{draft.path}.qa_type", shown(qa_type),
                    shown(item.qa_type), "The records are not in this test set's order."),
            ".qa_type",
        )  # fmt: skip
