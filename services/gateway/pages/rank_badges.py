"""Badges that tell an entry's rank on other pages: 'MedVidBench | rank 2-4' as SVG.

They ask for nothing and style nothing, so that they are drawn under any policy.
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

_NAME: Final = "MedVidBench"
_LETTER: Final = 6.9
"""Width of a letter in pixels, about; `textLength` fits the text where a font differs."""
_SIDE: Final = 8
_TEMPLATE: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{says}">\
<title>{says}</title>\
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>\
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#3f4a48"/>\
<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>\
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" \
font-size="11"><text x="{name_x}" y="14" textLength="{name_length}">{name}</text>\
<text x="{value_x}" y="14" textLength="{value_length}">{value}</text></g></svg>
"""
_RANKED: Final = "#0f766e"
_UNRANKED: Final = "#5b6966"


def rank_badge(rank: str) -> str:
    """Return the badge of a rank as `rank_text` writes it; '' for an entry without one."""
    return _drawn(f"rank {rank}", _RANKED) if rank else _drawn("not ranked", _UNRANKED)


def gone_badge() -> str:
    """Return the badge of an entry that is not on its board."""
    return _drawn("not listed", _UNRANKED)


def _drawn(value: str, colour: str) -> str:
    name_length, value_length = (round(len(text) * _LETTER) for text in (_NAME, value))
    left, right = name_length + 2 * _SIDE, value_length + 2 * _SIDE
    return _TEMPLATE.format(
        says=escape(f"{_NAME} \N{MIDDLE DOT} {value}"),
        width=left + right,
        left=left,
        right=right,
        colour=colour,
        name=_NAME,
        name_x=left / 2,
        name_length=name_length,
        value=escape(value),
        value_x=left + right / 2,
        value_length=value_length,
    )
