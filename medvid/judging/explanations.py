"""What is set wrongly where an endpoint cannot be used, in words of the command line.

A server's judge says it in words of its settings (`failures.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from medvid.judging.addresses import problem_of
from medvid.judging.calls import CallFailed, Cause

_CURES: Final[Mapping[Cause, str]] = {
    "key": "The endpoint refuses the key: set a valid one (OPENAI_API_KEY, unless another variable "
    "is named).",
    "access": "The key is known but may not use this model.",
    "credit": "The account has no credit left.",
    "quota": "The account's quota is used up.",
    "model": "There is no such model for this key: check --model.",
    "address": "The address takes no chat completions for this model: check --base-url (most end "
    "in /v1) and --model.",
    "parameter": "The endpoint does not take a parameter of the call.",
}
_NO_QUERY: Final = "give what follows the ? as --query, such as --query api-version=2024-10-21"


def explained(failure: CallFailed) -> str:
    """Return what failed and, for a wrong setting, the fix."""
    if failure.cause is None:
        return failure.detail
    return f"{_CURES[failure.cause]} ({failure.said or failure.detail})"


def base_url_problem(url: str) -> str | None:
    """Return what is wrong with `--base-url`, and the fix; None where nothing is."""
    problem = problem_of(url, query=_NO_QUERY)
    return None if problem is None else f"--base-url {url or repr(url)}: {problem}."
