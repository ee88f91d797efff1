"""The rationale: a short reason that a judge writes before its scores, where it is asked for.

It may repeat the reference, so only administrators read it, and who judges with files of their own.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_DIGEST_CHARACTERS: Final = 12
_NAME: Final = "v1"


@dataclass(frozen=True, slots=True)
class Rationale:
    """How the reason is asked for. `version` names the file and its content.

    `characters`: most that is asked for and kept.
    """

    version: str
    characters: int
    json_form: str
    lines_form: str
    example: str

    @property
    def most_tokens(self) -> int:
        """Return how much longer a reply may be: room for scripts of few characters a token."""
        return self.characters // 2

    @property
    def expected_tokens(self) -> int:
        """Return how much longer a reply is likely to be: models stay below what they may."""
        return self.characters // 6


@cache
def load_rationale() -> Rationale:
    """Return what this package asks for."""
    content = (files("medvid.judging") / "parts" / f"rationale_{_NAME}.toml").read_bytes()
    data = tomllib.loads(content.decode())
    return Rationale(
        version=f"{_NAME}+{hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS]}",
        characters=data["characters"],
        json_form=data["json"].strip(),
        lines_form=data["lines"].strip(),
        example=data["example"],
    )


def kept(text: str, characters: int) -> str:
    """Return a reason on one line, without control characters, cut to this many characters."""
    plain = "".join(character if character.isprintable() else " " for character in text)
    words = " ".join(plain.split())
    return words if len(words) <= characters else f"{words[: characters - 1]}…"
