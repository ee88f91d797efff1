"""Tries the configured judge, from the name of its host to the price of its verdict.

One made-up pair goes the way that every pair goes: the same client, prompt, forms and reader. Each
step is a finding; its `fix` says what to set. Nothing of it is stored.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final
from urllib.parse import urlsplit

from medvid.benchmark.tasks import Task
from medvid.judging.batch_api import BatchApi
from medvid.judging.calls import CallFailed, Completion
from medvid.judging.endpoint import OpenAiEndpoint
from medvid.judging.forms import FormChoice, named
from medvid.judging.model_names import counts_as, is_confirmed
from medvid.judging.off import off
from medvid.judging.pricing import FREE, MICROUSD
from medvid.judging.prompt import ChatMessage, Form, build_messages, estimate_tokens
from medvid.judging.replies import REASONING_LIMIT, InvalidReply, read_reply
from medvid.judging.rubric import Rubric
from services.judge.members import members_of
from services.judge.open_judge import (
    endpoint_url,
    judge_version,
    open_endpoint,
    rubric_of,
)
from services.judge.pool_file import pool_of
from services.judge.settings import JudgeSettings
from services.operate.batch_check import PATIENCE, BatchTry
from services.operate.findings import Finding, State

_MOST_CALLS: Final = 3
_NEAREST: Final = 3
_MOST_NAMES: Final = 8
_OFF_BY: Final = 2.0
"""How far a prompt may differ from the estimate before the check says so."""
_MORE_TOKENS: Final = "Set MEDVID_JUDGE_MAX_TOKENS higher: models that think aloud need more."
_LONGER: Final[Mapping[str, str]] = {
    "truncated": _MORE_TOKENS,
    "empty": _MORE_TOKENS,
    REASONING_LIMIT: "Set MEDVID_JUDGE_MAX_TOKENS higher, or MEDVID_JUDGE_REASONING_EFFORT lower.",
}
_REFERENCE: Final = "The surgeon grasps the gallbladder and dissects the cystic duct with a hook."
_PREDICTION: Final = "The gallbladder is held while a hook dissects around the cystic duct."


@dataclass(frozen=True, slots=True)
class _Check:
    """What is tried, and with what."""

    settings: JudgeSettings
    rubric: Rubric
    endpoint: OpenAiEndpoint

    @property
    def model(self) -> str:
        return self.endpoint.sampling.model

    def messages(self, form: Form) -> list[ChatMessage]:
        return build_messages(self.rubric, _PREDICTION, _REFERENCE, Task.VIDEO_SUMMARY, form=form)


def most_usd(settings: JudgeSettings) -> float | None:
    """Return what a check costs at most, in US dollars; None where a price is not known."""
    each = [_most_usd(member.settings) for member in members_of(settings).judges]
    known = [usd for usd in each if usd is not None]
    return sum(known) if len(known) == len(each) else None


def _most_usd(settings: JudgeSettings) -> float | None:
    if settings.price is FREE:
        return 0.0 if settings.judge_provider == "stub" else None
    rubric = rubric_of(settings)
    messages = build_messages(rubric, _PREDICTION, _REFERENCE, Task.VIDEO_SUMMARY, form=Form.JSON)
    prompt = estimate_tokens(messages, at_most=True)
    most = judge_version(settings, rubric).max_tokens
    calls = _MOST_CALLS * max(1, len(pool_of(settings)))
    return settings.price.most(prompt, most) * calls / MICROUSD


async def check_judge(
    settings: JudgeSettings, *, by_batch: bool = False, patience: float = PATIENCE
) -> list[Finding]:
    """Try every step and return what was found, of each judge; raises Misconfigured.

    Of a pool every endpoint is tried. `by_batch`: instead of a call, a batch of one line, for
    whose end `patience` seconds are waited.
    """
    members = members_of(settings).judges
    if len(members) == 1:
        return await _check_one(members[0].settings, by_batch=by_batch, patience=patience)
    return [
        replace(finding, check=f"{each.name}: {finding.check}")
        for each in members
        for finding in await _check_one(each.settings, by_batch=by_batch, patience=patience)
    ]


async def _check_one(settings: JudgeSettings, *, by_batch: bool, patience: float) -> list[Finding]:
    if settings.why_off is not None:
        why = off(settings.why_off)
        state: State = "skipped" if settings.why_off == "no_provider" else "failed"
        return [Finding("judge", state, f"judging is off: {why.says}", why.fix)]
    entries = pool_of(settings)
    if entries:
        return [
            replace(finding, check=f"{each.name}: {finding.check}")
            for each in entries
            for finding in await check_judge(each.settings, by_batch=by_batch, patience=patience)
        ]
    async with AsyncExitStack() as stack:
        url = await endpoint_url(settings, stack)
        rubric = rubric_of(settings)
        version = judge_version(settings, rubric)
        check = _Check(settings, rubric, open_endpoint(settings, version, url, stack))
        name = await _name(url)
        if name.state == "failed":
            return [name]
        models = await models_finding(check.endpoint)
        return [name, models, *await (_batch(check, patience) if by_batch else _call(check))]


async def _name(url: str) -> Finding:
    host, loop = urlsplit(url).hostname or "", asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        fix = "Check MEDVID_JUDGE_BASE_URL and the DNS of this network (or its proxy)."
        return Finding("name", "failed", f"{host} cannot be resolved ({error.strerror}).", fix)
    return Finding("name", "ok", f"{host} is {found[0][4][0]}.")


async def models_finding(endpoint: OpenAiEndpoint) -> Finding:
    """Tell whether the endpoint answers and knows the model, as far as its free list says."""
    model = endpoint.sampling.model
    try:
        names = await endpoint.models()
    except CallFailed as failure:
        if failure.cause in ("key", "credit", "quota") or failure.outcome == "connection":
            return Finding("models", "failed", f"{failure.detail}.", "")
        says = f"cannot tell: the endpoint lists no models ({failure.detail})."
        return Finding("models", "warning", says, "")
    if not names:
        return Finding("models", "warning", "cannot tell: its list of models is empty.", "")
    bare = [name.removeprefix("models/") for name in names]
    if model.removeprefix("models/") in bare:
        return Finding("models", "ok", f"the endpoint lists {model} and {len(names) - 1} others.")
    near = get_close_matches(model, bare, _NEAREST, 0.4) or sorted(bare)[:_MOST_NAMES]
    fix = f"Set MEDVID_JUDGE_MODEL to one of its models, such as {', '.join(near)}."
    return Finding("models", "warning", f"the endpoint does not list {model}.", fix)


async def _call(check: _Check) -> list[Finding]:
    choice = FormChoice.of(check.settings.judge_reply_form)
    refused = ""
    last: CallFailed | None = None
    for _ in range(_MOST_CALLS):
        form = Form.LINES if refused else choice.next
        try:
            completion = await check.endpoint.ask(check.messages(form), form)
        except CallFailed as failure:
            last = failure
            if choice.tries_lines(failure, form):
                refused = failure.detail
            elif failure.kind not in ("failing", "throttled"):
                break
        else:
            return _answered(check, choice, completion, form, refused)
    assert last is not None  # noqa: S101 - no call was answered
    return [_failed(last)]


async def _batch(check: _Check, patience: float) -> list[Finding]:
    form = FormChoice.of(check.settings.judge_reply_form).next
    request = check.endpoint.request(check.messages(form), form)
    sent = f"{_PREDICTION} {_REFERENCE}"
    tried = BatchTry(BatchApi(check.endpoint), request, form, sent, patience)
    findings, completion = await tried()
    if completion is None:
        return findings
    return [*findings, _verdict(check, completion), _named_model(check, completion)]


def _failed(failure: CallFailed) -> Finding:
    fix = {
        "throttled": "Set MEDVID_JUDGE_REQUESTS_PER_MINUTE to the account's rate, and try again.",
        "failing": "Try again later; if it stays, ask the provider.",
        "no_schema": "Set MEDVID_JUDGE_REPLY_FORM=lines.",
        "refused": "A content policy refuses a harmless caption: take another endpoint.",
    }.get(failure.kind, "")
    return Finding("call", "failed", f"{failure.detail}.", fix)


def _answered(
    check: _Check, choice: FormChoice, completion: Completion, form: Form, refused: str
) -> list[Finding]:
    why = f"it is set by MEDVID_JUDGE_REPLY_FORM={named(form)}" if choice.is_fixed else ""
    why = why or (f"a schema was refused: {refused}" if refused else "it takes a schema")
    return [
        Finding("call", "ok", "the endpoint answers, and takes every parameter that is set."),
        Finding("reply form", "ok", f"{named(form)} ({why})."),
        _verdict(check, completion),
        _named_model(check, completion),
        _usage(check, completion, form),
        _price(check, completion),
    ]


def _verdict(check: _Check, completion: Completion) -> Finding:
    try:
        reply = read_reply(
            completion.content,
            finish_reason=completion.finish_reason,
            refusal=completion.refusal,
            rationale=check.rubric.rationale,
            parser=check.settings.judge_parser,
        )
    except InvalidReply as error:
        other = "Take a model that keeps to a form, or another MEDVID_JUDGE_REPLY_FORM."
        fix = _LONGER.get(error.reason, other)
        return Finding("verdict", "failed", f"the reply is no verdict: {error.detail}.", fix)
    shown = ", ".join(f"{aspect} {score}" for aspect, score in reply.scores.items())
    reason = f' ("{reply.rationale}")' if reply.rationale else ""
    return Finding("verdict", "ok", f"{shown}{reason}.")


def _named_model(check: _Check, completion: Completion) -> Finding:
    said = completion.model or "(none)"
    prefix = check.settings.judge_model_prefix
    if check.settings.judge_provider == "stub":
        prefix = None
    facts = "".join(f", {name} {fact}" for name, fact in completion.facts.items())
    if not counts_as(check.model, said, prefix=prefix):
        fix = f"If that is the model you mean, set MEDVID_JUDGE_MODEL_PREFIX={said}."
        return Finding("model", "failed", f"the answer is of {said}{facts}.", fix)
    if not is_confirmed(check.model, said, completion.facts):
        fix = (
            "Entries get the badge judge_unconfirmed and stay off the official board: set "
            "MEDVID_JUDGE_MODEL to the name that is reported, if it is the model's own."
        )
        return Finding("model", "warning", f"the answer is of {said}{facts}.", fix)
    return Finding("model", "ok", f"the answer is of {said}{facts}.")


def _usage(check: _Check, completion: Completion, form: Form) -> Finding:
    usage = completion.usage
    expected = estimate_tokens(check.messages(form))
    if usage is None:
        says = "it tells no usage that can be believed: each call is booked by an estimate."
        return Finding("usage", "warning", says, "The cost of runs is marked as estimated.")
    thought = f", {usage.reasoning} of reasoning" if usage.reasoning else ""
    used = f"{usage.prompt} + {usage.completion} tokens ({usage.cached} cached{thought})"
    if not expected / _OFF_BY <= usage.prompt <= expected * _OFF_BY:
        fix = "Compare the provider's bill with what a small run says that it cost."
        says = f"{used}; {expected} were expected in the prompt."
        return Finding("usage", "warning", says, fix)
    if usage.completion > check.endpoint.sampling.max_tokens:
        fix = "Thoughts are billed beyond MEDVID_JUDGE_MAX_TOKENS: turn them off, if you can."
        return Finding("usage", "warning", f"{used}.", fix)
    if usage.reasoning and check.settings.judge_expected_tokens.reasoning is None:
        known = {"reasoning": usage.reasoning, "cached": usage.cached}
        fix = (
            f"Set MEDVID_JUDGE_EXPECTED_TOKENS={json.dumps(known)}, or the mean of some calls: "
            "until 50 verdicts tell it, estimates count all that MEDVID_JUDGE_MAX_TOKENS allows."
        )
        return Finding("usage", "warning", f"{used}.", fix)
    return Finding("usage", "ok", f"{used}; {expected} were expected in the prompt.")


def _price(check: _Check, completion: Completion) -> Finding:
    settings = check.settings
    if settings.judge_provider == "stub":
        return Finding("price", "ok", "the stand-in costs nothing, and its numbers mean nothing.")
    if settings.judge_model not in settings.judge_prices:
        fix = (
            f'Set MEDVID_JUDGE_PRICES={{"{settings.judge_model}": {{"input": 0, "output": 0}}}} '
            "with your provider's prices in US dollars per million tokens."
        )
        return Finding("price", "warning", "not known: no money is counted, no cap holds.", fix)
    usage = completion.usage
    cost = settings.price.cost(*usage) / MICROUSD if usage else 0.0
    return Finding("price", "ok", f"this call cost {cost:.6f} USD.")
