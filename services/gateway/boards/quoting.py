"""Anybody's text as other languages write it: LaTeX, Markdown, YAML, and the letters of keys."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import yaml

_SIGNS: Final = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}",
    "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}", '"': r"{\char34}",
}  # fmt: skip
_SIGN: Final = re.compile("[" + "".join(map(re.escape, _SIGNS)) + "]")
_LIGATURE: Final = re.compile(r"([-',])(?=\1)")
"""Signs of which LaTeX makes another where they stand together, as a dash of hyphens."""
_IN_ADDRESSES: Final = str.maketrans({"%": r"\%", "#": r"\#", "{": "%7B", "}": "%7D", "\\": "%5C"})
_LATIN: Final = re.compile("[\0-\u024f\N{EN DASH}-\N{HORIZONTAL ELLIPSIS}]*")
"""What LaTeX prints with its usual fonts."""
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>|#~$])")
_KEPT_IN_KEYS: Final = re.compile(r"[A-Za-z0-9 ._-]+")


def latex(text: str) -> str:
    """Return a text as LaTeX prints it as it is: on one line, with nothing that is a command."""
    signed = _SIGN.sub(lambda found: _SIGNS[found[0]], _on_one_line(text))
    return _LIGATURE.sub(r"\1{}", signed)


def latex_address(address: str) -> str:
    """Return an address as LaTeX and BibTeX print it."""
    return rf"\url{{{address.translate(_IN_ADDRESSES)}}}"


def is_latin(text: str) -> bool:
    """Tell whether LaTeX prints a text without other fonts than its own."""
    return _LATIN.fullmatch(text) is not None


def markdown_text(text: str) -> str:
    """Return a text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", _on_one_line(text)).replace("&", "&amp;")


def _on_one_line(text: str) -> str:
    if not text.isprintable():
        text = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(text.split())


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what readers of YAML 1.2 take for a number, and those of 1.1 for a text."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(0o[0-7]+|0x[\da-fA-F_]+|0b[01_]+|[\d_]*\.?[\d_]+([eE][-+]?\d+)?)$"),
    [*"-+.0123456789"],
)


def yaml_text(found: object, *, width: int) -> str:
    """Return plain values as YAML, which readers of 1.1 and 1.2 read alike."""
    text: str = yaml.dump(found, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=width)
    return text


def slug(text: str) -> str:
    """Return a name as addresses and keys have it: small letters, digits and hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or "model"


def is_whole_slug(text: str) -> bool:
    """Tell whether the slug of a text has all that tells it from others."""
    return _KEPT_IN_KEYS.fullmatch(text) is not None
