"""The file of records: what a crash or another run leaves of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.predict.records import CallRecord, CallStatus, UnusableRecords, open_records

SETTINGS = {"model": "m", "frames": {"most": None}}


def record(index: int, status: CallStatus = CallStatus.ANSWERED, text: str = "") -> CallRecord:
    return CallRecord(index, f"v&&{index}&&9&&1.0", "tal", status, text, max_tokens=256)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5), st.data())
def test_a_file_cut_anywhere_keeps_its_whole_lines(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("records") / "records.jsonl"
    ends = []
    with open_records(path, SETTINGS) as records:
        ends.append(path.stat().st_size)
        for index, text in enumerate(texts):
            records.add(record(index, text=text))
            ends.append(path.stat().st_size)
    cut = data.draw(st.integers(0, ends[-1]))
    path.write_bytes(path.read_bytes()[:cut])
    whole = max(sum(end <= cut for end in ends) - 1, 0)
    with open_records(path, SETTINGS) as records:
        assert [records.by_index[index].prediction for index in range(whole)] == texts[:whole]
        assert len(records.by_index) == whole
        records.add(record(9))
    with open_records(path, SETTINGS) as records:
        assert len(records.by_index) == whole + 1


def test_the_last_line_about_a_sample_counts(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, SETTINGS) as records:
        records.add(record(1, CallStatus.FAILED))
        records.add(record(1, CallStatus.TRUNCATED))
    with open_records(path, SETTINGS) as records:
        (known,) = records.by_index.values()
    assert known.is_answered
    assert known.is_final(256)
    assert not known.is_final(512)
    assert not record(1, CallStatus.FAILED).is_final(256)


def test_other_settings_are_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, SETTINGS):
        pass
    with (
        pytest.raises(UnusableRecords, match=r"other settings \(model; .*'m', now 'n'"),
        open_records(path, {**SETTINGS, "model": "n"}),
    ):
        pass


@pytest.mark.parametrize("content", [b"[1]\n", b"not JSON\n", b'{"medvid_predict":1}\n'])
def test_another_kind_of_file_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(content)
    with pytest.raises(UnusableRecords), open_records(path, SETTINGS):
        pass
    assert path.read_bytes() == content


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with open_records(path, SETTINGS) as records:
        records.add(record(1))
    with path.open("ab") as file:
        file.write(b'{"status": "odd"}\n')
    with pytest.raises(UnusableRecords, match="Line 3"), open_records(path, SETTINGS):
        pass


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    with (
        open_records(path, SETTINGS),
        pytest.raises(UnusableRecords, match="Another run"),
        open_records(path, SETTINGS),
    ):
        pass
