"""An admin action needs a reason that a reader can read."""

from __future__ import annotations

import pytest

from services.gateway.accounts.admin_actions import REASON_LIMIT, AdminAction
from shared.runtime.errors import InvalidInput


@pytest.mark.parametrize(
    "why", ["", " \n\t ", "x" * (REASON_LIMIT + 1), "a\0b", "a\u202eb", "\x1b[31mred", "\ud800"]
)
def test_what_is_no_reason_is_refused(why: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        AdminAction.of("administrator", why, "req")
    assert caught.value.error_code == "reason_required"
    assert caught.value.fix


def test_a_reason_is_kept_as_it_was_meant() -> None:
    assert AdminAction.of("key:1", "  asked by its owner:\r\ncafe\u0301 ", "req").why == (
        "asked by its owner:\ncafé"
    )
