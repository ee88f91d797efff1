"""What is no archive of ours is refused: nothing is unpacked, run, followed or waited for."""

from __future__ import annotations

import tarfile
from typing import Any, Final

import pytest

from medvid.evidence.archive import read_archive
from medvid.evidence.canonical import BadEvidence
from medvid.evidence.frames import LARGEST, frame, unframe
from medvid.evidence.verify import verify
from tests.evidence import ALL, board_entry, changed_file, edited, publish

ARCHIVE: Final = publish([board_entry(1, {"cvs_acc": 0.8, "vs_llm": 2.5}, "A")]).archive()


def found(archive: bytes) -> str:
    """What verify says of an archive; empty where it finds nothing."""
    try:
        return str(verify(read_archive(archive)).first or "")
    except BadEvidence as error:
        return str(error)


def first_share(value: float) -> bytes:
    def change(statistics: dict[str, Any]) -> None:
        (own,) = statistics["entries"].values()
        own["first_share"] = value

    return changed_file(ARCHIVE, "statistics.json", edited(change))


def values(text: bytes) -> bytes:
    return changed_file(ARCHIVE, "values.json", lambda _: text)


HOSTILE: Final[list[tuple[bytes, str]]] = [
    (b"", "does not end as it should"),
    (b"{}", "begins no file"),
    (b"PK\x03\x04" + bytes(600), "begins no file"),
    (b"\x1f\x8b" + bytes(600), "begins no file"),
    (frame({}), "has no evidence.json"),
    (frame({"../../etc/passwd": b"x"}), "has no place here"),
    (frame({"evidence.json": b"{}", "/links.jsonl": b""}), "has no place here"),
    (frame({"links.jsonl": b"", "evidence.json": b"{}"}), "has no place here"),
    (frame({"evidence.json": b"{}"}) * 2, "does not end as it should"),
    (frame({"evidence.json": b"{}" * 600})[:700], "is cut off"),
    (ARCHIVE[:-1], "does not end"),
    (ARCHIVE + b"x", "does not end"),
    (values(b"[" * 200_000), "nested too deeply"),
    (values(b"[" * 2_000 + b"]" * 2_000), "nested too deeply"),
    (values(b'{"entries":{},"origins":[],"origins":[]}'), "stands twice"),
    (values(b'{"entries":NaN,"origins":[]}'), "NaN is no number"),
    (values(b'{"entries":1e999,"origins":[]}'), "too large a number"),
    (values(b'{"entries":' + b"9" * 5000 + b',"origins":[]}'), "5000 digits"),
    (values(b'{"entries":"\\ud800","origins":[]}'), "not the JSON"),
    (
        values(b"{" + b"".join(b'"%d":0,' % n for n in range(200_000)) + b'"x":0,"x":0}'),
        "'x' stands twice",
    ),
    (values(b"[" + b"0," * 10_000_000 + b"0]"), "more than 10,000,000 values"),
    (values(b'{"entries":{"x":{"cvs_acc":{"from":0,"value":1e300}}},"origins":[]}'), "value"),
    (first_share(1e306), "first_share: Input should be"),
    (values(b"\xff"), "not the JSON"),
    (values(b'{"entries": {},"origins":[]}'), "not spelled as it should be"),
    (values(b'{"entries":[],"origins":[]}'), "values.json: entries"),
    (values(b'{"entries":{"x":{"cvs_acc":{"from":true,"value":0.5}}},"origins":[]}'), "from"),
    (values(b'{"entries":{"x":{"cvs_acc":{"from":0,"value":"1"}}},"origins":[]}'), "value"),
    (changed_file(ARCHIVE, "snapshot.json", lambda _: b"{}"), "no list of rows"),
    (changed_file(ARCHIVE, "snapshot.json", lambda _: b"[7]"), "row 1"),
    (changed_file(ARCHIVE, "links.jsonl", lambda _: b""), "has no link of snapshot 7"),
    (changed_file(ARCHIVE, "links.jsonl", lambda text: text[:-1]), "its last line"),
    (changed_file(ARCHIVE, "links.jsonl", lambda _: b"{}\n"), "links.jsonl, line 1"),
]


@pytest.mark.parametrize(("archive", "words"), HOSTILE, ids=[words for _, words in HOSTILE])
def test_hostile_archives_are_refused(archive: bytes, words: str) -> None:
    assert words in found(archive)


def test_a_huge_archive_is_not_looked_at() -> None:
    with pytest.raises(BadEvidence, match="larger than 256 MiB"):
        unframe(bytes(LARGEST + 1), ALL)


def member(name: str = "evidence.json", content: bytes = b"{}", **fields: Any) -> bytes:
    """A tar of one member, as tarfile writes it; `fields` are those of its header."""
    about = tarfile.TarInfo(name)
    about.size = len(content)
    for field, value in fields.items():
        setattr(about, field, value)
    header = about.tobuf(tarfile.USTAR_FORMAT if name.isascii() else tarfile.PAX_FORMAT)
    return header + content + bytes(-len(content) % 512)


TARS: Final = {
    "a symbolic link": member(type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "a hard link": member(type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "a device": member(type=tarfile.CHRTYPE, devmajor=1, devminor=5),
    "a pipe": member(type=tarfile.FIFOTYPE),
    "a folder": member(type=tarfile.DIRTYPE),
    "a sparse file": member(type=tarfile.GNUTYPE_SPARSE),
    "a long name of GNU": member(type=tarfile.GNUTYPE_LONGNAME),
    "a pax header": member("\u00e9.json"),
    "an owner": member(uid=1, uname="root"),
    "a mode with set-uid": member(mode=0o4755),
    "a time": member(mtime=1),
    "an absolute path": member("/evidence.json"),
    "a path upwards": member("../evidence.json"),
    "a path through here": member("./evidence.json"),
    "a file of another name": member("evidence.json.sh"),
    "the same file twice": member() + member(),
    "a size beyond the end": member(size=10**9),
    "the largest size": member(size=8**11 - 1),
    "a size too small": member(content=b"x" * 600, size=10),
    "a size in base 256": member()[:124] + b"\x80" + bytes(10) + b"\x02" + member()[136:],
    "a wrong checksum": member()[:150] + b"7" + member()[151:],
    "a block of another type": bytes(100) + b"x" + bytes(411),
}


@pytest.mark.parametrize("what", TARS)
def test_tars_that_are_not_ours_are_refused(what: str) -> None:
    with pytest.raises(BadEvidence):
        unframe(TARS[what] + bytes(1024), ALL)


def test_a_member_as_we_write_it_is_read() -> None:
    """So the ones above are refused for what they have of their own."""
    assert unframe(member() + bytes(1024), ALL) == {"evidence.json": b"{}"}
