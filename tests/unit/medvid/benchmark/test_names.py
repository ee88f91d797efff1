"""Names: what makes them equal, and what they may hold."""

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medvid.benchmark.names import DASHES, check_entry_fields, clean_name, name_key
from tests.depth import examples

VALID = {"model_name": "Qwen3-VL 4B (β)", "organization": "Université 東京"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("GPT", "gpt"),
        ("é", "e\u0301"),
        ("Straße", "STRASSE"),
        (" a ", "a"),
        ("\u0390", "\u03b9\u0308\u0301"),
        ("GPT\u20114", "gpt-4"),
        ("a\u2013\u2014\u2212b", "A---B"),
        ("a  b", "a b"),
        ("a\u00a0\u3000 b", "a b"),
    ],
)
def test_names_that_read_alike_share_a_key(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


@settings(max_examples=examples(200))
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_key_is_its_own_key(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)
    assert name_key(f" {name}\u3000") == name_key(name)


def test_every_dash_of_unicode_is_known() -> None:
    dashes = {
        chr(number)
        for number in range(sys.maxunicode + 1)
        if unicodedata.category(chr(number)) == "Pd"
    }
    assert dashes - {"-"} <= set(DASHES)
    assert len(set(DASHES)) == len(DASHES)


def test_keys_are_stable_and_cleaning_keeps_case() -> None:
    assert name_key(name_key("ǰ̣A")) == name_key("ǰ̣A")
    assert clean_name("  Cafe\u0301 ") == "Café"


def test_plain_fields_pass() -> None:
    url = {"model_url": "https://example.org/a?b=c#d", "track": "", "team": None}
    assert check_entry_fields(VALID | url) == []


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"model_name": None}, "missing_field", "$.model_name"),
        ({"model_name": " \u3000"}, "empty_field", "$.model_name"),
        ({"model_name": 5}, "wrong_type", "$.model_name"),
        ({"model_name": "a" * 101}, "field_too_long", "$.model_name"),
        ({"model_name": "a\0"}, "nul_character", "$.model_name"),
        ({"model_name": "a\nb"}, "forbidden_character", "$.model_name"),
        ({"model_name": "a\u202eb"}, "forbidden_character", "$.model_name"),
        ({"model_name": "a\u200db"}, "forbidden_character", "$.model_name"),
        ({"team": "a\ud800"}, "lone_surrogate", "$.team"),
        ({"model_name": "GPT-5\ufe0f"}, "forbidden_character", "$.model_name"),
        ({"model_name": "GPT\u034f-5"}, "forbidden_character", "$.model_name"),
        ({"model_name": "GPT-5\u3164"}, "forbidden_character", "$.model_name"),
        ({"model_name": "\u3164 \uffa0"}, "empty_field", "$.model_name"),
        ({"team": "\u2800\ufe0f"}, "empty_field", "$.team"),
        ({"organization": "a\u2066b"}, "forbidden_character", "$.organization"),
        ({"model_url": "javascript:alert(1)"}, "invalid_url", "$.model_url"),
        ({"model_url": "//example.org"}, "invalid_url", "$.model_url"),
        ({"model_url": "https://"}, "invalid_url", "$.model_url"),
        ({"model_url": "https://a b.org"}, "invalid_url", "$.model_url"),
        ({"model_url": "https://user@example.org"}, "invalid_url", "$.model_url"),
        ({"model_url": "http://[::1"}, "invalid_url", "$.model_url"),
        ({"model_url": "http://a:99999"}, "invalid_url", "$.model_url"),
    ],
)
def test_problems_are_named(change: dict[str, object], code: str, path: str) -> None:
    assert [(p.code, p.path) for p in check_entry_fields(VALID | change)] == [(code, path)]


def test_all_problems_are_reported_and_can_be_written_as_utf8() -> None:
    problems = check_entry_fields({"model_name": "\ud800" * 200, "model_url": "x", "team": "\x1b"})
    assert len(problems) == 5
    for problem in problems:
        problem.found.encode()


@pytest.mark.parametrize("name", ["\u0645\u200c\u0631", "\u845b\U000e0100\u57ce"])
def test_joiners_and_variants_may_stand_in_the_name_of_a_person(name: str) -> None:
    assert check_entry_fields(VALID | {"authors": name}) == []
