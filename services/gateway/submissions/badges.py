"""The badges that the system itself gives entries, and what they tell readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from medvid.judging.badges import JUDGES_MISSING, OWN_FAMILY, STUB_JUDGE, UNCONFIRMED_JUDGE
from medvid.models.facts import TEST_VIDEOS
from medvid.models.notes import OBJECTION, OBJECTION_RESOLVED
from services.gateway.accounts.marks import is_mark

PARTIAL: Final = "partial coverage"

MEANINGS: Final = {
    PARTIAL: "Some test samples have no prediction; they count as not answered",
    STUB_JUDGE: "Judged by the stand-in, for demonstration only",
    UNCONFIRMED_JUDGE: "A gateway names another model than the judge's: who judged is not certain",
    JUDGES_MISSING: "A judge of the panel did not answer: judged by the others alone",
    OWN_FAMILY: "A judge is of its family of models, or of its base model's, and may be kind to it",
    TEST_VIDEOS: "Videos of the test set were among its training data",
    OBJECTION: "Somebody objects to this result; the entry's page says what was said",
    OBJECTION_RESOLVED: "An objection to this result was resolved; the entry's page says how",
}

_VERIFIED: Final = "Sent by somebody whose identity a provider confirmed; the result is not checked"


def meaning(badge: str) -> tuple[str, str]:
    """Return what a badge tells readers and its class, '' where there is none."""
    if is_mark(badge):
        return _VERIFIED, " verified"
    return (MEANINGS[badge], " note") if badge in MEANINGS else ("", "")


def earned(report: Mapping[str, object]) -> list[str]:
    """Return the badges that a file earns by its validation report."""
    answered, samples = report.get("answered"), report.get("samples")
    if isinstance(answered, int) and isinstance(samples, int) and answered < samples:
        return [PARTIAL]
    return []
