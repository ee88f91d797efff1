"""With the sealed part, values and intervals are recomputed from records, verdicts, replicates."""

from __future__ import annotations

import base64
import gzip
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import numpy as np
import orjson
import pytest

from medvid.benchmark.caption_pairs import CaptionPair, plan
from medvid.benchmark.ground_truth import GroundTruth, load_ground_truth
from medvid.benchmark.scorecard import score
from medvid.benchmark.statistics.bootstrap import Estimate, estimates, resample, videos_of
from medvid.benchmark.statistics.intervals import interval
from medvid.evidence.archive import Archive, read_archive
from medvid.evidence.canonical import BadEvidence, canonical, sha256
from medvid.evidence.extent import not_recomputed
from medvid.evidence.frames import frame, unframe
from medvid.evidence.links import replicates_digest, seal
from medvid.evidence.records import records_of, verdicts_of
from medvid.evidence.sealed import (
    HASHES,
    SEALED,
    description_of,
    entry_file,
    read_sealed,
    sealed_entry,
    value_parts,
)
from medvid.evidence.verify import verify
from medvid.evidence.verify_sealed import verify_sealed
from medvid.judging import standin
from medvid.judging.aggregate import contributions
from medvid.judging.results import outcome
from medvid.judging.results import replicates as judged_replicates
from tests.depth import deep
from tests.evidence import SALT, board_entry, edited, publish

_DATA: Final = Path(__file__).parents[4] / "benchmarks" / "data"
_STEP: Final = 12
FILES: Final = {"A": "predictions_strong", "B": "predictions_weak"}


def read(name: str) -> list[dict[str, Any]]:
    """Every twelfth record of a file of the benchmark."""
    whole: list[dict[str, Any]] = orjson.loads(
        gzip.decompress((_DATA / f"{name}.json.gz").read_bytes())
    )
    return whole[::_STEP]


@cache
def truth() -> GroundTruth:
    return load_ground_truth(orjson.dumps(read("ground_truth")))


@dataclass(frozen=True, slots=True)
class Scored:
    """A file with all that a server stores of it: values, replicates, records and verdicts."""

    values: Mapping[str, float]
    estimates: Mapping[str, Estimate]
    records: Mapping[str, Any]
    verdicts: Mapping[str, Any]


def scored(name: str) -> Scored:
    """Score a file, and judge it twice."""
    samples = truth().samples
    resampling, videos = resample(samples, truth().version), videos_of(samples)
    texts = [record["prediction"] for record in read(name)]
    card, judged = score(samples, texts, None), plan(samples, texts)
    rounds = [
        {n: standin.judge(CaptionPair(salt + pair.prediction, pair.reference))
         for n, pair in enumerate(judged.texts)}
        for salt in ("", "again ")
    ]  # fmt: skip
    parts = {key: each["compat"] for key, each in card.contributions.items()}
    values = {key: found.compat for key, found in card.metrics.items()}
    values |= {found.metric: found.value for found in outcome(judged, rounds).metrics}
    shown = {key: value for key, value in values.items() if value is not None}
    found = estimates({key: each for key, each in parts.items() if key in shown}, resampling)
    found |= judged_replicates(judged, rounds, samples, resampling)
    given = [contributions(judged, each, samples) for each in rounds]
    records = {key: records_of([part], *videos) for key, part in parts.items()}
    records |= {key: records_of([each[key] for each in given], *videos) for key in given[0]}
    return Scored(
        shown, {key: found[key].whole for key in sorted(shown)}, records,
        verdicts_of(judged, rounds),
    )  # fmt: skip


@cache
def made() -> tuple[bytes, bytes]:
    """The public archive and the sealed part of a board of two."""
    files = {name: scored(file) for name, file in FILES.items()}
    entries = {
        name: board_entry(number, each.values, name, truth().version)
        for number, (name, each) in zip((1, 4), files.items(), strict=True)
    }
    drawn, sealed, listed = {}, {}, []
    for name, each in files.items():
        own = entries[name].entry_id
        drawn[own] = {key: (e.replicates, asdict(interval(e))) for key, e in each.estimates.items()}
        values = []
        for key, estimate in each.estimates.items():
            raw = estimate.replicates.astype("<f8").tobytes()
            listed.append((own, key, bytes.fromhex(sha256(raw))))
            values.append(value_parts(key, truth().version, raw, each.records[key]))
        sealed[entry_file(own)] = sealed_entry(own, values, each.verdicts)
    digest = replicates_digest((entry.bytes, metric, own) for entry, metric, own in listed)
    board = publish([*entries.values()], drawn=drawn, replicates_sha256=digest or "")
    described = description_of("community", "compat", 7, SALT, listed)
    return board.archive(), hashed({SEALED: described, **sealed})


def hashed(files: Mapping[str, bytes]) -> bytes:
    """Return a sealed part whose hashes fit."""
    others = {name: content for name, content in files.items() if name != HASHES}
    hashes = canonical({name: sha256(content) for name, content in others.items()})
    return frame({**others, HASHES: hashes})


def archive() -> Archive:
    return read_archive(made()[0])


def found(sealed: bytes) -> str:
    try:
        first = verify_sealed(archive(), read_sealed(sealed)).first
    except BadEvidence as error:
        return str(error)
    return "" if first is None else str(first)


def test_all_that_is_published_follows_from_the_sealed_part() -> None:
    public = archive()
    assert verify(public).first is None
    result = verify_sealed(public, read_sealed(made()[1]))
    assert result.first is None
    assert result.values == sum(len(row.values) for row in public.rows) >= 18
    assert result.without_records == 0
    assert result.intervals == result.values
    assert (result.judged, result.rank_intervals) == (6, 2)
    assert not_recomputed(public, result) == []


def test_records_that_are_not_kept_are_counted() -> None:
    def without(entry: dict[str, Any]) -> None:
        entry["verdicts"] = None
        for value in entry["values"]:
            value |= {"rounds": [], "videos": {}}

    files = unframe(made()[1], None)
    changed = {
        name: content if name in (SEALED, HASHES) else spelled(without)(content)
        for name, content in files.items()
    }
    bare = read_sealed(hashed(changed))
    result = verify_sealed(archive(), bare)
    assert (result.first, result.values) == (None, 0)
    assert result.without_records == result.intervals == result.without_clusters >= 18
    whys = {(each.what, each.count) for each in not_recomputed(archive(), result)}
    assert whys == {("values_from_records", 20), ("clusters", 20)}

    def interval_changed(name: str, value: Any) -> str:
        """What is said of a public interval, which replicates alone are held against."""
        return str(verify_sealed(with_interval({name: value}), bare).first)

    assert "intervals.cvs_acc.se is 0.5, recomputed" in interval_changed("se", 0.5)
    assert "intervals.cvs_acc.undefined is 7, recomputed 0" in interval_changed("undefined", 7)
    assert "intervals.cvs_acc.low" in interval_changed("clusters", 3), "of three none is shown"
    assert interval_changed("clusters", 16) == "None", "only records tell how many videos"


def with_interval(change: dict[str, Any]) -> Archive:
    """The public part with another interval of A's first metric."""
    public = unframe(made()[0], None)

    def edit(statistics: dict[str, Any]) -> None:
        statistics["entries"][ENTRY.removesuffix(".json")]["intervals"]["cvs_acc"] |= change

    forged = {**public, "statistics.json": edited(edit)(public["statistics.json"])}
    return read_archive(frame(forged))


def test_an_interval_without_replicates_is_named() -> None:
    """As of an imported number: it cannot have any."""
    files = unframe(made()[1], None)
    kept = spelled(lambda entry: entry["values"].pop(0))(files[ENTRY])
    described = spelled(lambda sealed: sealed["replicates"].pop(0))(files[SEALED])
    forged = read_sealed(hashed({**files, ENTRY: kept, SEALED: described}))
    public = unframe(made()[0], None)

    def renamed(line: bytes) -> bytes:
        link = orjson.loads(line)
        listed = orjson.loads(described)["replicates"]
        digest = replicates_digest(
            (UUID(entry).bytes, metric, bytes.fromhex(own)) for entry, metric, own in listed
        )
        if link["body"]["snapshot"] == 7 and link["body"]["kind"] == "snapshot":
            link["body"]["content"]["sealed_sha256"] = seal(SALT, digest or "")
        return canonical(link)

    lines = b"\n".join(renamed(line) for line in public["links.jsonl"].splitlines())
    archive = read_archive(frame({**public, "links.jsonl": lines + b"\n"}))
    said = str(verify_sealed(archive, forged).first)
    assert "intervals.cvs_acc is 'there', recomputed missing" in said


def spelled(change: Callable[[Any], None]) -> Callable[[bytes], bytes]:
    return lambda data: canonical(orjson.loads(edited(change)(data)))


def value(entry: dict[str, Any], metric: str) -> dict[str, Any]:
    return next(each for each in entry["values"] if each["metric"] == metric)


def in_rows(metric: str, change: Callable[[list[list[float]]], None], part: int = 0) -> Any:
    return lambda entry: change(value(entry, metric)["rounds"][part]["rows"])


def first_row(rows: list[list[float]]) -> None:
    """Make one record right that was wrong, or the reverse."""
    row = next(row for row in rows if row[-1])
    row[0] = 1.0 - row[0]


def other_score(entry: dict[str, Any]) -> None:
    text = str(entry["verdicts"]["pairs"]["vs_llm"][0][0])
    scores = entry["verdicts"]["rounds"][1][text]
    scores[2] = scores[2] % 5 + 1


def other_replicate(entry: dict[str, Any]) -> None:
    own = value(entry, "cvs_acc")
    raw = np.frombuffer(base64.b64decode(own["replicates"]), "<f8").copy()
    raw[17] += 0.01
    own["replicates"] = base64.b64encode(raw.tobytes()).decode()


def other_video(entry: dict[str, Any]) -> None:
    records = value(entry, "stg_miou")["rounds"][0]
    own = records["sources"][0], records["videos"][0]
    placed = zip(records["sources"], records["videos"], strict=True)
    records["videos"][0] = next(v for source, v in placed if source == own[0] and v != own[1])


def other_truth(entry: dict[str, Any]) -> None:
    value(entry, "nap_acc")["ground_truth_version"] = "8" * 64


ENTRY: Final = "00000000-0000-0000-0000-000000000002.json"
FLIPS: Final[list[tuple[str, Callable[[Any], None], Sequence[str]]]] = [
    (ENTRY, in_rows("nap_acc", first_row), ["values.json, 'A'", "nap_acc is"]),
    (
        ENTRY,
        in_rows("stg_miou", lambda rows: rows[0].__setitem__(0, 0.123456)),
        ["'A'", "stg_miou"],
    ),
    (ENTRY, other_video, ["'A'", "replicate", "of stg_miou"]),
    (ENTRY, other_score, ["'A'", "verdicts of vs_llm, sample", "round 2"]),
    (ENTRY, other_replicate, ["'A'", "replicates of cvs_acc"]),
    (ENTRY, other_truth, ["'A'", "nap_acc's ground truth is"]),
    (ENTRY, lambda entry: entry["values"].pop(0), ["'A'", "metrics is"]),
    (ENTRY, lambda entry: entry.__setitem__("entry", "x"), ["about another entry"]),
    (ENTRY, in_rows("nap_acc", lambda rows: rows[0].append(1.0)), ["nap_acc", "2 columns"]),
    (ENTRY, in_rows("nap_acc", lambda rows: rows.pop() and None), ["differ in length"]),
    (SEALED, lambda found: found.__setitem__("salt", "00" * 32), ["link 3", "sealed_sha256 is"]),
    (SEALED, lambda found: found.__setitem__("snapshot", 8), ["snapshot is 8, recomputed 7"]),
    (SEALED, lambda found: found.__setitem__("scoring", "strict"), ["scoring is 'strict'"]),
    (SEALED, lambda found: found["replicates"].pop(), ["metrics is"]),
    (SEALED, lambda found: found["replicates"][0].__setitem__(2, "0" * 64), ["replicates of"]),
]


@pytest.mark.parametrize(("name", "change", "words"), FLIPS)
def test_a_change_of_any_kind_is_named(
    name: str, change: Callable[[Any], None], words: Sequence[str]
) -> None:
    files = unframe(made()[1], None)
    said = found(hashed({**files, name: spelled(change)(files[name])}))
    assert [word for word in words if word not in said] == [], said


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rank_low", 2, "rank_low is 2, recomputed 1"),
        ("first_share", 0.5, "first_share is 0.5, recomputed 1.0"),
        ("se", 0.5, "intervals.cvs_acc.se is 0.5"),
        ("clusters", 77, "intervals.cvs_acc.clusters is 77"),
    ],
)
def test_what_the_public_part_says_too_much_is_named(name: str, value: Any, words: str) -> None:
    public = unframe(made()[0], None)

    def change(statistics: dict[str, Any]) -> None:
        own = statistics["entries"][ENTRY.removesuffix(".json")]
        (own if name in own else own["intervals"]["cvs_acc"])[name] = value

    forged = frame({**public, "statistics.json": edited(change)(public["statistics.json"])})
    first = verify_sealed(read_archive(forged), read_sealed(made()[1])).first
    assert words in str(first)


def test_hostile_sealed_parts_are_refused() -> None:
    files = unframe(made()[1], None)

    def changed(change: Callable[[Any], None]) -> bytes:
        return hashed({**files, ENTRY: spelled(change)(files[ENTRY])})

    for sealed, words in (
        (b"", "does not end"),
        (frame({ENTRY: b"{}"}), "has no sealed.json"),
        (frame({SEALED: files[SEALED]}), "has no hashes.json"),
        (hashed({SEALED: files[SEALED]}), "are not those of the entries"),
        (hashed({SEALED: files[SEALED], "../x": b""}), "are not those of the entries"),
        (changed(lambda e: e["values"][0].__setitem__("replicates", "x")), "no base64"),
        (changed(lambda e: e["values"][0].__setitem__("replicates", "AAAA")), "have 3 bytes"),
        (changed(lambda e: e["values"][0]["videos"].__setitem__("X", 10**9)), "videos"),
        (changed(lambda e: e["verdicts"].__setitem__("texts", 10**12)), "texts"),
        (changed(lambda e: e["verdicts"]["rounds"][0].__setitem__("0", [1])), "verdicts fit no"),
    ):
        assert words in found(sealed), words


@deep
def test_one_byte_changed_anywhere_is_found() -> None:
    sealed = made()[1]
    drawn = random.Random(3)  # noqa: S311 - no secret
    for position in drawn.sample(range(len(sealed)), 40):
        changed = bytearray(sealed)
        changed[position] ^= 1
        assert found(bytes(changed)), position
