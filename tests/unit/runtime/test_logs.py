"""Logs: one JSON line an event, and no local variables of frames."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from shared.runtime.logs import configure_logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def log_an_exception(format_: str) -> str:
    stream = io.StringIO()
    configure_logs("info", format_, "test", stream)  # type: ignore[arg-type]
    token = "a-secret-token"  # noqa: S105 - what must not be printed
    try:
        raise ValueError(len(token))
    except ValueError:
        structlog.get_logger().exception("it_failed")
    return stream.getvalue()


def test_json_lines_carry_event_service_and_exception() -> None:
    line = json.loads(log_an_exception("json"))
    assert (line["event"], line["service"], line["level"]) == ("it_failed", "test", "error")
    assert line["exception"][0]["exc_type"] == "ValueError"


@pytest.mark.parametrize("format_", ["json", "pretty"])
def test_local_variables_are_not_logged(format_: str) -> None:
    text = log_an_exception(format_)
    assert "ValueError" in text
    assert "a-secret-token" not in text.replace('token = "a-secret-token"', "")
