"""A report as one HTML page without scripts, with its bars drawn as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from medvid.reports.document import Bar, Cell, ReportDocument, ReportSection, shown

_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #ccc; }
td { white-space: pre-wrap; overflow-wrap: anywhere; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
"""
_WIDTH: Final = 640
_LABEL: Final = 140
_ROW: Final = 26


def render(document: ReportDocument) -> str:
    """Return the page."""
    body = [f"<h1>{escape(document.title)}</h1>", *map(_paragraph, document.lines)]
    for section in document.sections:
        body += _section(section)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(document.title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def _paragraph(line: str) -> str:
    return f"<p>{escape(line)}</p>"


def _section(section: ReportSection) -> Iterator[str]:
    yield f"<h2>{escape(section.title)}</h2>"
    yield from map(_paragraph, section.lines)
    if section.bars:
        yield _plot(section.bars)
    if section.rows:
        heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in section.columns)
        rows = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in section.rows)
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _cell(cell: Cell) -> str:
    kind = "" if isinstance(cell, str) else ' class="number"'
    return f"<td{kind}>{escape(shown(cell))}</td>"


def _plot(bars: Sequence[Bar]) -> str:
    """Return bars below one another: value, interval as a line, the value before as a mark."""
    parts = [part for row, bar in enumerate(bars) for part in _bar(bar, row * _ROW)]
    label = ", ".join(f"{bar.label} {bar.value:.3f}" for bar in bars)
    return (
        f'<svg role="img" aria-label="{escape(label)}" width="{_WIDTH}" '
        f'height="{len(bars) * _ROW}" font-size="13">{"".join(parts)}</svg>'
    )


def _bar(bar: Bar, top: int) -> Iterator[str]:
    def x(value: float) -> float:
        share = (value - bar.minimum) / (bar.maximum - bar.minimum)
        return round(_LABEL + share * (_WIDTH - _LABEL - 60), 1)

    yield f'<text x="0" y="{top + 17}">{escape(bar.label)}</text>'
    yield (f'<rect x="{_LABEL}" y="{top + 5}" width="{x(bar.value) - _LABEL:.1f}" height="15" '
           'fill="#2a6fb0"/>')  # fmt: skip
    if bar.low is not None and bar.high is not None:
        yield (f'<line x1="{x(bar.low)}" x2="{x(bar.high)}" y1="{top + 12.5}" y2="{top + 12.5}" '
               'stroke="#111" stroke-width="1.5"/>')  # fmt: skip
    if bar.before is not None:
        at = x(bar.before)
        yield (f'<line x1="{at}" x2="{at}" y1="{top + 2}" y2="{top + 23}" stroke="#c04000" '
               'stroke-width="2.5"/>')  # fmt: skip
    yield f'<text x="{_WIDTH - 50}" y="{top + 17}">{bar.value:.3f}</text>'
