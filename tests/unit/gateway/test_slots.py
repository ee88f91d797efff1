"""What is open at the same time is counted, in all and by address."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from services.gateway.web.errors import QuotaExhausted
from services.gateway.web.slots import Slots
from shared.runtime.errors import Unavailable


def test_slots_end_for_an_address_and_for_all() -> None:
    slots = Slots("uploads", total=3, per_address=2)
    with ExitStack() as stack:
        for address in ("a", "a", "b"):
            stack.enter_context(slots.taken(address))
        with pytest.raises(Unavailable, match="too many uploads"):
            stack.enter_context(slots.taken("b"))
        assert slots.open == 3
    assert slots.open == 0
    with slots.taken("a"), slots.taken("a"):
        with pytest.raises(QuotaExhausted) as refusal, slots.taken("a"):
            pass
        assert refusal.value.error_code == "too_many_at_once"
        with slots.taken("b"):
            assert slots.open == 3


def test_a_slot_is_free_again_after_a_failure() -> None:
    slots = Slots("uploads", total=1, per_address=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.taken("a"):
            raise ZeroDivisionError
    assert slots.open == 0


def test_a_network_has_slots_too() -> None:
    slots = Slots("uploads", total=100, per_address=2)
    with ExitStack() as stack:
        for number in range(4):
            stack.enter_context(slots.taken(f"2001:db8:0:{number:x}00::/64"))
        with pytest.raises(QuotaExhausted, match="network 2001:db8::/48"):
            stack.enter_context(slots.taken("2001:db8:0:ff00::/64"))
        stack.enter_context(slots.taken("2001:db8:1::/64"))
        assert slots.open == 5
    assert slots.open == 0
