"""Pictures of a board and of an entry, as links to them are shown elsewhere (PNG, 1200 x 630).

Drawn in a worker process: names come from outside, and fonts are read by a library in C.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

WIDTH: Final = 1200
HEIGHT: Final = 630
_LEFT: Final = 64
_RIGHT: Final = WIDTH - 64
_ASIDE: Final = 440
"""How wide the large letters may be, with what is kept free beside them."""
_PAPER: Final = "#ffffff"
_INK: Final = "#17211f"
_MUTED: Final = "#5b6966"
_LINE: Final = "#dfe5e3"
_ACCENT: Final = "#0f766e"
_COLOURS: Final = 64
"""As many as flat areas and the edges of letters need: a third of the bytes."""
_FOLDER: Final = Path(__file__).parent / "fonts"
_FONTS_OF: Final = {
    False: str(_FOLDER / "DejaVuSans.ttf"), True: str(_FOLDER / "DejaVuSans-Bold.ttf"),
}  # fmt: skip
_LETTERS_KNOWN: Final = 20_000
"""Letters of fonts of which it is remembered whether they are there: to look takes long."""
_ELSEWHERE: Final = ("NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf", "wqy-microhei.ttc")
"""Fonts of a system for what ours lack, as Chinese; without one, boxes stand for it."""
_NO_CHARACTER: Final = "\uffff"
_LETTERS: Final = 200
"""Of a text, as many as could ever fit."""


@dataclass(frozen=True, slots=True)
class CardRow:
    """A line of a picture: what stands at its left, its name, and what stands at its right."""

    place: str
    name: str
    value: str
    share: float | None = None
    """Of a bar's full length; None: no bar."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a picture says."""

    title: str
    subtitle: str
    facts: str
    rows: tuple[CardRow, ...]
    place: str = ""
    """In large letters, as 'Rank 2-4'; `below` stands under it."""
    below: str = ""


def draw(card: Card) -> bytes:
    """Return the picture as PNG."""
    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    pen = ImageDraw.Draw(image)
    _mark(pen, _LEFT, 48)
    _write(pen, (_LEFT + 62, 51), "MedVidBench", 34, bold=True)
    _write(pen, (_RIGHT, 57), card.facts, 24, _MUTED, anchor="ra")
    title = _fitted(card.title, 56, _RIGHT - _LEFT, bold=True)
    _write(pen, (_LEFT, 124), title.text, title.size, bold=True)
    subtitle = _fitted(card.subtitle, 28, _RIGHT - _LEFT)
    _write(pen, (_LEFT, 202), subtitle.text, subtitle.size, _MUTED)
    if card.place:
        place = _fitted(card.place, 64, _ASIDE - 40, bold=True)
        _write(pen, (_LEFT, 350), place.text, place.size, _ACCENT, bold=True)
        below = _fitted(card.below, 26, _ASIDE - 40)
        _write(pen, (_LEFT, 440), below.text, below.size, _MUTED)
    _rows(pen, card.rows, _LEFT + _ASIDE if card.place else _LEFT)
    content = io.BytesIO()
    few = image.quantize(_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(content, "PNG", optimize=True)
    return content.getvalue()


def _rows(pen: ImageDraw.ImageDraw, rows: Sequence[CardRow], left: int) -> None:
    """Write lines between `left` and the right edge, as high as there is room for all."""
    if not rows:
        return
    top, bottom = 262, HEIGHT - 36
    step = min(62.0, (bottom - top) / len(rows))
    size = min(28, int(step * 0.56))
    names = left + (110 if any(row.place for row in rows) else 0)
    for number, row in enumerate(rows):
        y = top + int(number * step)
        pen.line((left, y, _RIGHT, y), _LINE)
        middle = y + int(step / 2)
        _write(pen, (left, middle), row.place, size, _ACCENT, bold=True, anchor="lm")
        _write(pen, (_RIGHT, middle), row.value, size, anchor="rm")
        room = (_RIGHT - 110 if row.share is None else names + 190) - names
        name = _fitted(row.name, size, room)
        _write(pen, (names, middle), name.text, name.size, anchor="lm")
        if row.share is not None:
            start, end = names + 205, _RIGHT - 110
            half = max(3, int(step * 0.16))
            pen.rounded_rectangle((start, middle - half, end, middle + half), half, _LINE)
            reach = start + int((end - start) * min(1.0, max(0.0, row.share)))
            if reach - start > 2 * half:
                pen.rounded_rectangle((start, middle - half, reach, middle + half), half, _ACCENT)


def _mark(pen: ImageDraw.ImageDraw, x: int, y: int) -> None:
    """Draw the sign of the pages' head."""
    scale = 46 / 32
    pen.rounded_rectangle((x, y, x + 46, y + 46), 8 * scale, _ACCENT)
    points = ((6, 17), (11, 17), (14, 9), (18.5, 24), (21.5, 17), (26, 17))
    line = [(x + px * scale, y + py * scale) for px, py in points]
    pen.line(line, "#ffffff", round(2.4 * scale), joint="curve")


@dataclass(frozen=True, slots=True)
class _Fitted:
    text: str
    size: int


def _fitted(text: str, size: int, room: int, *, bold: bool = False) -> _Fitted:
    """Return a text as it fits: smaller by up to a third, or cut."""
    text = " ".join(text.split())[:_LETTERS]
    smallest = size * 2 // 3
    while size > smallest and _length(text, size, bold=bold) > room:
        size -= 2
    if _length(text, size, bold=bold) > room:
        while text and _length(f"{text}…", size, bold=bold) > room:
            text = text[:-1]
        text = f"{text.rstrip()}…"
    return _Fitted(text, size)


def _length(text: str, size: int, *, bold: bool) -> float:
    return _font(_family(text, bold=bold), size).getlength(text)


def _write(
    pen: ImageDraw.ImageDraw,
    place: tuple[int, int],
    text: str,
    size: int,
    fill: str = _INK,
    *,
    bold: bool = False,
    anchor: str = "la",
) -> None:
    font = _font(_family(text, bold=bold), size)
    pen.text(place, text, fill, font, anchor)


def _family(text: str, *, bold: bool) -> str:
    """Return the font that has most letters of a text; ours where none has more."""
    letters = {letter for letter in text if not letter.isspace()}
    own = _FONTS_OF[bold]
    if _lacks(own, letters) == 0:
        return own
    return min((own, *filter(_is_there, _ELSEWHERE)), key=lambda name: _lacks(name, letters))


def _lacks(name: str, letters: Iterable[str]) -> int:
    return sum(not _draws(name, letter) for letter in letters)


@cache
def _is_there(name: str) -> bool:
    try:
        ImageFont.truetype(name, 10)
    except OSError:
        return False
    return True


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, size)


@lru_cache(_LETTERS_KNOWN)
def _draws(name: str, letter: str) -> bool:
    """Tell whether a font has a letter: what it lacks looks like what no font has."""
    font = _font(name, 20)
    return bytes(font.getmask(letter)) != bytes(font.getmask(_NO_CHARACTER))
