"""What a terminal is sent: text and what we style, no commands that stand in somebody's text.

Names and messages come from servers, answers from models: printed as they are, an escape sequence
among them would clear the screen, rename the window or hide lines. Colours do no harm and pass, as
does what progress bars need. Files and pipes get everything as it is.
"""

from __future__ import annotations

import re
import sys
from typing import Any, Final, TextIO, cast

_OURS: Final = r"\x1b\[(?:[\d;]*m|\d*[AK]|\?25[lh])"
_CONTROLS: Final = re.compile(rf"({_OURS})|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PICTURES: Final = 0x2400
"""Where Unicode has a picture of each control character."""
_DELETE, _DELETE_PICTURE, _UNKNOWN = 0x7F, "\N{SYMBOL FOR DELETE}", "\N{REPLACEMENT CHARACTER}"


def shown(text: str) -> str:
    """Return a text with a picture in place of each control character that is not ours."""
    return _CONTROLS.sub(_picture, text)


def _picture(found: re.Match[str]) -> str:
    if found[1]:
        return found[1]
    code = ord(found[0])
    if code < _DELETE:
        return chr(_PICTURES + code)
    return _DELETE_PICTURE if code == _DELETE else _UNKNOWN


class _Terminal:
    """A stream that writes what is `shown`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write it; returns its length, as streams do."""
        self._stream.write(shown(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write them one by one."""
        for line in lines:
            self.write(line)


def guard() -> None:
    """Guard standard output and error where they are a terminal."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and stream.isatty():
            setattr(sys, name, cast(TextIO, _Terminal(stream)))
