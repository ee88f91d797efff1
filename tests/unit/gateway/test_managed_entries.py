"""What an administrator may do to an entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from services.gateway.admin import rules as steps
from services.gateway.admin.rules import ManagedEntry
from shared.runtime.errors import Conflict

NOW = datetime(2026, 5, 1, tzinfo=UTC)
DAY = date(2026, 5, 1)
ENTRY = ManagedEntry(
    id=uuid4(), board="community", model_name="Model", organization="Lab", team=None, authors=None,
    model_url=None, track=None, badges=(), submission_id=uuid4(), submission_state="ranked",
    submitted_on=DAY, verified_on=None, verification_note=None, listed=True, removed_at=None,
    contact="me@example.org", stub_judged=False,
)  # fmt: skip


def test_promotion_and_demotion_undo_each_other() -> None:
    official = steps.promoted(ENTRY, DAY, "ran it")
    assert (official.board, official.verified_on, official.verification_note) == (
        "official",
        DAY,
        "ran it",
    )
    assert steps.promoted(official, DAY, "ran it") == official
    assert steps.demoted(official) == ENTRY == steps.demoted(ENTRY)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"listed": False}, "not_scored_yet"),
        ({"stub_judged": True}, "stub_not_official"),
        ({"badges": ("judge_unconfirmed",)}, "unconfirmed_not_official"),
        ({"removed_at": NOW}, "entry_removed"),
    ],
)
def test_what_may_not_be_official_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(Conflict) as caught:
        steps.promoted(replace(ENTRY, **changes), DAY, None)  # type: ignore[arg-type]
    assert caught.value.error_code == code
    assert caught.value.fix


def test_editing_touches_only_what_is_given() -> None:
    edited = steps.edited(ENTRY, {"team": "T", "contact": None})
    assert edited == replace(ENTRY, team="T", contact=None)
    assert steps.edited(ENTRY, {}) == ENTRY


def test_only_a_submission_has_a_contact() -> None:
    by_hand = replace(ENTRY, submission_id=None, contact=None)
    assert steps.edited(by_hand, {"contact": None}) == by_hand
    with pytest.raises(Conflict, match="nobody to contact"):
        steps.edited(by_hand, {"contact": "me@example.org"})


def test_removal_is_undone_unless_the_submission_is_gone() -> None:
    removed = steps.removed(ENTRY, NOW)
    assert steps.removed(removed, datetime.now(UTC)) == removed
    assert steps.restored(removed) == ENTRY
    for step in (steps.demoted, lambda entry: steps.renamed(entry, "x")):
        with pytest.raises(Conflict, match="was removed"):
            step(removed)
    for state in ("withdrawn", "replaced", "failed"):
        with pytest.raises(Conflict, match=state):
            steps.restored(replace(removed, submission_state=state))


def test_the_log_names_a_changed_contact_and_does_not_hold_it() -> None:
    after = replace(ENTRY, contact="you@example.org", team="T")
    was, now = steps.changes(ENTRY, after)
    assert was == {"team": None, "contact": "given"}
    assert now == {"team": "T", "contact": "changed"}
    assert "example.org" not in f"{was}{now}"


def test_every_problem_of_fields_is_listed() -> None:
    clean, problems = steps.check_fields(
        {"model_name": " a\u202eb ", "model_url": "javascript:x", "team": "  ", "organization": "L"}
    )
    assert {problem.path for problem in problems} == {"$.model_name", "$.model_url"}
    assert clean["team"] is None
