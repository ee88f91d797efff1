"""Who may do how much, and how it is told."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.gateway.accounts.quota_rules import (
    QuotaLimits,
    QuotaRules,
    Use,
    check_bytes,
    check_judge_runs,
    check_repeat,
    check_submissions,
    check_validations,
    shown_time,
    tightest,
)
from services.gateway.accounts.rules import ApiKey, Caller, KeyQuotas
from services.gateway.web.errors import QuotaExhausted

NOW = datetime(2026, 4, 15, 12, 0, 0, tzinfo=UTC)
RULES = QuotaRules(keys=QuotaLimits(50, 1000, 30, 60), addresses=QuotaLimits(5, 100, 2, 9))


def with_key(quotas: KeyQuotas) -> Caller:
    key = ApiKey(uuid4(), "l", "o", frozenset({"submit"}), quotas, NOW, "x", None, None)
    return Caller("192.0.2.1", key=key)


def test_a_keys_own_quotas_win_one_by_one() -> None:
    assert RULES.limits(Caller("192.0.2.1")) == QuotaLimits(5, 100, 2, 9)
    assert RULES.limits(with_key(KeyQuotas())) == QuotaLimits(50, 1000, 30, 60)
    assert RULES.limits(with_key(KeyQuotas(0, None, 7))) == QuotaLimits(0, 1000, 7, 60)


def test_the_next_slot_is_named() -> None:
    check_submissions(Use(5, 4))
    with pytest.raises(QuotaExhausted) as refusal:
        check_submissions(Use(5, 5, next_in=3600.4), NOW)
    assert "5 of 5 submissions in 24 hours" in refusal.value.detail
    assert "2026-04-15 13:00:01 UTC" in refusal.value.detail
    assert refusal.value.retry_after == 3601
    with pytest.raises(QuotaExhausted, match="13:00:00 UTC") as refusal:
        check_judge_runs(Use(1, 1, next_in=3600), NOW)
    assert refusal.value.error_code == "judging_quota"


def test_bytes_need_room_for_the_whole_upload() -> None:
    check_bytes(Use(100, 90), 10)
    with pytest.raises(QuotaExhausted) as refusal:
        check_bytes(Use(100, 90, next_in=5), 11, NOW)
    assert refusal.value.error_code == "byte_quota"
    with pytest.raises(QuotaExhausted) as refusal:
        check_bytes(Use(100, 0), 101)
    assert refusal.value.error_code == "quota_exhausted"  # no waiting helps


@pytest.mark.parametrize("check", [check_submissions, check_judge_runs, check_validations])
def test_a_quota_of_none_never_ends(check: object) -> None:
    assert callable(check)
    with pytest.raises(QuotaExhausted) as refusal:
        check(Use(0, 0))
    assert refusal.value.error_code == "quota_exhausted"


def test_times_are_rounded_up() -> None:
    assert shown_time(0, NOW) == "2026-04-15 12:00:00 UTC"
    assert shown_time(0.001, NOW) == "2026-04-15 12:00:01 UTC"
    assert shown_time(-5, NOW) == "2026-04-15 12:00:00 UTC"


def test_networks_around_an_address_pay_too() -> None:
    account = RULES.account(Caller("2001:db8:1:2ff::/64"))
    assert account.limits == QuotaLimits(5, 100, 2, 9)
    assert [(each.name, each.limits) for each in account.wider] == [
        ("address:2001:db8:1:200::/56", QuotaLimits(8, 150, 3, 14, 8, 150)),
        ("address:2001:db8:1::/48", QuotaLimits(10, 200, 4, 18, 10, 200)),
    ]
    assert RULES.account(with_key(KeyQuotas())).wider == ()


def test_what_leaves_least_decides() -> None:
    wide, full = Use(8, 7, network="2001:db8::/56"), Use(10, 10, 60.0, "2001:db8::/48")
    assert tightest([Use(5, 1), wide]) == wide
    assert tightest([Use(5, 5, 30.0), wide, full]) == full
    with pytest.raises(QuotaExhausted, match="are used by 2001:db8::/48; the next"):
        check_submissions(tightest([Use(5, 5, 30.0), full]), NOW)


def test_a_true_repeat_is_answered_though_nothing_is_left() -> None:
    check_repeat(Use(100, 100, 5.0))
    with pytest.raises(QuotaExhausted) as refusal:
        check_repeat(Use(100, 101, 5.0), NOW)
    assert refusal.value.error_code == "byte_quota"
