"""What leaves the server of a value: how far it is rounded, and whether it is shown at all. Pure.

Inside, values are exact: for ranking, re-scoring and administrators. A participant could read a
label out of an exact value, or out of one that rests on few answers; `docs/security.md` says how
much of the truth can still be learnt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from medvid.benchmark.tasks import JUDGE_METRIC_KEYS

if TYPE_CHECKING:  # which imports numpy, and a client reads `Withheld` from here
    from medvid.benchmark.ground_truth import Sample

RULE: Final = 2
"""Number of the rules of this module; snapshots record the one that made them. Raise it with any
change, and boards are ranked anew."""
DECIMALS: Final = 4
SIMILARITY_DECIMALS: Final = 2
FEWEST_ANSWERS: Final = 30
"""Samples, or judged pairs, that a value must rest on; of captions, a source needs both."""
FEWEST_VIDEOS: Final = 4
"""Of fewer, an end of the interval is the value of one video alone."""
LEAST_SHARE: Final = 0.5
"""Of a metric's samples that must be answered."""

Withheld = Literal["too_few_answers"]
TOO_FEW_ANSWERS: Final[Withheld] = "too_few_answers"


def rounded(value: float | None, decimals: int = DECIMALS) -> float | None:
    """Return a value as it leaves the server: rounded, ties to even, without minus zero."""
    return None if value is None else round(float(value), decimals) + 0.0


def shown_interval(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the interval of a value that is shown, as it leaves the server."""
    shown = {} if found["clusters"] < FEWEST_VIDEOS else found
    return {**found, **{key: rounded(shown.get(key)) for key in ("se", "low", "high")}}


def about(count: int) -> int:
    """Return a count to two digits: of what a text may repeat, an exact one is a code of many."""
    return int(float(f"{count:.1e}"))


def few(answered: int) -> Withheld | None:
    """Return why the value of a source or of a similarity is withheld; None: it is shown."""
    return TOO_FEW_ANSWERS if answered < FEWEST_ANSWERS else None


def few_in(answered: Mapping[str, int]) -> dict[str, Withheld | None]:
    """Return why the value of each source is withheld, of a metric whose own value is shown.

    A withheld value follows from the whole and from the sources that are shown. So as long as the
    withheld sources together rest on too few answers, the next smallest is withheld with them.
    """
    found = {source: few(count) for source, count in answered.items()}
    for source in sorted(answered, key=lambda source: (answered[source], source)):
        hidden = sum(answered[each] for each, why in found.items() if why)
        if found[source] is None and 0 < hidden < FEWEST_ANSWERS:
            found[source] = TOO_FEW_ANSWERS
    return found


def withheld_sources(
    why: Withheld | None, parts: Mapping[str, Mapping[str, Any]]
) -> dict[str, Withheld | None]:
    """Return why the value of each source of a stored score is withheld; None: it is shown.

    `why`: why the whole value is, if it is; `parts`: the score's `by_source`.
    """
    if why is not None:
        return dict.fromkeys(parts, why)
    return few_in({source: _samples(part) for source, part in parts.items()})


def _samples(part: Mapping[str, Any]) -> int:
    """Return how many samples, and pairs, a source's value rests on."""
    answered: int = part.get("answered", part.get("scored", 0))
    samples: int = part.get("samples", answered)  # of captions, since 0.2
    return min(answered, samples)


def withheld(metric: str, answered: int | None, expected: int | None) -> Withheld | None:
    """Return why a metric's value is withheld; None: it is shown.

    Imported numbers, of which nobody knows the answers, are shown. Whether there is a value at all
    must not matter: how many captions matched is a value, too.
    """
    if answered is None or (not expected and metric not in JUDGE_METRIC_KEYS):
        return None
    return few(answered) or (TOO_FEW_ANSWERS if answered < LEAST_SHARE * (expected or 0) else None)


def well_answered(
    samples: Sequence[Sample], predictions: Sequence[str | None]
) -> Iterator[str | None]:
    """Yield the predictions of the tasks of which at least half of the samples have one.

    The others are left out (None): nothing of them would be shown, so nothing of them is judged.
    They are looked at twice rather than kept: a file's texts take much memory.
    """
    asked = Counter(sample.task for sample in samples)
    answered = Counter(
        sample.task
        for sample, text in zip(samples, predictions, strict=True)
        if text and not text.isspace()
    )
    enough = {task for task, count in asked.items() if answered[task] >= LEAST_SHARE * count}
    for sample, text in zip(samples, predictions, strict=True):
        yield text if sample.task in enough else None


def never_shown(samples: Iterable[Sample]) -> str:
    """Return of which tasks a test set has too few samples for any value, in words; or nothing."""
    counts = Counter(sample.task for sample in samples)
    few = sorted(
        f"{task.value} {count}" for task, count in counts.items() if count < FEWEST_ANSWERS
    )
    if not few:
        return ""
    return f"of fewer than {FEWEST_ANSWERS} samples no value is ever shown: {', '.join(few)}."


def answers_of(report: Mapping[str, Any]) -> int:
    """Return how many samples a file answers with any text, by its report."""
    return sum(task["answered"] - task["empty"] for task in report.get("tasks", ()))
