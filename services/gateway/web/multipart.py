"""A strict, incremental reader of `multipart/form-data` (RFC 7578).

It is fed pieces of a body of any size and gives events; it never holds more than one piece and a
header block. Wherever the pieces are cut, the events' content is the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from enum import Enum, auto
from typing import Final

from shared.runtime.errors import InvalidInput, TooLarge

MAX_PARTS: Final = 64
MAX_HEADER_BYTES: Final = 4096
MAX_PREAMBLE_BYTES: Final = 1024
_MAX_BOUNDARY: Final = 70  # RFC 2046, 5.1.1
_LINE_END: Final = b"\r\n"
_PADDING: Final = re.compile(rb"[ \t]{0,64}\r\n")
_PADDING_BYTES: Final = 66
_OPTION: Final = re.compile(r';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))\s*')
_OTHER_NAME: Final = re.compile(r";\s*name\s*=", re.IGNORECASE)
_PLAIN_ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary"})


class MalformedForm(InvalidInput):
    """The body is not the form that its Content-Type promises."""

    code = "malformed_multipart"


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A new part; `name` is the field's."""

    name: str


@dataclass(frozen=True, slots=True)
class PartData:
    """The next bytes of the current part."""

    data: bytes


class PartEnds:
    """The current part is complete."""


Event = PartBegins | PartData | PartEnds


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEADERS = auto()
    BODY = auto()
    EPILOGUE = auto()


def boundary_of(content_type: str) -> bytes:
    """Return the boundary named by a Content-Type header; or raise MalformedForm."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if not boundary or len(boundary) > _MAX_BOUNDARY or not boundary.isascii():
        raise MalformedForm(
            f"the Content-Type has no boundary of 1 to {_MAX_BOUNDARY} ASCII characters.",
            fix="Let your HTTP library build the multipart body and its Content-Type.",
        )
    return boundary.encode()


class FormDataParser:
    """Feed it with `feed`, then call `finish`, which raises MalformedForm on a cut-off body."""

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = _LINE_END + b"--" + boundary
        self._buffer = bytearray(_LINE_END)  # so that a boundary at the very start is found
        self._state = _State.PREAMBLE
        self._parts = 0

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take the next piece of the body and yield what it completes; consume all of it."""
        self._buffer += data
        progress = True
        while progress:
            match self._state:
                case _State.PREAMBLE:
                    progress = self._preamble()
                case _State.DELIMITER:
                    progress = self._after_delimiter()
                case _State.HEADERS:
                    name = self._headers()
                    progress = name is not None
                    if name is not None:
                        yield PartBegins(name)
                case _State.BODY:
                    body, progress = self._body()
                    if body:
                        yield PartData(body)
                    if progress:
                        yield PartEnds()
                case _State.EPILOGUE:
                    self._buffer.clear()
                    progress = False

    def finish(self) -> None:
        """Check that the closing boundary was seen."""
        if self._state is not _State.EPILOGUE:
            raise MalformedForm(
                "the body ends before its closing boundary.",
                fix="Send the request again; it was cut off or its boundary is wrong.",
            )

    def _preamble(self) -> bool:
        found = self._buffer.find(self._delimiter)
        if max(found, len(self._buffer) if found < 0 else 0) > MAX_PREAMBLE_BYTES:
            raise MalformedForm(
                f"no boundary within the first {MAX_PREAMBLE_BYTES} bytes.",
                fix="Send the boundary that the Content-Type names.",
            )
        if found >= 0:
            self._enter_delimiter(found)
        return found >= 0

    def _enter_delimiter(self, position: int) -> None:
        del self._buffer[: position + len(self._delimiter)]
        self._state = _State.DELIMITER

    def _after_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._state = _State.EPILOGUE
            return True
        padding = _PADDING.match(self._buffer)
        if padding:
            del self._buffer[: padding.end()]
            self._state = _State.HEADERS
            return True
        if len(self._buffer) >= _PADDING_BYTES or self._buffer.strip(b" \t\r"):
            raise MalformedForm(
                "a boundary is followed by other text on its line.",
                fix="Choose a boundary that does not occur in the content.",
            )
        return False

    def _headers(self) -> str | None:
        end = self._buffer.find(_LINE_END * 2)
        if self._buffer.startswith(_LINE_END):
            end = 0  # no headers at all, which _field_name refuses
        if max(end, len(self._buffer) if end < 0 else 0) > MAX_HEADER_BYTES:
            raise TooLarge(
                f"the headers of a part have more than {MAX_HEADER_BYTES} bytes.",
                fix="Send only Content-Disposition and Content-Type.",
            )
        if end < 0:
            return None
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise TooLarge(f"the form has over {MAX_PARTS} parts.", fix="Send each field once.")
        name = _field_name(bytes(self._buffer[:end]))
        del self._buffer[: end + len(_LINE_END) * 2]
        self._state = _State.BODY
        return name

    def _body(self) -> tuple[bytes, bool]:
        found = self._buffer.find(self._delimiter)
        if found >= 0:
            body = bytes(self._buffer[:found])
            self._enter_delimiter(found)
            return body, True
        # The last bytes may be the beginning of a delimiter.
        end = max(0, len(self._buffer) - len(self._delimiter) + 1)
        body = bytes(self._buffer[:end])
        del self._buffer[:end]
        return body, False


def _field_name(block: bytes) -> str:
    """Return the field name of a header block; raises MalformedForm without one."""
    try:
        lines = block.decode().split("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedForm("the headers of a part are not UTF-8.") from error
    headers = {
        name.strip().lower(): value.strip()
        for name, separator, value in (line.partition(":") for line in lines)
        if separator
    }
    disposition = headers.get("content-disposition", "")
    names = _names(disposition)
    if not disposition.lower().startswith("form-data") or len(names) != 1:
        raise MalformedForm(
            'a part has no Content-Disposition "form-data" with a name, or with two.',
            fix="Let your HTTP library build the multipart body.",
        )
    encoding = headers.get("content-transfer-encoding", "").lower()
    if encoding not in _PLAIN_ENCODINGS:
        raise MalformedForm(
            "a part has a Content-Transfer-Encoding, which RFC 7578 gives up.",
            fix="Send its bytes as they are.",
        )
    return names[0]


def _names(disposition: str) -> list[str]:
    """Return the names among the options, read one after the other: no quoted text holds any.

    What cannot be read ends the options, and may hold no name that another reader would find.
    """
    position, names = len(disposition.partition(";")[0]), []
    while found := _OPTION.match(disposition, position):
        position = found.end()
        if found[1].lower() == "name":
            names.append(found[2] if found[2] is not None else found[3])
    return [] if _OTHER_NAME.search(disposition, position) else names
