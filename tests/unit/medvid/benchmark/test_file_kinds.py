"""Files that are no JSON: each is named with what cures it, and never as a Python literal."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile

import pytest

from medvid.benchmark.validation import check_format

JSON = json.dumps([{"id": "v", "qa_type": "tal", "prediction": "1-2"}] * 3)


def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("predictions.json")
        entry.size = len(JSON)
        archive.addfile(entry, io.BytesIO(JSON.encode()))
    return buffer.getvalue()


def archive(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(name, JSON)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "found", "fix"),
    [
        (tar(), 'a tar archive that holds "predictions.json"', "tar xf"),
        (gzip.compress(tar(), mtime=0), 'a tar archive that holds "predictions.json"', "tar xf"),
        (archive("p.json"), "a ZIP archive", "Unpack"),
        (archive("xl/workbook.xml"), "an Excel workbook", "medvid convert"),
        (lzma.compress(JSON.encode()), "xz data", "unxz"),
        (bz2.compress(JSON.encode()), "bzip2 data", "bunzip2"),
        (b"\x28\xb5\x2f\xfd" + bytes(30), "zstd data", "unzstd"),
        (
            gzip.compress(gzip.compress(JSON.encode(), mtime=0), mtime=0),
            "gzip data inside gzip",
            "gunzip",
        ),
        (pickle.dumps([{"id": "v"}]), "a Python pickle", "json.dump"),
        (b"PAR1" + bytes(30), "a Parquet file", "to_json"),
        (b"\x40\x02\0\0\0\0\0\0{}", "a safetensors file", "predictions"),
        (b"<!DOCTYPE html><html>", "an HTML", "predictions file"),
        (JSON.encode("utf-16-le"), "a NUL in every other byte", "UTF-8"),
        (JSON.encode("utf-16-be"), "a NUL in every other byte", "UTF-8"),
        (JSON.encode("utf-16"), "a UTF-16 byte order mark", "UTF-8"),
        (b"id,qa_type,prediction\nv,tal,1-2\n", 'columns "id", "qa_type"', "convert FILE -o"),
        (b"index\tquestion\tprediction\n0\tWhen?\t1-2\n", 'columns "index"', "--by-position"),
        (b"index\tquestion\tprediction\n", "a table", "medvid convert"),
        (b"board,model_name,organization\n", "a table", "id, qa_type and prediction"),
        (b"predictions.json", 'a file\'s name, "predictions.json"', "@"),
        (b"/data/out dir/p.jsonl.gz\n", "a file's name", "@"),
        (b"Sorry, I cannot help.", '"Sorry, I cannot help."', "json.dump"),
        (b"\xff\x00\x12", "bytes ff 00 12", "json.dump"),
        ("é".encode() * 30, '"é', "json.dump"),
    ],
    ids=lambda value: "file" if isinstance(value, bytes) else None,  # archives hold the time
)
def test_other_files_are_named_with_their_cure(data: bytes, found: str, fix: str) -> None:
    (problem,) = check_format(data).problems
    assert problem.found.startswith(found) or found in problem.found
    assert fix in problem.fix
    assert "b'" not in problem.found
    assert 'b"' not in problem.found
