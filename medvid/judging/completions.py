"""From the body of an answer (200) to a completion, whatever shape an endpoint gives it.

Known forms are read, failures become CallFailed; `read_completion` raises nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from medvid.judging.calls import CallFailed, Completion, Usage
from medvid.judging.error_bodies import is_page, load_json, read_error_body, shown
from medvid.judging.failures import CURES, read_failure
from medvid.judging.prompt import Form
from medvid.judging.usage import read_usage
from medvid.judging.waits import allowance, until_next_call

_FAILED: Final = frozenset(
    {"error", "network_error", "abort", "aborted", "cancelled", "insufficient_system_resource"}
)
"""Ends of a reply that are faults of the endpoint."""
_STREAM: Final = re.compile(r"\s*(?::[^\n]*\n\s*)*(?:data|event|id|retry):")
"""How server-sent events begin, perhaps after comments."""
_STREAMS: Final = (
    "The endpoint streams its answers, which nobody asked for: turn streaming off in the gateway, "
    "or set MEDVID_JUDGE_BASE_URL to an address that does not stream."
)
_MOST_PARTS: Final = 1_000
_FACTS: Final = (
    "x-litellm-model-id", "x-litellm-model-name", "x-litellm-model-api-base",
    "x-litellm-model-group",
    "x-litellm-attempted-fallbacks", "x-litellm-version", "openrouter-provider",
)  # fmt: skip


def read_completion(
    body: bytes, headers: Mapping[str, str], form: Form, *, now: datetime, sent: str = ""
) -> Completion:
    """Return the completion in a body; raises CallFailed."""
    try:
        answer = load_json(body)
    except ValueError:
        raise _no_json(body, sent) from None
    if not isinstance(answer, Mapping):
        raise _garbled("the answer is no chat completion")
    usage = read_usage(answer.get("usage"))
    choice = _choice(answer.get("choices"))
    error = answer.get("error") or choice.get("error")
    if not error and not choice and _is_error(answer):
        error = answer
    if error and not _content(_message(choice).get("content")):
        raise _failure(error, usage, headers, form, now, sent)
    if not choice and _is_filtered(answer):
        detail = "a content filter refuses the prompt"
        raise CallFailed("refused", "filtered", detail, usage=usage, maybe_billed=_used(usage))
    finish_reason = _text(choice.get("finish_reason"))
    if finish_reason is not None and finish_reason.lower() in _FAILED:
        detail = f"the endpoint broke off its reply ({shown(finish_reason)})"
        raise CallFailed("failing", "broken_off", detail, usage=usage, maybe_billed=_used(usage))
    if not choice and usage is None:
        usage = Usage(0, 0)  # no reply, and no word of a bill
    message = _message(choice)
    content = message.get("content")
    return Completion(
        content=_content(content) or _text(choice.get("text")),
        refusal=_text(message.get("refusal")) or _refusal(content),
        finish_reason=finish_reason,
        model=shown(_text(answer.get("model")) or ""),
        usage=usage,
        wait=until_next_call(headers, now),
        allowance=allowance(headers, now, tokens=usage.total if usage else 0),
        facts=_facts(answer, headers),
    )


def _failure(
    error: object,
    usage: Usage | None,
    headers: Mapping[str, str],
    form: Form,
    now: datetime,
    sent: str,
) -> CallFailed:
    failure = read_failure(200, error, headers, form, now=now, sent=sent)
    if _used(usage):
        failure.usage, failure.maybe_billed = usage, True
    return failure


def _used(usage: Usage | None) -> bool:
    return usage is not None and usage.completion > 0


def _is_error(answer: Mapping[str, object]) -> bool:
    """Tell whether an answer without choices says that something failed."""
    if answer.get("object") == "error" or answer.get("type") == "error":
        return True
    telling = ("message", "detail", "errors", "error_msg", "msg", "base_resp")
    return any(answer.get(key) for key in telling) and bool(read_error_body(answer).text)


def _is_filtered(answer: Mapping[str, object]) -> bool:
    """Tell whether an answer without a reply says that the prompt was filtered."""
    feedback = answer.get("promptFeedback")
    if isinstance(feedback, Mapping) and feedback.get("blockReason"):
        return True
    results = answer.get("prompt_filter_results")
    return isinstance(results, list) and '"filtered": true' in json.dumps(results[:_MOST_PARTS])


def _no_json(body: bytes, sent: str) -> CallFailed:
    text = body[:1_000].decode("utf-8", "replace")
    if is_page(text):
        said = shown(f"200: a web page instead of JSON: {read_error_body(body).text}", sent)
        detail = f"{CURES['address']} ({said})"
        return CallFailed("unusable", "page", detail, cause="address", said=said)
    if _STREAM.match(text):
        said = shown(f"200: a stream of events instead of JSON: {text[:80]}", sent)
        detail = f"{_STREAMS} ({said})"
        return CallFailed(
            "unusable", "stream", detail, cause="address", maybe_billed=True, said=said
        )
    return _garbled("the answer cannot be read: it is no JSON")


def _garbled(detail: str) -> CallFailed:
    return CallFailed("failing", "garbled", detail, maybe_billed=True)


def _choice(choices: object) -> Mapping[str, object]:
    """Return the first choice, of a list or of an object; an empty one where there is none."""
    if isinstance(choices, list):
        choices = choices[0] if choices else None
    elif isinstance(choices, Mapping) and not {"message", "text"} & choices.keys():
        choices = next(iter(choices.values()), None)
    return choices if isinstance(choices, Mapping) else {}


def _message(choice: Mapping[str, object]) -> Mapping[str, object]:
    message = choice.get("message")
    return message if isinstance(message, Mapping) else {}


def _content(content: object) -> str | None:
    """Return the text of a reply: a text, parts of one (thoughts left out), or a JSON object."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        part = _part(content)
        return part if part is not None else json.dumps(content)
    if isinstance(content, list):
        parts = [_part(part) for part in content[:_MOST_PARTS]]
        texts = [part for part in parts if part is not None]
        return "".join(texts) if texts else None
    return None


def _part(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "output_text"):
        return None
    text = part.get("text")
    return _text(text.get("value")) if isinstance(text, Mapping) else _text(text)


def _refusal(content: object) -> str | None:
    parts = content if isinstance(content, list) else []
    said = (part.get("refusal") for part in parts[:_MOST_PARTS] if isinstance(part, Mapping))
    return next(filter(None, map(_text, said)), None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _facts(answer: Mapping[str, object], headers: Mapping[str, str]) -> dict[str, str]:
    """Return who answered, as far as endpoint and gateways tell."""
    facts = {name: shown(value) for name in _FACTS if (value := headers.get(name))}
    for name in ("system_fingerprint", "provider"):
        value = _text(answer.get(name))
        if value:
            facts[name] = shown(value)
    return facts
