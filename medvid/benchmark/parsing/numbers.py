r"""Numbers and white space in prediction text, shared by all parsers.

Patterns use Python's own `re`, whose `\d` (any Unicode decimal digit) and `\s` are the rule here.
They stay linear because of three habits, which `tests/unit` checks on the compiled patterns:

* every repeat is possessive (`\d++`, `\s*+`), so a failed attempt is not retried with less text;
* a pattern that begins with a number begins at the start of a run of digits (`NUMBER_START`), so
  a run is scanned as a whole once and not again from its second, third, … digit. This loses no
  match: what matches from within a run matches from its start too, and no match ends in a run;
* nothing scans for a closing delimiter inside a pattern; callers use `str.find` and stop for good
  when it finds nothing.
"""

from __future__ import annotations

from typing import Final

NUMBER_START: Final = r"(?<!\d)"
DECIMAL: Final = r"(\d++(?:\.\d++)?)"
MAX_INTEGER_DIGITS: Final = 9


def short_integer(digits: str) -> int | None:
    """Return the integer spelled by Unicode digits, None beyond nine digits (SPEC 2)."""
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else None
