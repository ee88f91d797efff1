"""Replicates as files, for ranking offline: `medvid score --replicates`, `medvid rank`.

They stay with who holds the ground truth: with the public draws they tell each video's part.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from medvid.api.uploads import UnreadableFile
from medvid.benchmark.statistics.bootstrap import REPLICATES
from medvid.benchmark.sums import Array
from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Scoring
from medvid.benchmark.versions import STATISTICS_VERSION
from medvid.cli.scored_files import EstimatesByScoring

_SUFFIXES: Final = (".gz", ".jsonl", ".json")


@dataclass(frozen=True, slots=True)
class ReplicateFile:
    """One model's replicates by scoring and metric, and the versions that they belong to."""

    model_name: str
    ground_truth_version: str
    statistics_version: str
    replicates: Mapping[Scoring, Mapping[str, Array]]


def model_name_of(predictions: Path) -> str:
    """Return a model's name for want of a better one: the file's, without its endings."""
    name = predictions.name
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def write_replicates(
    path: Path, model_name: str, ground_truth_version: str, found: EstimatesByScoring
) -> None:
    """Write replicates, metrics by 1,000; a judge metric has the same in both scorings."""
    metrics = [key for key in METRIC_KEYS if (key, "compat") in found]
    rows = {
        scoring: [
            found.get((key, scoring), found[key, "compat"]).whole.replicates for key in metrics
        ]
        for scoring in SCORINGS
    }
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            metrics=np.array(metrics),
            model_name=np.array(model_name),
            ground_truth_version=np.array(ground_truth_version),
            statistics_version=np.array(STATISTICS_VERSION),
            compat=np.array(rows["compat"], np.float64),
            strict=np.array(rows["strict"], np.float64),
        )


def read_replicates(path: Path) -> ReplicateFile:
    """Return the replicates of a file; raises UnreadableFile."""
    try:
        with np.load(path, allow_pickle=False) as content:
            metrics = [str(key) for key in content["metrics"]]
            tables = {scoring: content[scoring] for scoring in SCORINGS}
            found = ReplicateFile(
                str(content["model_name"]),
                str(content["ground_truth_version"]),
                str(content["statistics_version"]),
                {s: dict(zip(metrics, tables[s], strict=True)) for s in SCORINGS},
            )
    except OSError as error:
        raise UnreadableFile(f"Cannot read {path}: {error.strerror or error}.") from None
    except (ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise _not_replicates(path) from error
    for table in tables.values():
        if table.dtype != np.float64 or table.shape != (len(metrics), REPLICATES):
            raise _not_replicates(path)
    return found


def replicates_by_row(
    options: Sequence[str], names: Sequence[str], scoring: Scoring
) -> dict[int, Mapping[str, Array]]:
    """Return the replicates of each row that an option NAME=FILE names, by the row's number.

    Raises UnreadableFile for a name that is not that of one row, and for files that do not belong
    together.
    """
    found: dict[int, Mapping[str, Array]] = {}
    versions: set[tuple[str, str]] = set()
    for option in options:
        name, _, path = option.rpartition("=")
        if names.count(name) != 1:
            raise UnreadableFile(
                f"{option!r} names no row, or several.", fix="Write MODEL_NAME=FILE.npz."
            )
        if names.index(name) in found:
            raise UnreadableFile(f"{name!r} has replicates already.", fix="Name each model once.")
        content = read_replicates(Path(path))
        found[names.index(name)] = content.replicates[scoring]
        versions.add((content.ground_truth_version, content.statistics_version))
    if len(versions) > 1:
        listed = ", ".join(f"{truth} (statistics {number})" for truth, number in sorted(versions))
        raise UnreadableFile(
            f"The replicates belong to different ground truths: {listed}.",
            fix="Score all files on one ground truth, with one --version-label.",
        )
    return found


def _not_replicates(path: Path) -> UnreadableFile:
    return UnreadableFile(
        f"{path} holds no replicates.", fix="Write it with 'medvid score --replicates'."
    )
