"""Letters that pass for Latin ones: a model name must not be read as another's (homographs).

Names in any script are welcome. What is refused is a letter that looks Latin where a reader takes
the word for Latin: among Latin letters, or in a name whose every letter looks so.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_CYRILLIC: Final = "АВЕЅІЈКМНОРСТУХҮԌԚԜаеѕіјорсухһԁԛԝӏүѵ"
_GREEK: Final = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹϳο"  # noqa: RUF001 - the point of them
_ARMENIAN: Final = "ՍՏՕսոօհ"  # noqa: RUF001 - the point of them
_OTHERS: Final = frozenset(_CYRILLIC + _GREEK + _ARMENIAN)
_WORD: Final = re.compile(r"[^\W\d_]+")


def first_lookalike(name: str) -> str | None:
    """Return the first letter of a name that passes for a Latin one; None where none does."""
    words: list[str] = _WORD.findall(name)
    evident = {_script(letter) for word in words for letter in word if not _is_lookalike(letter)}
    for word in words:
        kinds = {_script(letter) for letter in word}
        for letter in word:
            among_latin = "LATIN" in kinds
            if _is_lookalike(letter) and (among_latin or _script(letter) not in evident):
                return letter
    return None


def _is_lookalike(letter: str) -> bool:
    if letter.isascii():
        return False
    if letter in _OTHERS:
        return True
    # Full-width, mathematical and other dressed-up forms of Latin letters.
    plain = unicodedata.normalize("NFKC", letter)
    dressed = unicodedata.category(letter) in ("Lu", "Ll")
    return dressed and len(plain) == 1 and plain.isascii()


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").partition(" ")[0]
