"""Answers of real endpoints: what is form is read, what is a failure is one, the bill is right."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.benchmark.tasks import ASPECTS
from medvid.judging.calls import CallFailed, Completion, Usage
from medvid.judging.completions import read_completion
from medvid.judging.prompt import Form
from medvid.judging.replies import InvalidReply, read_reply
from medvid.judging.usage import read_usage

CASES: Final = Path(__file__).parents[3] / "cases" / "judge"
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
SCORES: Final = dict.fromkeys(ASPECTS, 4)
VERDICT: Final = json.dumps(SCORES)
THOUGHT: Final = Usage(900, 2025, 0, 2000)
USAGE: Final = {"prompt_tokens": 900, "completion_tokens": 25, "total_tokens": 925}
STOP: Final = {"index": 0, "finish_reason": "stop"}


def answer(**changes: Any) -> dict[str, Any]:
    choice = STOP | {"message": {"role": "assistant", "content": VERDICT}}
    whole = {"id": "c", "object": "chat.completion", "created": 0, "model": "m",
             "choices": [choice], "usage": USAGE}  # fmt: skip
    return whole | changes


def said(content: Any, finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    return answer(choices=[{"index": 0, "message": message, "finish_reason": finish_reason}])


def read(body: Any, headers: dict[str, str] | None = None) -> Completion:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_completion(raw, headers or {}, Form.JSON, now=NOW)


def verdict(completion: Completion) -> Any:
    return read_reply(
        completion.content,
        finish_reason=completion.finish_reason,
        refusal=completion.refusal,
    ).scores


@pytest.mark.parametrize(
    "body",
    [
        answer(),
        answer(usage="n/a"),
        answer(usage=None),
        answer(error=None),
        answer(choices={"0": STOP | {"message": {"content": VERDICT}}}),
        answer(choices=STOP | {"message": {"content": VERDICT}}),
        answer(choices=[STOP | {"text": VERDICT}]),
        said([{"type": "text", "text": VERDICT}]),
        said([{"type": "thinking", "thinking": [{"type": "text", "text": "R2: 1"}]},
              {"type": "text", "text": VERDICT}]),
        said([VERDICT[:9], VERDICT[9:]]),
        said([{"type": "output_text", "text": {"value": VERDICT}}]),
        said(SCORES),
        said({"type": "text", "text": VERDICT}),
        said(VERDICT, "STOP"),
        said(VERDICT, None),
        said(VERDICT, "end_turn"),
        said(VERDICT, "eos"),
        said(VERDICT, ["stop"]),
        said(VERDICT, reasoning_content="R2: 1", refusal=""),
        said(f"```JSON\n{VERDICT}\n```"),
        said(f"<think>\nR2: 1, or </think>?\n</think>\n\n{VERDICT}"),
        said(f"of the candidate ...\n</think>\n{VERDICT}"),
        said(json.dumps(dict.fromkeys(ASPECTS, "4"))),
        said(json.dumps(dict.fromkeys(ASPECTS, 4.0))),
    ],
)  # fmt: skip
def test_what_is_form_is_read(body: Any) -> None:
    assert verdict(read(body)) == SCORES


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (said(VERDICT, "content_filter"), "refused"),
        (said(VERDICT, "content_filter: hate"), "refused"),
        (said(VERDICT, "SAFETY"), "refused"),
        (said("Sorry.", "guardrail_intervened"), "refused"),
        (said(None, "PROHIBITED_CONTENT"), "refused"),
        (said(None, refusal="I cannot."), "refused"),
        (said([{"type": "refusal", "refusal": "I cannot."}]), "refused"),
        (said(VERDICT, "length"), "truncated"),
        (said(VERDICT, "MAX_TOKENS"), "truncated"),
        (said(VERDICT, "model_length"), "truncated"),
        (said(""), "empty"),
        (said(None, reasoning_content=VERDICT), "empty"),
        (said([]), "empty"),
        (answer(choices=None), "empty"),
        (
            answer(
                choices=[],
                prompt_filter_results=[
                    {"content_filter_results": {"violence": {"filtered": False}}}
                ],
            ),
            "empty",
        ),
        (answer(choices=[]), "empty"),
        (answer(choices="none"), "empty"),
        (answer(choices=[None]), "empty"),
        (said(f"<think>{VERDICT}"), "malformed"),
        (said(f"{VERDICT}</think>"), "malformed"),
        (said(json.dumps(dict.fromkeys(ASPECTS, "6"))), "malformed"),
        (said(json.dumps(dict.fromkeys(ASPECTS, "4/5"))), "malformed"),
        (said({"R2": 4}), "malformed"),
    ],
)
def test_what_is_content_is_no_verdict(body: Any, reason: str) -> None:
    with pytest.raises(InvalidReply) as caught:
        verdict(read(body))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "Provider returned error", "code": 429}}, "throttled"),
        ({"error": {"message": "Internal Server Error", "code": 500}, "choices": []}, "failing"),
        ({"error": "something"}, "failing"),
        ({"error": {"message": "Insufficient credits"}}, "unusable"),
        ({"object": "error", "message": "The model `x` does not exist.", "code": 404}, "unusable"),
        ({"detail": "busy"}, "failing"),
        ({"error": "Unexpected endpoint or method. (POST /chat/completions)"}, "unusable"),
        ({"choices": None, "base_resp": {"status_code": 1008,
          "status_msg": "insufficient balance"}}, "unusable"),
        ({"choices": [], "base_resp": {"status_code": 1026,
          "status_msg": "input new_sensitive"}}, "refused"),
        ({"success": False, "errors": [{"message": "No such model @cf/x"}], "result": None},
         "unusable"),
        (answer(choices=[], prompt_filter_results=[{"content_filter_results": {
            "violence": {"filtered": True, "severity": "medium"}}}]), "refused"),
        ({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}, "refused"),
        (answer(choices=None, error={"message": "upstream", "code": 502}), "failing"),
        (answer(choices=[{"error": {"code": 502, "message": "upstream"},
                          "finish_reason": "error", "message": {"content": ""}}]), "failing"),
        (said(VERDICT, "error"), "failing"),
        (said(VERDICT, "insufficient_system_resource"), "failing"),
        ([], "failing"),
        (None, "failing"),
        (b"", "failing"),
        (b"data: {", "unusable"),
        (b"<!DOCTYPE html><html><title>Welcome</title></html>", "unusable"),
    ],
)  # fmt: skip
def test_what_is_a_failure_is_one(body: Any, kind: str) -> None:
    with pytest.raises(CallFailed) as caught:
        read(body)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    "start",
    ["data: ", "data:", "\n: keep-alive\n\ndata: ", "event: message\ndata: ", "id: 1\ndata: "],
)
def test_a_stream_is_a_setting_that_is_named_with_its_cure(start: str) -> None:
    chunk = json.dumps(
        {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "{"}}]}
    )
    with pytest.raises(CallFailed) as caught:
        read_completion(f"{start}{chunk}\n\ndata: [DONE]\n\n".encode(), {}, Form.JSON, now=NOW)
    assert (caught.value.kind, caught.value.cause) == ("unusable", "address")
    assert "turn streaming off" in caught.value.detail
    assert "stream of events" in caught.value.said  # on the command line, too
    assert caught.value.maybe_billed


def test_a_page_is_a_wrong_address_and_costs_nothing() -> None:
    with pytest.raises(CallFailed, match=r"MEDVID_JUDGE_BASE_URL.*Welcome") as caught:
        read(b"<html><title>Welcome</title></html>")
    assert not caught.value.maybe_billed


@pytest.mark.parametrize("billed", [True, False])
def test_a_failure_in_an_answer_costs_what_it_says(billed: bool) -> None:
    body = {"error": {"code": 502, "message": "no"}} | ({"usage": USAGE} if billed else {})
    with pytest.raises(CallFailed) as caught:
        read(body)
    assert caught.value.maybe_billed is billed
    assert caught.value.usage == (Usage(900, 25) if billed else None)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, Usage(900, 25)),
        ({"prompt_tokens": 900, "completion_tokens": 25}, Usage(900, 25)),
        (USAGE | {"total_tokens": 2925}, THOUGHT),  # reasoning in the total only
        (USAGE | {"completion_tokens_details": {"reasoning_tokens": 2000}}, THOUGHT),
        (USAGE | {"total_tokens": 2925, "completion_tokens_details": {"reasoning_tokens": 2000}},
         THOUGHT),
        ({"prompt_tokens": 900, "completion_tokens": 2025, "total_tokens": 2925,
          "completion_tokens_details": {"reasoning_tokens": 2000}}, THOUGHT),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 800}}, Usage(900, 25, 800)),
        (USAGE | {"prompt_cache_hit_tokens": 800}, Usage(900, 25, 800)),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 9000}}, Usage(900, 25, 900)),
        (USAGE | {"prompt_tokens_details": None}, Usage(900, 25)),
        ({"input_tokens": 900, "output_tokens": 25, "total_tokens": 925,
          "input_tokens_details": {"cached_tokens": 800}}, Usage(900, 25, 800)),
        ({"input_tokens": 900, "output_tokens": 25,
          "output_tokens_details": {"reasoning_tokens": 2000}}, THOUGHT),
        ({"prompt_tokens": -1, "input_tokens": 900, "output_tokens": 25}, None),
        ({"prompt_tokens": 900.0, "completion_tokens": 25.0}, Usage(900, 25)),
        ({"prompt_tokens": 900, "completion_tokens": 0}, Usage(900, 0)),
        ({"prompt_tokens": 900}, None),
        ({"completion_tokens": 25}, None),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": -900, "completion_tokens": 25}, None),
        ({"prompt_tokens": 900, "completion_tokens": -1}, None),
        ({"prompt_tokens": "900", "completion_tokens": "25"}, None),
        ({"prompt_tokens": True, "completion_tokens": True}, None),
        ({"prompt_tokens": 10**30, "completion_tokens": 25}, None),
        ({}, None),
        ("n/a", None),
        ([], None),
        (None, None),
    ],
)  # fmt: skip
def test_a_bill_is_believed_as_a_whole_or_not_at_all(usage: Any, expected: Usage | None) -> None:
    assert read_usage(usage) == expected


def test_who_answered_and_when_to_go_on_are_kept() -> None:
    headers = {
        "x-litellm-model-id": "stub",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
    }
    completion = read(answer(system_fingerprint="fp_1", model="m\0"), headers)
    assert completion.facts == {"x-litellm-model-id": "stub", "system_fingerprint": "fp_1"}
    assert completion.wait == 2
    assert completion.model == "m "


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"limit-requests": "600", "remaining-requests": "100", "reset-requests": "50s"},
         (100, 0.1)),
        # An answer of 925 tokens: 4 such calls are left, and one is earned in 5.55 s.
        ({"limit-requests": "600", "remaining-requests": "599", "reset-requests": "100ms",
          "limit-tokens": "10000", "remaining-tokens": "3700", "reset-tokens": "37.8s"},
         (4, 5.55)),
        ({"limit": "60", "remaining": "30", "reset": "30"}, (30, 1)),
        ({"limit": "20", "remaining": "19", "reset": "0.95"}, (19, 0.05)),  # a window has begun
        ({"limit": "60", "remaining": "60", "reset": "0"}, None),
        ({"limit": "60", "remaining": "-1", "reset": "9"}, None),
        ({"remaining": "9", "reset": "9"}, None),
        ({"limit": "60", "remaining": "9", "reset": "soon"}, None),
    ],
)  # fmt: skip
def test_what_is_left_of_a_rate_is_read(
    headers: dict[str, str], expected: tuple[float, float] | None
) -> None:
    told = {f"x-ratelimit-{name}": value for name, value in headers.items()}
    found = read(answer(), told).allowance
    assert found == (pytest.approx(expected) if expected else None)


OUTCOMES: Final = {
    "reply_200_error_429": "throttled",
    "reply_content_parts": Usage(900, 25),
    "reply_reasoning_outside_completion": THOUGHT,
    "reply_usage_not_object": None,
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_answers_seen_in_the_wild(name: str) -> None:
    body = json.loads((CASES / f"{name}.json").read_bytes())["body"]
    expected = OUTCOMES[name]
    if isinstance(expected, str):
        with pytest.raises(CallFailed) as caught:
            read(body)
        assert caught.value.kind == expected
    else:
        completion = read(body)
        assert verdict(completion) == SCORES
        assert completion.usage == expected


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "message", "content", "finish_reason", "usage", "model", "error", "text",
             "refusal", "type", "0", "prompt_tokens", "completion_tokens"]
        ),
        inner,
    ),
    max_leaves=15,
)  # fmt: skip


@given(JSON)
def test_nothing_but_a_completion_or_a_failure_comes_out(body: Any) -> None:
    try:
        completion = read(body)
    except CallFailed as failure:
        assert failure.detail.isprintable()  # noqa: PT017 - either is fine
    else:
        assert isinstance(completion, Completion)
        json.dumps([completion.content, completion.refusal, completion.model, completion.usage])
