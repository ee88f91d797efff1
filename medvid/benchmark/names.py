"""Names people give: keys for uniqueness, and checks of an entry's text fields (SPEC 4)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from medvid.benchmark.lookalikes import first_lookalike
from medvid.benchmark.report import Code, Problem, shown

FIELD_LIMITS: Final[Mapping[str, int]] = {
    "model_name": 100,
    "organization": 200,
    "team": 200,
    "authors": 2_000,
    "contact": 320,
    "model_url": 2_000,
    "track": 100,
}
"""Each text field of an entry and its limit in characters."""
REQUIRED_FIELDS: Final = ("model_name", "organization")

_JOINERS: Final = frozenset("\u200c\u200d")
"""Zero-width (non-)joiners: Persian, Hindi and others spell names with them; models need none."""
_UNSEEN: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
) | frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
"""Letters, marks and symbols without a shape: fillers of Hangul, the empty cell of Braille, choices
of a variant. Names of persons are spelled with some; two models' names could differ in one."""
_REFUSED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
DASHES: Final = (
    "\u058a\u05be\u1400\u1806\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2e17\u2e1a\u2e3a\u2e3b"
    "\u2e40\u2e5d\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d\U00010d6e\U00010ead"
)
"""What counts as '-' in names: Unicode's Pd and the minus sign. The schema has the same list."""
ERASED: Final = "(erased)"
"""Stands for the names of an entry that was erased."""
SAME_NAMES: Final = "upper and lower case, all dashes and runs of spaces count as the same"
"""What the rule of `name_key` is called where a name is refused."""
_AS_HYPHEN: Final = str.maketrans(dict.fromkeys(DASHES, "-"))


def name_key(name: str) -> str:
    """Return what makes a model name unique on a board.

    NFC, case folding, every dash as '-', runs of white space as one space, none at the ends.
    Folding can undo composition, so the result is composed again.
    """
    folded = unicodedata.normalize("NFC", name).casefold()
    return in_one_spelling(folded)


def in_one_spelling(text: str) -> str:
    """Return a text with its dashes and white space as `name_key` has them, its case kept."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_AS_HYPHEN).split())


def clean_name(text: str) -> str:
    """Return a field as it is stored: NFC, without white space at its ends."""
    return unicodedata.normalize("NFC", text).strip()


def check_text(text: str) -> str:
    """Return a line of text as it is stored; raises ValueError if it is blank or partly hidden."""
    clean = clean_name(text)
    if _is_blank(clean):
        raise ValueError("some text")
    _check_visible(clean)
    return clean


def check_lines(text: str) -> str:
    """Return lines of text as they are stored; raises ValueError as `check_text` does."""
    clean = clean_name(text)
    if _is_blank(clean):
        raise ValueError("some text")
    _check_visible(clean.replace("\n", " ").replace("\t", " "))
    return clean


def _is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen."""
    return all(each.isspace() or each in _JOINERS or each in _UNSEEN for each in text)


def _check_visible(clean: str) -> None:
    forbidden = _first_forbidden(clean, "")
    if forbidden is not None:
        raise ValueError(f"text without U+{ord(forbidden):04X}, which nobody can see")


def check_entry_fields(fields: Mapping[str, object]) -> list[Problem]:
    """Return every problem of an entry's text fields; None and "" mean absent where optional."""
    problems = [
        problem for field in FIELD_LIMITS for problem in _check_field(field, fields.get(field))
    ]
    url = fields.get("model_url")
    if isinstance(url, str) and url.strip():
        problems += _check_url(url.strip())
    return problems


def _check_field(field: str, value: object) -> list[Problem]:
    path = f"$.{field}"
    if value is None or (isinstance(value, str) and not value.strip()):
        if field not in REQUIRED_FIELDS:
            return []
        code = Code.MISSING_FIELD if value is None else Code.EMPTY_FIELD
        return [_missing(code, field, value)]
    if not isinstance(value, str):
        return [Problem(Code.WRONG_TYPE, path, shown(value), "a string", "Put it in quotes.")]
    if _is_blank(value):
        return [_missing(Code.EMPTY_FIELD, field, value)]
    problems = []
    limit = FIELD_LIMITS[field]
    if len(value) > limit:
        problems.append(
            Problem(Code.FIELD_TOO_LONG, path, f"{len(value):,} characters",
                    f"at most {limit:,} characters", "Shorten it.")
        )  # fmt: skip
    forbidden = _first_forbidden(value[:limit], field)
    if forbidden is not None:
        problems.append(_forbidden(path, value, forbidden))
    elif field == "model_name" and (letter := first_lookalike(clean_name(value[:limit]))):
        problems.append(_lookalike(path, value, letter))
    return problems


def _missing(code: Code, field: str, value: object) -> Problem:
    return Problem(code, f"$.{field}", shown(value), "a name", f"Give {field} some text.")


def _first_forbidden(value: str, field: str) -> str | None:
    of_a_model = field == "model_name"
    return next(
        (
            character
            for character in value
            if (unicodedata.category(character) in _REFUSED_CATEGORIES or character in _UNSEEN)
            and (of_a_model or character not in _JOINERS | _UNSEEN)
        ),
        None,
    )


def _forbidden(path: str, value: str, character: str) -> Problem:
    code = {"\0": Code.NUL_CHARACTER}.get(character, Code.FORBIDDEN_CHARACTER)
    if unicodedata.category(character) == "Cs":
        code = Code.LONE_SURROGATE
    name = unicodedata.name(character, "a control character")
    return Problem(
        code,
        path,
        f"U+{ord(character):04X} ({name}) in {shown(value)}",
        "visible characters and spaces",
        "Remove the character, or type the name again instead of pasting it.",
    )


def _lookalike(path: str, value: str, letter: str) -> Problem:
    return Problem(
        Code.LOOKALIKE_CHARACTER,
        path,
        f"U+{ord(letter):04X} ({unicodedata.name(letter, 'a letter')}) in {shown(value)}",
        "letters of one script, or letters that look like no other's",
        "Type the name again with the letters it seems to have.",
    )


def _check_url(url: str) -> list[Problem]:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        valid = valid and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        valid = False
    if valid and not any(character.isspace() or character in '<>"\\' for character in url):
        return []
    return [
        Problem(Code.INVALID_URL, "$.model_url", shown(url), "an http or https address",
                "Write it in full, as in https://example.org/model, or leave it empty.")
    ]  # fmt: skip
