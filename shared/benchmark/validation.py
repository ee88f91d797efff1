"""Validation: uploaded bytes in; a report, and predictions aligned with the test set, out.

The one entry point for the server, the dry run and the client.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, overload

from shared.benchmark.decoding import SUBMISSION_LIMITS, Limits
from shared.benchmark.report import Report
from shared.benchmark.test_set import TestSet

MINIMUM_RECORDS: Final = 100
"""How many records a submission needs; offline scoring takes any number (0)."""


class Predictions(Sequence["str | None"]):
    """The predictions in test-set order, None where a sample has none.

    Held as UTF-8 bytes and decoded on access: a text with one emoji takes four times its bytes as
    a `str`, which a hostile upload could use. Equality is by content; cheap to pickle.
    """

    __slots__ = ("payloads",)

    def __init__(self, payloads: tuple[bytes | None, ...]) -> None:
        self.payloads = payloads

    @overload
    def __getitem__(self, index: int) -> str | None: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> str | Predictions | None:
        """Return one prediction, or a slice of them."""
        if isinstance(index, slice):
            return Predictions(self.payloads[index])
        payload = self.payloads[index]
        return None if payload is None else payload.decode()

    def __iter__(self) -> Iterator[str | None]:
        """Yield the predictions in order."""
        return (None if payload is None else payload.decode() for payload in self.payloads)

    def __len__(self) -> int:
        """Return the length of the test set."""
        return len(self.payloads)

    def __eq__(self, other: object) -> bool:
        """Compare with any sequence of predictions."""
        if isinstance(other, Predictions):
            return self.payloads == other.payloads
        return isinstance(other, list | tuple) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as any sequence compared by content


@dataclass(frozen=True, slots=True)
class ValidatedSubmission:
    """The report, and the aligned predictions where it has no problem. Pickles."""

    report: Report
    predictions: Predictions | None


def validate_submission(
    data: bytes,
    test_set: TestSet,
    *,
    minimum_records: int = MINIMUM_RECORDS,
    limits: Limits = SUBMISSION_LIMITS,
    diagnose: bool = True,
) -> ValidatedSubmission:
    """Decode, check and align an upload (plain or gzip bytes). Never raises on bad input.

    `diagnose=False` leaves out the per-task diagnosis, which costs one parse of every prediction.
    """
    raise NotImplementedError
