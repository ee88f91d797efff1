"""Who judges: everything that a verdict depends on but its texts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class JudgeVersion:
    """Everything a verdict depends on but its texts: a different version is a different judge.

    The endpoint's address is not part of it, so that moving a proxy does not void paid verdicts.
    """

    provider: str
    model: str
    rubric: str
    """Name of the rubric file and the digest of its content."""
    prompt: str
    parser: str
    temperature: float | None
    max_tokens: int
    seed: int | None
    max_caption_characters: int | None
    """Longer captions are cut for the judge; None sends them whole."""

    @property
    def hash(self) -> str:
        """Return the sha256 (hex) over the canonical JSON of all fields."""
        canonical = json.dumps(self.public(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def public(self) -> dict[str, object]:
        """Return the fields as plain values, to be shown beside a number."""
        return asdict(self)
