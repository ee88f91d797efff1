"""Files that are no JSON at all: what they are, by their first bytes, and what to do.

Looks at a few hundred bytes and never unpacks anything.
"""

from __future__ import annotations

import re
from typing import Final

from medvid.benchmark.report import Code, Problem, shown
from medvid.spreadsheets import delimiter_of, read_rows

Buffer = bytes | bytearray

EXPECTED: Final = "a JSON array of records or JSON Lines (plain or gzip)"
COLUMNS: Final = frozenset((
    "id", "qa_type", "question", "prediction", "answer", "response", "output", "model_output",
    "predict", "text", "generated_text", "index", "sample_id",
))  # fmt: skip
"""A line that names one of these columns, and another, is the head of a table."""
_WRITE_JSON: Final = "Write the list of records itself with json.dump."
_FEWEST_COLUMNS: Final = 3
_COLUMN: Final = re.compile(r"[A-Za-z]\w{0,40}")
_SHOWN_BYTES: Final = 40
_LOOKED_AT: Final = 512
_TAR_MARK: Final = slice(257, 262)
_MAGIC: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"\x28\xb5\x2f\xfd", "zstd data", "Unpack it ('unzstd FILE') and send it plain or as gzip."),
    (b"\xfd7zXZ", "xz data", "Unpack it ('unxz FILE') and send it plain or as gzip."),
    (b"BZh", "bzip2 data", "Unpack it ('bunzip2 FILE') and send it plain or as gzip."),
    (b"7z\xbc\xaf", "a 7z archive", "Unpack it and send the predictions file in it."),
    (b"Rar!", "a RAR archive", "Unpack it and send the predictions file in it."),
    (b"PAR1", "a Parquet file",
     'Write it as JSON Lines (pandas: df.to_json(FILE, orient="records", lines=True)).'),
    (b"ARROW1", "an Arrow file",
     'Write it as JSON Lines (pandas: df.to_json(FILE, orient="records", lines=True)).'),
    (b"\x93NUMPY", "a NumPy file", _WRITE_JSON),
    (b"\x89HDF", "an HDF5 file", _WRITE_JSON),
    (b"SQLite format 3", "an SQLite database", _WRITE_JSON),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file", "Save the table as CSV and run 'medvid "
     "convert FILE -o predictions.json.gz'."),
    (b"%PDF", "a PDF document", _WRITE_JSON),
    (b"\x1f\x8b", "gzip data inside gzip", "Unpack it once ('gunzip FILE')."),
)  # fmt: skip
_PICKLE: Final = re.compile(rb"\x80[\x02-\x05][\x95}\]cK(qX]")
_MARKUP: Final = re.compile(rb"<(?:!doctype|html|\?xml)", re.IGNORECASE)
_FILE_NAME: Final = re.compile(
    r"[^\n\"{}\[\],]{1,200}\.(?:jsonl?|ndjson|gz|[ct]sv|txt)", re.IGNORECASE
)
_UTF16: Final = 'Save the file as UTF-8 (Python: open(..., "w", encoding="utf-8")).'


def foreign(data: Buffer, first: int) -> Problem:
    """Return the problem of a document that begins, at `first`, with neither `[` nor `{`."""
    start = bytes(data[first : first + _LOOKED_AT])
    return (
        wide_text(data)
        or _packed(bytes(data[:_LOOKED_AT]))
        or _table(start)
        or _named_file(data, start)
        or Problem(
            Code.WRONG_SHAPE, "$", f"{_sample(start)} at byte {first}", EXPECTED, _WRITE_JSON
        )
    )


def wide_text(data: Buffer) -> Problem | None:
    """Return the problem of UTF-16 or UTF-32 text, with or without its mark; None if it is not."""
    start = bytes(data[:64])
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        found = "a UTF-16 byte order mark"
    elif start[:4] == b"\0\0\xfe\xff":
        found = "a UTF-32 byte order mark"
    elif _alternates(start):
        found = "a NUL in every other byte: UTF-16 text without a byte order mark"
    else:
        return None
    return Problem(Code.INVALID_UTF8, "$", found, "UTF-8 text", _UTF16)


def _alternates(start: bytes) -> bool:
    """Whether one byte of each pair is NUL and the other is not, as in UTF-16 of Latin text."""
    pairs = len(start) // 2
    even, odd = start[0 : 2 * pairs : 2], start[1 : 2 * pairs : 2]
    return pairs >= 2 and (
        (not even.strip(b"\0") and b"\0" not in odd) or (not odd.strip(b"\0") and b"\0" not in even)
    )


def _packed(start: bytes) -> Problem | None:
    found, fix = _binary(start)
    return Problem(Code.WRONG_SHAPE, "$", found, EXPECTED, fix) if found else None


def _binary(start: bytes) -> tuple[str, str]:
    """Return what a binary file is and what to do; empty where its kind is not known."""
    if start[_TAR_MARK] == b"ustar":
        name = start[:100].split(b"\0")[0].decode("utf-8", "replace")
        return f"a tar archive that holds {shown(name)}", (
            "Unpack it ('tar xf FILE') and send the predictions file in it, plain or as gzip."
        )
    if start.startswith(b"PK\x03\x04"):
        if b"xl/" in start or b"[Content_Types]" in start:
            return "an Excel workbook", (
                "Run 'medvid convert FILE -o predictions.json.gz': it reads the first sheet. Where "
                "the rows name no id and qa_type, add --by-position --test-set TEST_SET."
            )
        if b"/data.pkl" in start:
            return "a PyTorch file", _WRITE_JSON
        return "a ZIP archive", "Unpack it and send the predictions file in it, plain or as gzip."
    for magic, name, fix in _MAGIC:
        if start.startswith(magic):
            return name, fix
    if _PICKLE.match(start):
        return "a Python pickle", "Load it and write the list of records with json.dump."
    if start[8:9] == b"{" and start[3:8] == bytes(5):
        return "a safetensors file", "Send the predictions, not the model's weights."
    if _MARKUP.match(start):
        return "an HTML or XML page", "Send the predictions file; this is perhaps a saved web page."
    return "", ""


def _table(start: bytes) -> Problem | None:
    """Return the problem of a table whose first line names columns such as `id` and `qa_type`."""
    columns = header(start)
    own = {"id", "qa_type"}.issubset(columns) or "sample_id" in columns
    places = "" if own else " --by-position --test-set TEST_SET"
    fix = f"Run 'medvid convert FILE{places} -o predictions.json.gz': it reads such tables."
    if not columns:
        columns = _columns(start)
        fix = "Send predictions: a table of them has the columns id, qa_type and prediction."
        if len(columns) < _FEWEST_COLUMNS or not all(map(_COLUMN.fullmatch, columns)):
            return None
    names = ", ".join(shown(name) for name in columns[:5])
    found = f"a table (CSV or TSV) with the columns {names}"
    return Problem(Code.WRONG_SHAPE, "$", found, EXPECTED, fix)


def header(start: bytes) -> list[str]:
    """Return the column names in the first line of a table; empty where it seems to be none."""
    columns = _columns(start)
    known = len(columns) > 1 and not COLUMNS.isdisjoint(name.casefold() for name in columns)
    return columns if known else []


def _columns(start: bytes) -> list[str]:
    """Return what stands between the delimiters of the first line."""
    text = start.decode("utf-8", "replace").lstrip("\ufeff")
    delimiter = delimiter_of(text.partition("\n")[0])
    if delimiter is None:
        return []
    try:
        return [name.strip() for name in next(read_rows(text, delimiter=delimiter))[1]]
    except ValueError:  # no table after all
        return []


def _named_file(data: Buffer, start: bytes) -> Problem | None:
    """Return the problem of a body that is only a file's name: curl without its `@`."""
    name = start.decode("utf-8", "replace").strip()
    if len(data) > _LOOKED_AT or not _FILE_NAME.fullmatch(name):
        return None
    return Problem(
        Code.WRONG_SHAPE, "$", f"a file's name, {shown(name)}", EXPECTED,
        "Write @ before the file's name, so that curl sends its content: -F file=@FILE.",
    )  # fmt: skip


def _sample(start: bytes) -> str:
    """Return the first characters of something as text, or as numbers where it is no text."""
    piece = start[:_SHOWN_BYTES]
    try:
        return shown(piece.decode())
    except UnicodeDecodeError as error:
        # A character may be cut at the end.
        if error.start >= len(piece) - 3 and error.start:
            return shown(piece[: error.start].decode())
    return f"bytes {piece[:8].hex(' ')}"
