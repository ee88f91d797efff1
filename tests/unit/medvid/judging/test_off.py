"""Who judges and until when, or why nobody does, in words for everybody."""

from __future__ import annotations

from datetime import date

import pytest

from medvid.judging.off import OFF, off, said_of

TODAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (None, "m judges. No end of it is known."),
        (date(2027, 1, 14), "m judges. Its provider takes it away on 2027-01-14, in 46 days."),
        (date(2026, 11, 30), "m judges. Its provider takes it away on 2026-11-30, in 1 day."),
        (TODAY, "m judges. Its provider takes it away on 2026-11-29, today."),
        (date(2026, 11, 28),
         "m judges. Its provider took it away on 2026-11-28: captions stay unjudged."),
    ],
)  # fmt: skip
def test_the_end_of_a_model_is_said_as_a_day_and_as_days_left(
    ends: date | None, words: str
) -> None:
    assert said_of("m", None, ends, TODAY, is_stub=False) == words


def test_nobody_judges_for_a_reason_with_a_cure() -> None:
    says = said_of(None, "no_model", None, TODAY, is_stub=False)
    assert says == "Judging is off: no model is set for the judge."
    assert off("no_model").for_others.startswith("Operators: set MEDVID_JUDGE_MODEL, which has no")
    assert off(None) == off("some code of another version") == OFF["no_provider"]
    assert "its numbers mean nothing" in said_of("s", None, None, TODAY, is_stub=True)
