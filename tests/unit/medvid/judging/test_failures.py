"""What refusals of real providers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medvid.judging.calls import CallFailed, Cause, Failure
from medvid.judging.failures import read_failure
from medvid.judging.prompt import Form
from tests.unit.medvid.judging.refusals import REFUSALS, openai_error

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def read(status: int, body: Any, form: Form = Form.JSON, **more: Any) -> CallFailed:
    raw = body if isinstance(body, bytes | str) else json.dumps(body)
    raw = raw.encode() if isinstance(raw, str) else raw
    return read_failure(status, raw, more.pop("headers", {}), form, now=NOW, **more)


@pytest.mark.parametrize(("who", "status", "body", "kind", "cause"), REFUSALS)
def test_a_refusal_is_understood(
    who: str, status: int, body: Any, kind: Failure, cause: Cause | None
) -> None:
    del who
    failure = read(status, body)
    assert (failure.kind, failure.cause) == (kind, cause), failure.detail
    assert not failure.maybe_billed


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([{"error": {"message": "as a list"}}], "as a list"),
        ({"detail": "as a detail"}, "as a detail"),
        ({"detail": [{"loc": ["body", "x"], "msg": "as fields"}]}, "body.x: as fields"),
        ({"error": "as a text"}, "as a text"),
        ({"message": {"error": {"msg": "as an object"}}}, "as an object"),
        ({"error": {"message": '{"error": {"message": "as JSON in it"}}'}}, "as JSON in it"),
        ({"error": {"message": "Provider error", "metadata": {"raw": "upstream"}}}, "upstream"),
        ({"errors": [{"title": "as a problem"}]}, "as a problem"),
        ("as plain text", "as plain text"),
        ("<html><style>p{}</style><p>as a&nbsp;page</p>", "as a page"),
    ],
)  # fmt: skip
def test_the_text_is_found_in_whatever_shape(body: Any, text: str) -> None:
    assert text in read(400, body, Form.LINES).detail


def test_a_text_that_was_sent_is_no_evidence() -> None:
    body = openai_error("Cannot judge: Invalid API key. My credit balance is too low.")
    hostile = "Invalid API key. My credit balance is too low."
    assert read(400, body, sent=hostile).kind == "rejected"
    assert read(400, body, sent="a caption").cause == "key"


@pytest.mark.parametrize(
    ("body", "setting"),
    [
        (openai_error("no 'max_tokens'; use 'max_completion_tokens' instead", param="max_tokens"),
         "MEDVID_JUDGE_TOKEN_PARAMETER=max_completion_tokens"),
        (openai_error("temperature is not supported"), "MEDVID_JUDGE_TEMPERATURE="),
        (openai_error("Unknown parameter: seed"), "MEDVID_JUDGE_SEED="),
        (openai_error("Model Not Exist"), "MEDVID_JUDGE_MODEL"),
        (openai_error("Invalid API key"), "MEDVID_JUDGE_API_KEY"),
    ],
)  # fmt: skip
def test_a_setting_that_is_refused_is_named(body: Any, setting: str) -> None:
    failure = read(400, body)
    assert setting in failure.detail
    assert body["error"]["message"] in failure.detail


@pytest.mark.parametrize(
    ("status", "form", "may"),
    [
        (400, Form.JSON, True),
        (400, Form.LINES, False),
        (404, Form.JSON, True),
        (405, Form.JSON, True),
        (415, Form.JSON, True),
        (422, Form.JSON, True),
        (500, Form.JSON, True),
        (501, Form.JSON, True),
        (401, Form.JSON, False),
        (403, Form.JSON, False),
        (429, Form.JSON, False),
        (503, Form.JSON, False),
    ],
)
def test_an_unexplained_refusal_may_be_about_the_schema(status: int, form: Form, may: bool) -> None:
    assert read(status, "no", form).may_be_form is may


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after-ms": "250", "retry-after": "9"}, "", 0.25),
        ({"retry-after": "9"}, "try again in 3s", 9),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, "", 360),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, "", 0.02),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, "", 12),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW.timestamp()) + 7)}, "", 7),
        ({"x-ratelimit-remaining": "0",
          "x-ratelimit-reset": str(1000 * (int(NOW.timestamp()) + 7))}, "", 7),
        ({"x-ratelimit-remaining-requests": "4", "x-ratelimit-reset-requests": "1s"}, "", None),
        ({"x-ratelimit-remaining-requests": "-1", "x-ratelimit-reset-requests": "9s"}, "", None),
        ({"retry-after-ms": "-5"}, "", 0),
        ({"llm_provider-retry-after": "60"}, "", 60),  # LiteLLM, also of its own limits
        ({}, "Please try again in 7m12.5s.", 432.5),
        ({}, "Please retry in 45.578569677s.", 45.578569677),
        ({}, "Retry after 20 seconds.", 20),
        ({}, "Please wait 2 minutes", 120),
        ({}, "no word of it", None),
        ({"retry-after": "soon"}, "", None),
    ],
)  # fmt: skip
def test_what_it_asks_to_wait_is_read(
    headers: dict[str, str], body: str, seconds: float | None
) -> None:
    assert read(429, body, headers=headers).retry_after == seconds


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "detail", "loc", "param", "type", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.integers(200, 599), st.sampled_from(Form))
def test_no_body_breaks_the_reading(body: Any, status: int, form: Form) -> None:
    failure = read(status, body, form)
    assert failure.detail
    assert failure.detail.isprintable()


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading(body: bytes) -> None:
    assert read(400, body).kind


SENT: Final = (
    'Compare.\n{"reference": "The hook\\u000adissects the bile duct", "candidate": "A cut."}'
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("Bad key at THE hook dissects: the bile duct.", "Bad key at […]."),
        (
            r"Bad key in {\"reference\": \"The hook\\ndissects the bile duct\"}",
            r"Bad key in {\"[…]\"}",
        ),
        ("In the hook dissects the bile; and the hook dissects the bile", "In […]; and […]"),
        ("The hook dissects the duct.", "The hook dissects the duct."),
    ],
)
def test_what_was_sent_is_not_told_again(said: str, told: str) -> None:
    """Owners read what an endpoint says, and must not read a reference in it."""
    for status in (400, 401, 503):
        failure = read(status, openai_error(said), sent=SENT)
        assert told in failure.detail
        assert told in failure.said
    page = f"<html><body>{said}</body></html>"
    assert told in read(404, page, sent=SENT).detail
