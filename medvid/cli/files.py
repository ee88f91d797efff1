"""The files that commands are given, and the texts that they write."""

from __future__ import annotations

import sys
from pathlib import Path

from medvid.api.uploads import UnreadableFile
from medvid.benchmark.test_set import TestSet


def read_file(path: Path, limit: int) -> bytes:
    """Return a file's bytes, at most `limit` + 1, so that a huge file is refused, not loaded.

    Raises UnreadableFile.
    """
    try:
        with path.open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise UnreadableFile(
            f"Cannot read {path}: {error.strerror or error}.",
            fix="Check the path and its permissions.",
        ) from None


def read_test_set(path: Path) -> TestSet:
    """Return the samples of a test set or ground truth; raises UnreadableFile."""
    from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS
    from medvid.benchmark.ground_truth import InvalidGroundTruth
    from medvid.benchmark.test_set_file import load_test_set

    try:
        return load_test_set(read_file(path, GROUND_TRUTH_LIMITS.unpacked_bytes))
    except InvalidGroundTruth as error:
        raise UnreadableFile(f"{path}: {error}.") from None


def read_samples(ground_truth: Path | None, test_set: Path | None) -> TestSet | None:
    """Return the samples to check a file against, None without any; raises UnreadableFile."""
    if ground_truth and test_set:
        raise UnreadableFile("Give --ground-truth or --test-set, not both.")
    if test_set is not None:
        return read_test_set(test_set)
    if ground_truth is None:
        return None
    from medvid.benchmark.decoding import GROUND_TRUTH_LIMITS
    from medvid.benchmark.ground_truth import InvalidGroundTruth, load_ground_truth

    data = read_file(ground_truth, GROUND_TRUTH_LIMITS.unpacked_bytes)
    try:
        return TestSet.from_ground_truth(load_ground_truth(data))
    except InvalidGroundTruth as error:
        raise UnreadableFile(f"{ground_truth}: {error}.") from None


def write_text(text: str, file: Path | None = None) -> None:
    """Write a text to a file or to standard output: in UTF-8, with its own ends of lines.

    A console or a pipe of another encoding would fail at the first name that it lacks.
    """
    if file is not None:
        file.write_bytes(text.encode())
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
