"""Facts of a version that waits to take over, while those of the one before change."""

from __future__ import annotations

import pytest

from services.gateway.accounts.fact_history import followed


@pytest.mark.parametrize(
    ("facts", "was", "now", "after"),
    [
        ({"frames": 8}, {"frames": 8}, {"frames": 16}, {"frames": 16}),  # taken over
        ({"frames": 9}, {"frames": 8}, {"frames": 16}, {"frames": 9}),  # stated for itself
        ({}, {"uses_test_videos": None}, {"uses_test_videos": True}, {"uses_test_videos": True}),
        (
            {"uses_test_videos": False},
            {"uses_test_videos": None},
            {"uses_test_videos": True},
            {"uses_test_videos": False},
        ),
        ({"frames": 8, "licence": "MIT"}, {"frames": 8}, {"frames": None}, {"licence": "MIT"}),
        # They would not agree.
        (
            {"parameters": 7},
            {"active_parameters": None},
            {"active_parameters": 8},
            {"parameters": 7},
        ),
    ],
)
def test_what_a_version_took_over_follows_and_what_it_states_stays(
    facts: dict[str, object], was: dict[str, object], now: dict[str, object], after: object
) -> None:
    assert followed(facts, was, now) == after
