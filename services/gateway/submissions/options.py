"""What a submission asks for beside being scored: to replace a version, or to be evaluated only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from medvid.benchmark.names import name_key
from medvid.benchmark.report import Problem, shown
from services.gateway.webhooks.rules import (
    MAX_SECRET_BYTES,
    MIN_SECRET_BYTES,
    SECRET_PREFIX,
    check_url,
    read_secret,
)

OPTION_FIELDS: Final = ("replaces", "evaluate_only", "webhook_url", "webhook_secret")
"""Form fields that say what to do rather than what the model is."""
_YES: Final = frozenset({"true", "1", "yes", "on"})
_NO: Final = frozenset({"false", "0", "no", "off", ""})


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """`replaces`: the submission whose model this is a new version of.

    `webhook_secret` is None where the owner leaves its choice to us.
    """

    replaces: UUID | None = None
    evaluate_only: bool = False
    webhook_url: str | None = None
    webhook_secret: bytes | None = None


def read_options(
    texts: Mapping[str, str], *, private_networks: bool = False
) -> tuple[SubmissionOptions, list[Problem]]:
    """Return the options of a form, and every problem of them.

    `private_networks`: webhooks may lead into them.
    """
    problems = []
    replaces = None
    given = texts.get("replaces", "").strip()
    if given:
        replaces = _uuid(given)
        if replaces is None:
            problems.append(
                Problem("invalid_id", "$.replaces", shown(given), "the id of a submission",
                        "Copy it from the receipt of the version before.")
            )  # fmt: skip
    wish = texts.get("evaluate_only", "").strip().lower()
    if wish not in _YES | _NO:
        problems.append(
            Problem("invalid_choice", "$.evaluate_only", shown(wish), "true or false",
                    "Send true to be ranked on no board.")
        )  # fmt: skip
    if given and wish in _YES:
        problems.append(
            Problem("contradiction", "$.evaluate_only", "an evaluate-only new version",
                    "one of 'replaces' and 'evaluate_only'", "Leave one of them out.")
        )  # fmt: skip
    url, secret, wrong = _read_webhook(texts, private_networks)
    return SubmissionOptions(replaces, wish in _YES, url, secret), [*problems, *wrong]


def _read_webhook(
    texts: Mapping[str, str], private_networks: bool
) -> tuple[str | None, bytes | None, list[Problem]]:
    url = texts.get("webhook_url", "").strip() or None
    given = texts.get("webhook_secret", "").strip()
    secret = read_secret(given) if given else None
    problems = check_url(url, private_networks=private_networks) if url else []
    if given and secret is None:
        problems.append(
            Problem("invalid_secret", "$.webhook_secret", f"{len(given)} characters",
                    f"{SECRET_PREFIX} and the base64 of {MIN_SECRET_BYTES} to "
                    f"{MAX_SECRET_BYTES} bytes", "Leave it out, and you are given one.")
        )  # fmt: skip
    if given and url is None:
        problems.append(
            Problem("contradiction", "$.webhook_secret", "a secret without 'webhook_url'",
                    "both or neither", "Give the address too.")
        )  # fmt: skip
    return url, secret, problems


def check_same_name(given: str | None, kept: str) -> list[Problem]:
    """Return the problem of a new version under another name; without a name it keeps the old."""
    if given is None or not given.strip() or name_key(given) == name_key(kept):
        return []
    return [
        Problem("name_differs", "$.model_name", shown(given), shown(kept),
                "Leave it out; a model with another name is a submission of its own.")
    ]  # fmt: skip


def _uuid(text: str) -> UUID | None:
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text.lower() else None
