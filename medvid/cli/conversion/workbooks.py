"""The first sheet of an Excel workbook, as VLMEvalKit writes its predictions, as rows of texts."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import IO, Final
from xml.etree import ElementTree

_NAMESPACE: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_HEAD_BYTES: Final = 512
_STRINGS: Final = "xl/sharedStrings.xml"
_SHEET: Final = re.compile(r"xl/worksheets/sheet\d+\.xml")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
"""How a workbook writes a control character."""
_LETTERS: Final = re.compile(r"[A-Z]{1,3}")


class NoTable(ValueError):
    """The workbook cannot be read; the text says why."""


def is_workbook(content: bytes) -> bool:
    """Whether something is a workbook (a ZIP archive with sheets)."""
    if not content.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            return any(map(_SHEET.fullmatch, archive.namelist()))
    except zipfile.BadZipFile:  # `rows` says so
        return b"xl/" in content[:_HEAD_BYTES] or b"[Content_Types]" in content[:_HEAD_BYTES]


def rows(content: bytes, limit: int) -> list[dict[str, str]]:
    """Return the rows below the first by its names; cells without content are left out.

    Raises NoTable for a workbook that is damaged, or larger than `limit` bytes when unpacked.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > limit:
                raise NoTable(f"more than {limit:,} bytes when unpacked")
            names = archive.namelist()
            strings: list[str] = []
            if _STRINGS in names:
                with archive.open(_STRINGS) as part:
                    strings = [_text(item) for item in _elements(part, "si")]
            with archive.open(min(filter(_SHEET.fullmatch, names), key=_order)) as part:
                cells = [_row(row, strings) for row in _elements(part, "row")]
    except (zipfile.BadZipFile, ElementTree.ParseError, IndexError, EOFError) as error:
        raise NoTable(f"a damaged workbook ({error})") from error
    if not cells:
        return []
    head = cells[0]
    return [{head[at]: text for at, text in row.items() if at in head} for row in cells[1:] if row]


def _order(name: str) -> tuple[int, str]:
    return len(name), name


def _elements(part: IO[bytes], tag: str) -> Iterator[ElementTree.Element]:
    """Yield the elements of one kind and forget each when the next is asked for."""
    # Expat limits how far entities may expand; the file is the user's own.
    for _, element in ElementTree.iterparse(part):  # noqa: S314
        if element.tag == _NAMESPACE + tag:
            yield element
            element.clear()


def _row(row: ElementTree.Element, strings: Sequence[str]) -> dict[str, str]:
    """Return the texts of a row's cells by the letters of their columns."""
    found: dict[str, str] = {}
    for cell in row.iter(_NAMESPACE + "c"):
        letters = _LETTERS.match(cell.get("r", ""))
        value = cell.findtext(_NAMESPACE + "v")
        if cell.get("t") == "s" and value is not None:
            value = strings[int(value)]
        elif cell.get("t") == "inlineStr":
            value = _text(cell)
        if letters and value is not None:
            found[letters[0]] = value
    return found


def _text(element: ElementTree.Element) -> str:
    """Return the text of an item, whose parts may be formatted apart."""
    text = "".join(part.text or "" for part in element.iter(_NAMESPACE + "t"))
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
