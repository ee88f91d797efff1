"""Form fields: every problem at once, each once, with a path."""

from __future__ import annotations

from medvid.benchmark.tasks import SOURCES
from services.gateway.submissions.forms import (
    FORM_FIELDS,
    check_fields,
    decode_fields,
    entry_fields,
    repeated,
)
from services.gateway.web.multipart import MAX_PARTS


def test_clean_values() -> None:
    texts, problems = decode_fields(
        {"model_name": " Cafe\u0301 ".encode(), "organization": b"Lab", "team": b"  "}
    )
    assert check_fields(texts, problems) == []
    fields = entry_fields(texts)
    assert (fields.model_name, fields.organization, fields.team, fields.track) == (
        "Café",
        "Lab",
        None,
        None,
    )


def test_each_field_is_named_once() -> None:
    texts, problems = decode_fields({"model_name": b"\xff", "modelname": b"x"})
    found = [(problem.code, problem.path) for problem in check_fields(texts, problems)]
    assert found == [
        ("invalid_utf8", "$.model_name"),
        ("unknown_field", "$.modelname"),
        ("missing_field", "$.organization"),
    ]


def test_a_form_has_room_for_every_field_and_a_box_for_every_source() -> None:
    assert len(FORM_FIELDS) + len(SOURCES) < MAX_PARTS


def test_odd_names_are_quoted_in_paths() -> None:
    assert repeated("a b\x07").path == '$["a b\\u0007"]'
    assert repeated("team").path == "$.team"
