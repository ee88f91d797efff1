"""`verify` recomputes a board from its archive, and names the first thing that is not as it was."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.disclosure import TOO_FEW_ANSWERS
from medvid.benchmark.series import SeriesRule
from medvid.benchmark.tasks import METRIC_KEYS, METRICS, RANKINGS, SCORINGS, Ranking, Scoring
from medvid.evidence.archive import make_archive, read_archive
from medvid.evidence.canonical import BadEvidence, canonical
from medvid.evidence.extent import not_recomputed, recomputed
from medvid.evidence.frames import unframe
from medvid.evidence.links import ChainLink, LinkedDocument
from medvid.evidence.signatures import Signer
from medvid.evidence.verify import verify
from tests.depth import deep, examples
from tests.evidence import (
    ALL,
    SIGNER,
    board_entry,
    changed_file,
    edited,
    linked_up,
    publish,
)

BOARD: Final = publish(
    [
        board_entry(1, {"cvs_acc": 0.81234, "nap_acc": 0.5, "dvc_llm": 3.25, "vs_llm": 2.5}, "A"),
        board_entry(2, {"cvs_acc": 0.79, "nap_acc": 0.5, "vs_llm": 2.75}, "B"),
        board_entry(3, {"nap_acc": 0.25, "sa_acc": 0.260492}, "C"),
        board_entry(4, {}, "D"),
    ]
)
ARCHIVE: Final = BOARD.archive()


def found(archive: bytes, keys: Mapping[str, str] | None = None) -> str:
    """What verify says of an archive; empty where it finds nothing."""
    try:
        first = verify(read_archive(archive), keys).first
    except BadEvidence as error:
        return str(error)
    return "" if first is None else str(first)


def numbers(low: float, high: float) -> st.SearchStrategy[float | None]:
    exact = st.floats(low, high)
    halves = st.integers(int(low * 20_000), int(high * 20_000)).map(lambda n: n / 20_000)
    return st.none() | exact | halves


@settings(max_examples=examples(120), deadline=None)
@given(
    values=st.lists(
        st.fixed_dictionaries({m.key: numbers(m.minimum, m.maximum) for m in METRICS}), max_size=7
    ),
    scoring=st.sampled_from(SCORINGS),
    ranking=st.sampled_from(RANKINGS),
    measured=st.booleans(),
)
def test_ranks_follow_exactly_from_what_is_published(
    values: list[dict[str, float | None]], scoring: Scoring, ranking: Ranking, measured: bool
) -> None:
    """The board ranked exact values; the archive has 4 decimals of them."""
    entries = [board_entry(n, own) for n, own in enumerate(values)]
    board = publish(entries, scoring=scoring, ranking=ranking, measured=measured)
    archive = board.archive()
    assert archive == board.archive()
    result = verify(read_archive(archive))
    assert result.first is None
    assert result.signed == len(board.chain)
    counts = recomputed(result.archive, None)
    assert counts["values_to_4_decimals"] == sum(
        value is not None for own in values for value in own.values()
    )
    assert (counts["links"], counts["hashes"]) == (len(board.chain), 2 + measured)
    for own in unframe(archive, ALL).values():
        assert b"replicates" not in own
    shown = result.archive.values
    assert shown is not None
    for entry in shown.entries.values():
        assert all(each.value == round(each.value, 4) for each in entry.values())


def in_row(name: str, change: Callable[[dict[str, Any]], None]) -> Callable[[list[Any]], None]:
    return lambda rows: change(next(row for row in rows if row["model_name"] == name))


def put(*path: Any, value: Any) -> Callable[[Any], None]:
    def change(target: Any) -> None:
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return change


ID: Final = "00000000-0000-0000-0000-00000000000"
FEW: Final = "few_videos"
A, B, C = (f"{ID}{n}" for n in (2, 3, 4))


def another_judge(values: dict[str, Any]) -> None:
    origin = values["entries"][A]["vs_llm"]["from"]
    values["origins"][origin]["judge_version"] = "0abcdef0"


def line(number: int, change: Callable[[Any], None] | None) -> Callable[[bytes], bytes]:
    """An edit of one link; None removes it."""

    def edit(data: bytes) -> bytes:
        lines = [orjson.loads(each) for each in data.splitlines()]
        if change is None:
            del lines[number - 1]
        else:
            change(lines[number - 1])
        return b"".join(canonical(each) + b"\n" for each in lines)

    return edit


FLIPS: Final[list[tuple[str, Callable[[bytes], bytes], list[str]]]] = [
    ("snapshot.json", edited(in_row("A", put("values", "cvs_acc", value=0.813))),
     ["snapshot.json, 'A'", "values.cvs_acc is 0.813, recomputed 0.812"]),
    ("snapshot.json", edited(in_row("C", put("values", "sa_acc", value=0.26))),
     ["'C'", "values.sa_acc is 0.26, recomputed 0.261"]),
    ("snapshot.json", edited(in_row("C", put("values", "cvs_acc", value=0.1))),
     ["'C'", "values.cvs_acc is 0.1, recomputed missing"]),
    ("snapshot.json", edited(in_row("B", put("rank", value=1))),
     ["'B'", "rank is 1, recomputed 2"]),
    ("snapshot.json", edited(in_row("B", put("ranks", "vs_llm", value=2))),
     ["'B'", "ranks.vs_llm is 2, recomputed 1"]),
    ("snapshot.json", edited(in_row("B", put("mean_rank", value=1.5))),
     ["'B'", "mean_rank is 1.5, recomputed"]),
    ("snapshot.json", edited(in_row("A", put("series", "vs_llm", value="published"))),
     ["'A'", "series.vs_llm is 'published', recomputed '1abcdef0'"]),
    ("snapshot.json", edited(in_row("A", put("organization", value="Another"))),
     ["link 3", "the hash of snapshot.json and unranked.json"]),
    ("snapshot.json", edited(in_row("A", put("model_name", value="Z"))), ["link 3", "the hash of"]),
    ("snapshot.json", edited(list.reverse), ["snapshot.json, row 1", "'C', recomputed 'A'"]),
    ("snapshot.json", edited(lambda rows: rows.pop(1)), [f"entry {B}", "the row is missing"]),
    ("snapshot.json", edited(lambda rows: rows.append(rows[0])), ["'A'", "there twice"]),
    ("snapshot.json", edited(in_row("A", put("withheld", value={"cvs_acc": "too_few_answers"}))),
     ["'A'", "values.cvs_acc is 0.812, recomputed missing"]),
    ("unranked.json", edited(lambda rows: rows.clear()), ["entry", "the row is missing"]),
    ("unranked.json", edited(in_row("D", put("rank", value=4))), ["'D'", "rank is 4"]),
    ("values.json", edited(put("entries", B, "cvs_acc", "value", value=0.789)),
     ["'B'", "values.cvs_acc is 0.79, recomputed 0.789"]),
    ("values.json", edited(put("entries", B, "cvs_acc", "value", value=0.7901)),
     ["link 3", "the hash of values.json"]),
    ("values.json", edited(another_judge),
     ["snapshot.json, 'A'", "series", "'1abcdef0', recomputed '0abcdef0'"]),
    ("values.json", edited(put("origins", 0, "metric_version", value="3")),
     ["link 3", "the hash of values.json"]),
    ("values.json", edited(put("origins", 0, "ground_truth_version", value="8" * 64)),
     ["link 3", "the hash of values.json"]),
    ("values.json", edited(put("entries", A, "cvs_acc", "from", value=99)),
     ["'A'", "cvs_acc.from"]),
    ("values.json", edited(lambda found: found["entries"].pop(C)), ["'C'", "the entry is missing"]),
    ("statistics.json", edited(put("entries", A, "rank_high", value=9)), ["'A'", "1 to 9"]),
    ("statistics.json", edited(put("entries", A, "may_be_best", value=False)),
     ["'A'", "may_be_best is False, recomputed True"]),
    ("statistics.json", edited(put("entries", A, "first_share", value=0.0)), ["first_share"]),
    ("statistics.json", edited(put("entries", A, "intervals", "cvs_acc", "high", value=0.1)),
     ["'A'", "intervals.cvs_acc.high"]),
    ("statistics.json", edited(put("entries", A, "intervals", "cvs_acc", "se", value=0.1)),
     ["link 4", "the hash of statistics.json"]),
    ("statistics.json", edited(put("entries", A, "intervals", "cvs_acc", FEW, value=False)),
     ["'A'", "few_videos is False, recomputed True"]),
    ("statistics.json", edited(lambda found: found["entries"].pop(B)), ["'B'", "is missing"]),
    ("links.jsonl", line(2, put("body", "content", "rows_sha256", value="0" * 64)),
     ["link 2", "hash is"]),
    ("links.jsonl", line(2, put("hash", value="0" * 64)), ["link 2", "hash is"]),
    ("links.jsonl", line(3, put("body", "previous", value="0" * 64)), ["link 3", "hash is"]),
    ("links.jsonl", line(3, put("body", "content", "sealed_sha256", value="0" * 64)),
     ["link 3", "hash is"]),
    ("links.jsonl", line(1, put("body", "at", value="2020-01-01T00:00:00.000000Z")),
     ["link 1", "hash is"]),
    ("links.jsonl", line(1, put("signature", value="0" * 128)), ["link 1", "signature is"]),
    ("links.jsonl", line(1, put("key_id", value="0" * 16)), ["keys is"]),
    ("links.jsonl", line(1, put("key_id", value=None)), ["key_id and signature"]),
    ("links.jsonl", line(1, None), ["the link behind 0 is 2, recomputed 1"]),
    ("links.jsonl", line(2, None), ["the link behind 1 is 3, recomputed 2"]),
    ("links.jsonl", line(4, None), ["link.number is 4, recomputed 3"]),
    ("evidence.json", edited(put("snapshot", value=6)), ["snapshot is 6, recomputed 7"]),
    ("evidence.json", edited(put("scoring", value="strict")), ["scoring is 'strict'"]),
    ("evidence.json", edited(put("board", value="official")), ["board is 'community'"]),
    ("evidence.json", edited(put("link", "hash", value="0" * 64)), ["link.hash is"]),
    ("evidence.json", edited(put("files", "values.json", value="0" * 64)), ["values.json is"]),
    ("evidence.json", edited(put("keys", 0, "public_key", value="0" * 64)), ["the key"]),
    ("evidence.json", edited(put("keys", value=[])), ["keys is []"]),
    ("evidence.json", edited(put("version", value=True)), ["version: Input should be"]),
    ("evidence.json", edited(put("state", value="pruned")), ["its state is pruned"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "edit", "words"), FLIPS)
def test_a_change_of_any_kind_is_named(
    name: str, edit: Callable[[bytes], bytes], words: list[str]
) -> None:
    assert found(ARCHIVE) == ""
    said = found(changed_file(ARCHIVE, name, edit))
    assert said
    assert [word for word in words if word not in said] == [], said


def byte_changed(position: int, bit: int) -> bytes:
    changed = bytearray(ARCHIVE)
    changed[position] ^= bit
    return bytes(changed)


def test_one_byte_changed_anywhere_is_found() -> None:
    drawn = random.Random(7)  # noqa: S311 - no secret
    positions = drawn.sample(range(len(ARCHIVE)), 150)
    for position in positions:
        for bit in (1, 32):
            assert found(byte_changed(position, bit)), position


@deep
def test_every_single_byte_changed_is_found() -> None:
    for position in range(len(ARCHIVE)):
        assert found(byte_changed(position, 1 << position % 8)), position


@deep
def test_a_byte_more_or_less_is_found() -> None:
    for position in range(0, len(ARCHIVE), 7):
        assert found(ARCHIVE[:position] + ARCHIVE[position + 1 :]), position
        assert found(ARCHIVE[:position] + b"\0" + ARCHIVE[position:]), position


def test_an_unsigned_archive_is_one_without_signatures() -> None:
    archive = publish([board_entry(1, {"cvs_acc": 0.5})], signer=None).archive()
    result = verify(read_archive(archive))
    assert (result.first, result.signed) == (None, 0)


def test_withheld_values_are_in_no_file_and_published_ones_have_no_origin() -> None:
    short = replace(
        board_entry(1, {"cvs_acc": 0.5, "nap_acc": 0.25}, "A"),
        withheld={"nap_acc": TOO_FEW_ANSWERS},
    )
    imported = board_entry(3, {"cvs_acc": 0.75, "vs_llm": 3.5}, "B")
    archive = publish([short, imported]).archive()
    assert found(archive) == ""
    read = read_archive(archive)
    assert read.values is not None
    assert [*read.values.entries[A]] == ["cvs_acc"]
    assert {value.origin for value in read.values.entries[C].values()} == {None}
    assert {each.what: each.count for each in not_recomputed(read, None)} == {
        "values_from_records": 1, "intervals": 1, "rank_intervals": 2,
    }  # fmt: skip
    assert not_recomputed(read, None)[0].count == 2, "imported ones come first"


def test_who_writes_the_whole_chain_anew_lacks_the_key() -> None:
    """All hashes fit; only a signature that somebody already trusts tells."""
    other = Signer.of("6b" * 32)
    forged = publish([board_entry(1, {"cvs_acc": 0.9})], signer=other)
    archive = make_archive(
        forged.scoring, forged.documents, forged.chain, {other.key_id: other.public_key}
    )
    assert found(archive) == ""
    said = found(archive, {SIGNER.key_id: SIGNER.public_key})
    assert said == f"link 1: the key is '{other.key_id}', recomputed 'one that is trusted'."
    assert found(ARCHIVE, {SIGNER.key_id: SIGNER.public_key}) == ""
    pretended = make_archive(
        forged.scoring, forged.documents, forged.chain, {other.key_id: SIGNER.public_key}
    )
    assert "the key" in found(pretended)


def test_a_trusted_key_must_have_signed_the_last_link() -> None:
    """Earlier links may be older than the key; a chain without its signature is anybody's."""
    trusted = {SIGNER.key_id: SIGNER.public_key}
    signed = BOARD.chain
    for signatures, said in (
        ((False, False, False, False), "link 4: signature is missing"),
        ((True, True, True, False), "link 4: signature is missing"),
        ((False, False, False, True), ""),
    ):
        chain = [
            link if keep else ChainLink(link.body)
            for link, keep in zip(signed, signatures, strict=True)
        ]
        archive = make_archive(
            "compat", BOARD.documents, chain, BOARD.keys if any(signatures) else {}
        )
        assert found(archive, trusted).startswith(said) if said else found(archive, trusted) == ""
        assert found(archive) == ""


def test_ranks_are_checked_wherever_there_are_values() -> None:
    content = orjson.loads(BOARD.chain[2].body)["content"]
    chain = linked_up([LinkedDocument("snapshot", 7, {**content, "ranking": None})])
    documents = {name: own for name, own in BOARD.documents.items() if "statistics" not in name}
    change = edited(lambda rows: put("ranks", "cvs_acc", value=9)(rows[0]))
    archive = make_archive("compat", documents, chain, BOARD.keys)
    assert "ranks.cvs_acc is 9" in found(changed_file(archive, "snapshot.json", change))


def test_a_thinned_snapshot_is_known_by_its_hash() -> None:
    archive = make_archive("compat", {}, BOARD.chain, BOARD.keys)
    result = verify(read_archive(archive))
    assert result.first is None
    assert result.archive.description.state == "pruned"
    assert result.archive.link.of_snapshot().entries == 3
    (left,) = not_recomputed(result.archive, None)
    assert (left.what, left.count) == ("rows", 3)


def test_a_snapshot_of_the_version_before_ranks_its_own_values() -> None:
    entries = [board_entry(n, {"cvs_acc": n / 7, "nap_acc": 0.5}) for n in range(3)]
    board = publish(entries, measured=False)
    documents = {name: own for name, own in board.documents.items() if name != "values.json"}
    content = orjson.loads(board.chain[-1].body)["content"]
    older = {"values_sha256": None, "sealed_sha256": None}
    chain = linked_up([LinkedDocument("snapshot", 7, {**content, **older})])
    archive = make_archive("compat", documents, chain, BOARD.keys)
    assert found(archive) == ""
    assert ("values_to_4_decimals", 6) in {
        (each.what, each.count) for each in not_recomputed(read_archive(archive), None)
    }
    change = edited(lambda rows: put("ranks", "cvs_acc", value=2)(rows[0]))
    said = found(changed_file(archive, "snapshot.json", change))
    assert "ranks.cvs_acc is 2, recomputed 1" in said


def test_files_can_be_unpacked_by_anyone() -> None:
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE)) as unpacked:
        assert unpacked.getnames() == list(ALL)
        own = unpacked.extractfile("snapshot.json")
        assert own is not None
        assert own.read() == BOARD.documents["snapshot.json"]


def test_what_is_published_names_all_metrics() -> None:
    read = read_archive(ARCHIVE)
    assert read.statistics is not None
    assert set(read.statistics.minimum_detectable) == set(METRIC_KEYS)
    assert set(read.rows[0].values) == set(METRIC_KEYS)


def test_which_judge_a_board_ranks_is_recomputed() -> None:
    entries = [
        board_entry(1, {"cvs_acc": 0.8, "vs_llm": 2.5}, "A"),
        board_entry(2, {"cvs_acc": 0.7, "vs_llm": 4.75}, "B"),
    ]
    board = publish(entries, rule=SeriesRule("0abcdef0"))
    assert b'"not_ranked":{"vs_llm":"other_judge"}' in board.documents["snapshot.json"]
    assert not found(board.archive())

    def unmarked(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row.pop("not_ranked", None)

    assert "not_ranked.vs_llm is missing" in found(
        changed_file(board.archive(), "snapshot.json", edited(unmarked))
    )
