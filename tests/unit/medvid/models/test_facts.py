"""Facts of models: what is taken, what is refused and why, and which filters they pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from medvid.benchmark.tasks import SOURCES
from medvid.models.base import read_answer
from medvid.models.fact_texts import fact_texts, fact_values, shown_count, shown_fact
from medvid.models.facts import (
    EVERY_MODEL,
    FACTS,
    BoardFacts,
    FactFilters,
    ModelFacts,
    check_facts,
    differing,
    fact_badges,
    facts_of,
)

TODAY = datetime.now(UTC).date()
STATED: dict[str, Any] = {
    "parameters": 7_615_616_512,
    "active_parameters": 2.4e9,
    "open_weights": True,
    "licence": "Apache-2.0",
    "base_model": "Qwen2.5-VL-7B-Instruct",
    "released_on": "2025-01-26",
    "access": "local",
    "frames": 64,
    "resolution": "448x448",
    "trained_on": ["JIGSAWS", "AVOS", "AVOS"],
    "uses_test_videos": False,
    "usd_per_sample": 0.0125,
    "seconds_per_sample": 3,
    "prompt": "Watch the video.\r\n{question}",
}


def stored(**stated: Any) -> dict[str, object]:
    facts, problems = check_facts(stated)
    assert facts is not None, problems
    return facts.known_after({})


def test_what_is_stated_is_stored_in_one_form_and_served_again() -> None:
    found = stored(**STATED)
    assert list(found) == list(FACTS)
    assert found["active_parameters"] == 2_400_000_000
    assert found["trained_on"] == ["AVOS", "JIGSAWS"]
    assert found["prompt"] == "Watch the video.\n{question}"
    served = facts_of(found)
    assert served is not None
    assert served.model_dump(mode="json") == found
    assert stored(**found) == found


def test_unknown_is_no_value_and_not_a_no() -> None:
    assert stored(open_weights=None, trained_on=None) == {}
    assert stored(open_weights=False, trained_on=[]) == {"open_weights": False, "trained_on": []}
    assert facts_of({}) is None
    facts, _ = check_facts({"open_weights": None, "licence": "MIT"})
    assert facts is not None
    assert facts.known_after({"open_weights": True, "frames": 8}) == {"licence": "MIT", "frames": 8}
    assert differing({"frames": 8}, {"licence": "MIT"}) == (
        {"licence": None, "frames": 8},
        {"licence": "MIT", "frames": None},
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parameters", 0),
        ("parameters", 1e15 + 1),
        ("parameters", 7.5),
        ("parameters", float("inf")),
        ("parameters", True),
        ("parameters", "7 billion"),
        ("active_parameters", 8e9),  # more than all
        ("open_weights", "maybe"),
        ("open_weights", 1),
        ("licence", ""),
        ("licence", "x" * 101),
        ("licence", "M\u200bIT"),
        ("licence", "\u200d"),  # nothing to be seen
        ("base_model", "\u3164 \u2800"),
        ("frames", 10**30),
        ("base_model", "two\nlines"),
        ("released_on", "1999-12-31"),
        ("released_on", str(TODAY + timedelta(days=2))),
        ("released_on", "2025-1-26"),
        ("released_on", 1_700_000_000),
        ("access", "cloud"),
        ("frames", 0),
        ("resolution", "448"),
        ("resolution", "0x448"),
        ("trained_on", "AVOS"),
        ("trained_on", ["Kinetics"]),
        ("usd_per_sample", -1),
        ("usd_per_sample", 5e-324),
        ("seconds_per_sample", float("nan")),
        ("prompt", "x" * 4_001),
        ("prompt", "\ud800"),
        ("size", 7),
    ],
)
def test_what_is_no_value_of_a_fact_is_refused_with_its_name_and_the_cure(
    name: str, value: object
) -> None:
    facts, problems = check_facts({"parameters": 7e9, name: value}, "$.rows[3].facts")
    assert facts is None
    (problem,) = problems
    where = "$.rows[3].facts" if value == "\ud800" else f"$.rows[3].facts.{name}"
    assert problem.path.startswith(where)
    assert problem.expected
    assert problem.fix


def test_texts_of_forms_and_tables_say_the_same() -> None:
    found = stored(**STATED)
    assert stored(**fact_values(fact_texts(found))) == found
    assert fact_values({"open_weights": " YES ", "uses_test_videos": "no", "frames": ""}) == {
        "open_weights": True,
        "uses_test_videos": False,
        "frames": None,
    }
    assert fact_values({"trained_on": "AVOS, CoPESD"}) == {"trained_on": ["AVOS", "CoPESD"]}
    assert fact_values({"trained_on": "none"}) == {"trained_on": []}
    # What is no value stays as it is: refused, not guessed.
    for text in ("7 B", "1_000", "1e400", "\u0667", "-1"):
        facts, (problem,) = check_facts(fact_values({"parameters": text}))
        assert facts is None
        assert text in problem.found or text == "-1", problem  # as it was written
    # Separators alone do not say that there is none.
    for text in (";", " , ;", "none, AVOS"):
        assert check_facts(fact_values({"trained_on": text}))[0] is None, text
    assert stored(**fact_values({"trained_on": "None"})) == {"trained_on": []}
    assert str(stored(usd_per_sample=-0.0)) == "{'usd_per_sample': 0.0}"


def test_people_read_sizes_in_three_digits() -> None:
    sizes = (999, 350e6, 999_999_999, 7_615_616_512, 1.04e12)
    assert [*map(shown_count, sizes)] == ["999", "350 M", "1 B", "7.62 B", "1.04 T"]
    assert [shown_fact("open_weights", value) for value in (None, True, False)] == [
        "unknown",
        "yes",
        "no",
    ]


@pytest.mark.parametrize(
    ("text", "size"),
    [("8e9", 8e9), ("8000000000", 8e9), ("8B", None), ("NaN", None), ("inf", None), ("8_0", None),
     ("1e400", None), ("\uff18", None), ("0", None), ("-1", None), (" 8", None), ("1e16", None)],
)  # fmt: skip
def test_a_size_in_an_address_is_a_plain_number(text: str, size: float | None) -> None:
    if size is not None:
        assert FactFilters.model_validate({"max_params": text}).max_params == size
        return
    with pytest.raises(ValidationError):
        FactFilters.model_validate({"max_params": text})


def test_only_who_says_so_has_the_badge() -> None:
    assert fact_badges({"uses_test_videos": True}) == ("trained on test videos",)
    assert fact_badges({"uses_test_videos": False}) == fact_badges({}) == ()


def test_a_client_reads_what_a_newer_server_adds() -> None:
    newer = {"access": "edge", "trained_on": ["NewSet"], "hardware": "8 GPUs", "parameters": 7e9}
    found = read_answer(orjson.dumps(newer), ModelFacts)
    assert (found.access, found.trained_on, found.parameters) == ("edge", ["NewSet"], 7 * 10**9)


FACTS_OF_A_MODEL = st.builds(
    BoardFacts,
    parameters=st.none() | st.sampled_from([1, 7 * 10**9, 8 * 10**9, 10**15]),
    open_weights=st.none() | st.booleans(),
    licence=st.sampled_from([None, "MIT", "mit", "Apache-2.0"]),
    released_on=st.sampled_from([None, date(2024, 12, 31), date(2025, 1, 1)]),
    access=st.sampled_from([None, "api", "local"]),
    trained_on=st.none() | st.lists(st.sampled_from(SOURCES), max_size=3),
    uses_test_videos=st.none() | st.booleans(),
)
FILTERS_OF_A_READER = st.builds(
    FactFilters,
    open_weights=st.none() | st.booleans(),
    min_params=st.sampled_from([None, 1.0, 7e9, 8e9]),
    max_params=st.sampled_from([None, 7e9, 8e9]),
    licence=st.sampled_from([None, "MIT", "apache-2.0"]),
    access=st.sampled_from([None, "api", "local"]),
    trained_on_source=st.none() | st.sampled_from(SOURCES),
    uses_test_videos=st.none() | st.booleans(),
    released_after=st.sampled_from([None, date(2025, 1, 1)]),
)


def passes(name: str, asked: Any, facts: BoardFacts) -> bool:
    """What one filter means, in the plainest words."""
    size, day = facts.parameters, facts.released_on
    if name == "min_params":
        return size is not None and size >= asked
    if name == "max_params":
        return size is not None and size <= asked
    if name == "licence":
        return facts.licence is not None and facts.licence.lower() == asked.lower()
    if name == "trained_on_source":
        return facts.trained_on is not None and asked in facts.trained_on
    if name == "released_after":
        return day is not None and day >= asked
    stated = getattr(facts, name)
    return stated is not None and stated == asked


@given(FILTERS_OF_A_READER, FACTS_OF_A_MODEL)
def test_a_model_passes_where_it_passes_every_filter(
    filters: FactFilters, facts: BoardFacts
) -> None:
    asked = {name: value for name, value in filters if value is not None}
    each = {name: passes(name, value, facts) for name, value in asked.items()}
    assert filters.keep(facts) == all(each.values())
    for name, value in asked.items():
        assert FactFilters(**{name: value}).keep(facts) == each[name]
    # What is unknown passes none, and a model of which nothing is known passes without any.
    assert filters.keep(None) == filters.keep(BoardFacts()) == (filters == EVERY_MODEL)
    assert FactFilters.model_validate(filters.texts()) == filters
