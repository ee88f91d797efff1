"""Who judges: everything that a verdict depends on but its texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, Self

from medvid.judging.parts_table import DEFAULT_PARSER, PROMPT_VERSION
from medvid.judging.rubric import Rubric

TokenParameter = Literal["max_tokens", "max_completion_tokens"]
_ADDED: Final = ("rationale", "reasoning_effort", "token_parameter")


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
    rationale: str | None = None
    """How reasons are asked for, by the digest of the words; None where they are not."""
    reasoning_effort: str | None = None
    """How much the model shall think before it replies; None leaves it to the model."""
    token_parameter: str | None = None
    """What `max_tokens` is called where an effort is set: some limits leave thoughts out."""

    @classmethod
    def of(
        cls,
        rubric: Rubric,
        *,
        provider: str,
        model: str,
        temperature: float | None,
        max_tokens: int,
        seed: int | None,
        max_caption_characters: int | None,
        parser: str = DEFAULT_PARSER,
        reasoning_effort: str | None = None,
        token_parameter: TokenParameter = "max_tokens",  # noqa: S107 - tokens of text
    ) -> Self:
        """Return the version of this code's prompt; a reason lengthens the reply."""
        reason = rubric.rationale
        return cls(
            provider=provider,
            model=model,
            rubric=rubric.version,
            prompt=PROMPT_VERSION,
            parser=parser,
            temperature=temperature,
            max_tokens=max_tokens + (reason.most_tokens if reason else 0),
            seed=seed,
            max_caption_characters=max_caption_characters,
            rationale=reason.version if reason else None,
            reasoning_effort=reasoning_effort,
            token_parameter=token_parameter if reasoning_effort else None,
        )

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """Return the version of these public facts; raises TypeError for another code's."""
        return cls(**facts)

    @property
    def hash(self) -> str:
        """Return the sha256 (hex) over the canonical JSON of all fields."""
        canonical = json.dumps(self.public(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def public(self) -> dict[str, object]:
        """Return the fields as plain values, to be shown beside a number.

        What later versions of this code added is there only where it is used: the hash of a judge
        without it stays what it was.
        """
        facts = asdict(self)
        unused = [name for name in _ADDED if facts[name] is None]
        return {name: facts[name] for name in facts if name not in unused}
