"""What a refusal means: a setting, these captions, the rate, or a fault that passes.

Providers say the same thing with different statuses: a bad key is a 401 here and a 400 there, an
empty account a 402, a 400 or a 429. So codes and texts decide first, the status last. A text that
the captions hold themselves is no evidence: some providers repeat what they were sent, and no
upload may stop the judge.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from medvid.judging import error_words as words
from medvid.judging.calls import CallFailed, Cause, Failure
from medvid.judging.error_bodies import ErrorBody, read_error_body, shown
from medvid.judging.prompt import Form
from medvid.judging.waits import read_wait

CURES: Final[Mapping[Cause, str]] = {
    "key": "The endpoint refuses the key: set MEDVID_JUDGE_API_KEY to one that is valid there, and "
    "restart the judge.",
    "access": "The key is known but may not do this: allow its project to use MEDVID_JUDGE_MODEL "
    "from this address, or use another key.",
    "credit": "The account has no credit left: add some, or use the key of another account.",
    "quota": "The account's quota is used up: raise it, wait until it is renewed, or use the key "
    "of another account.",
    "model": "There is no such model for this key: set MEDVID_JUDGE_MODEL to a name that the "
    "endpoint lists.",
    "address": "The address takes no chat completions: check MEDVID_JUDGE_BASE_URL (it ends in /v1 "
    "at most providers).",
    "parameter": "The endpoint does not take a parameter: change its setting.",
}
"""What is the same for every pair, and what to do about it."""
_SETTINGS: Final = {
    "temperature": "MEDVID_JUDGE_TEMPERATURE= (empty: left to the endpoint)",
    "seed": "MEDVID_JUDGE_SEED= (unset)",
    "reasoning_effort": "MEDVID_JUDGE_REASONING_EFFORT to one that it takes, or leave it unset",
    "max_tokens": "MEDVID_JUDGE_TOKEN_PARAMETER=max_completion_tokens, or another "
    "MEDVID_JUDGE_MAX_TOKENS",
    "max_completion_tokens": "MEDVID_JUDGE_TOKEN_PARAMETER=max_tokens, or another "
    "MEDVID_JUDGE_MAX_TOKENS",
}
"""What each parameter of a call is set by."""
_MOVED: Final = "The endpoint has moved: set MEDVID_JUDGE_BASE_URL to its new address."
_LIKE_A_FORM: Final = (400, 405, 415, 422, 501)
"""So an endpoint that knows no schema may answer, whatever it says."""
_OF_ACCOUNT: Final[tuple[Cause, ...]] = ("quota", "credit")
_PASSING: Final = (408, 409, 423, 424, 425, 460, 498, 499)
"""Of balancers (460, 499), of TGI where a generation failed (424), of Groq without room (498)."""
_TOO_LONG: Final = (400, 403, 413, 422)
_STATUS_CAUSES: Final[Mapping[int, Cause]] = {
    401: "key", 402: "credit", 403: "access", 404: "address", 405: "address", 407: "access",
    410: "model", 415: "address", 451: "access", 501: "address",
}  # fmt: skip


def read_failure(
    status: int,
    body: object,
    headers: Mapping[str, str],
    form: Form,
    *,
    now: datetime,
    sent: str = "",
) -> CallFailed:
    """Return what a refusal means. `sent` is the text of the messages, which is no evidence.

    `body` is what came (bytes), or the part of an answer that tells the error.
    """
    said = read_error_body(body)
    if status < 300 and said.number is not None:
        status = said.number
    evidence = _Evidence(said, sent)
    kind, cause = _meaning(status, said, evidence, form)
    whole = detail = f"{status}: {said.text}" if said.text else f"{status}"
    if kind == "unusable":
        assert cause is not None  # noqa: S101 - always given with this kind
        detail = f"{_cure(status, cause, evidence)} ({shown(detail, sent)})"
    return CallFailed(
        kind,
        str(status),
        detail if kind == "unusable" else shown(detail, sent),
        cause=cause,
        retry_after=read_wait(headers, said.text, now),
        may_be_form=form is Form.JSON and _may_be_form(status, kind, cause),
        said=shown(whole, sent),
    )


class _Evidence:
    """Codes and texts in which words are looked for, without those that were sent."""

    def __init__(self, said: ErrorBody, sent: str) -> None:
        self.said = said
        self.codes = " ".join(sorted(said.codes))
        self._sent = sent.casefold()

    def of(self, called: re.Pattern[str]) -> bool:
        """Tell whether a code or the text says so."""
        return called.search(self.codes) is not None or self.in_text(called)

    def in_text(self, called: re.Pattern[str]) -> bool:
        """Tell whether the text says so of its own."""
        return any(
            match[0].casefold() not in self._sent for match in called.finditer(self.said.text)
        )

    def parameter(self) -> str | None:
        """Return the parameter of a call that is refused, if one is."""
        for name in self.said.parameters:
            if name in _SETTINGS:
                return name
        match = words.PARAMETER.search(self.said.text)
        if match and self.in_text(words.NOT_TAKEN):
            return match[1].lower()
        return None


def _meaning(
    status: int, said: ErrorBody, evidence: _Evidence, form: Form
) -> tuple[Failure, Cause | None]:
    if 300 <= status < 400:
        return "unusable", "address"
    if evidence.of(words.POLICY) and status not in (401, 402, 429) and status < 500:
        return "refused", None
    if _is_unfit(status, evidence):
        return "unfit", None
    if status == 429 or evidence.of(words.THROTTLED):
        return _throttled(evidence)
    is_about_form = _names_form(said) or evidence.of(words.FORM)
    if form is Form.JSON and is_about_form and status not in (401, 402):
        return "no_schema", None
    if status < 500 and evidence.parameter():
        return "unusable", "parameter"
    if status >= 500 and evidence.of(words.UPSTREAM_DOWN):
        return "failing", None
    cause = _cause(status, said, evidence)
    if cause is not None:
        return "unusable", cause
    if status >= 500 or status in _PASSING or status < 300:
        return "failing", None
    return "rejected", None


def _is_unfit(status: int, evidence: _Evidence) -> bool:
    """Tell whether these captions are too long, or nothing that the model makes a verdict of."""
    if status == 429:
        return evidence.in_text(words.LARGER_THAN_RATE)
    if status == 413 or (status in _TOO_LONG and evidence.of(words.TOO_LONG)):
        return True
    return status == 400 and evidence.of(words.NOT_GENERATED)


def _throttled(evidence: _Evidence) -> tuple[Failure, Cause | None]:
    """Tell a limit of a minute, which waiting cures, from a day's or an account's."""
    if words.NO_MONEY.search(evidence.codes) or evidence.of(words.LONG_WINDOW):
        return "unusable", "quota"
    telling = words.ANY_LIMIT.sub("", evidence.codes)
    if evidence.in_text(words.SHORT_WINDOW) or words.SHORT_WINDOW.search(telling):
        return "throttled", None
    for cause in _OF_ACCOUNT:
        if evidence.of(words.CAUSES[cause]):
            return "unusable", cause
    return "throttled", None


def _cause(status: int, said: ErrorBody, evidence: _Evidence) -> Cause | None:
    if status in (401, 402):
        # A gateway tells an empty account so, too.
        if status == 402 or evidence.of(words.CAUSES["credit"]):
            return "credit"
        if evidence.of(words.ADDRESS_NOT_ALLOWED):
            return "access"
        return "quota" if evidence.of(words.CAUSES["quota"]) else "key"
    for cause, called in words.CAUSES.items():
        if evidence.of(called):
            return cause
    if said.is_page and status < 500 and status not in _PASSING:
        return "address"
    return _STATUS_CAUSES.get(status)


def _names_form(said: ErrorBody) -> bool:
    return any(words.FORM.search(name) for name in said.parameters)


def _may_be_form(status: int, kind: Failure, cause: Cause | None) -> bool:
    """Tell whether the schema may be what an unexplained refusal is about."""
    if kind == "no_schema":
        return True
    if kind == "unusable":
        return cause == "address" and status in (*_LIKE_A_FORM, 404)
    return (kind in ("rejected", "unfit") and status in _LIKE_A_FORM) or status == 500


def _cure(status: int, cause: Cause, evidence: _Evidence) -> str:
    if 300 <= status < 400:
        return _MOVED
    if cause == "parameter":
        name = evidence.parameter() or ""
        return f"The endpoint does not take {name}: set {_SETTINGS.get(name, 'it otherwise')}."
    if cause == "address" and status == 404:
        return "There is no such model or path: check MEDVID_JUDGE_MODEL and MEDVID_JUDGE_BASE_URL."
    return CURES[cause]
