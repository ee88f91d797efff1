"""Who may do what: every kind of caller under every rule."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from medvid.models.accounts import Scope
from services.gateway.accounts import credentials
from services.gateway.accounts.rules import AccessRules, ApiKey, Caller, KeyQuotas
from shared.runtime.errors import NotAllowed

OPEN = AccessRules(administration=True, registration="open", anonymous_submissions=True)
SHUT = AccessRules(administration=True, registration="closed", anonymous_submissions=False)
OFF = AccessRules(administration=False, registration="closed", anonymous_submissions=True)
NOW = datetime(2026, 4, 15, tzinfo=UTC)


def key(*scopes: Scope) -> ApiKey:
    return ApiKey(
        uuid4(), "l", "o", frozenset(scopes), KeyQuotas(), NOW, "administrator", None, None
    )


ANYONE = Caller("192.0.2.1")
ROOT = Caller("192.0.2.1", root=True)
TOKEN = Caller("192.0.2.1", token="mvb_x")  # noqa: S106 - made up
SUBMITTER = Caller("192.0.2.1", key=key("submit"))
JUDGE = Caller("192.0.2.1", key=key("judge"))
ADMIN = Caller("192.0.2.1", key=key("admin"))


@pytest.mark.parametrize(
    ("caller", "code"),
    [
        (ANYONE, "token_required"),
        (TOKEN, "administrator_required"),
        (SUBMITTER, "missing_scope"),
        (ROOT, None),
        (ADMIN, None),
    ],
)
def test_who_administers(caller: Caller, code: str | None) -> None:
    if code is None:
        OPEN.require_administrator(caller)
        return
    with pytest.raises(NotAllowed) as refusal:
        OPEN.require_administrator(caller)
    assert refusal.value.error_code == code


@pytest.mark.parametrize("caller", [ANYONE, TOKEN, SUBMITTER, ADMIN, ROOT])
def test_without_the_operators_key_nobody_administers(caller: Caller) -> None:
    assert not OFF.is_administrator(caller)
    with pytest.raises(NotAllowed, match="MEDVID_ADMIN_KEY") as refusal:
        OFF.require_administrator(caller)
    assert refusal.value.error_code == "administration_off"


@pytest.mark.parametrize(
    ("rules", "caller", "code"),
    [
        (OPEN, ANYONE, None),
        (OPEN, JUDGE, "missing_scope"),
        (OPEN, ADMIN, None),
        (SHUT, ANYONE, "key_required"),
        (SHUT, TOKEN, "key_required"),
        (SHUT, SUBMITTER, None),
        (SHUT, ROOT, None),
    ],
)
def test_who_submits(rules: AccessRules, caller: Caller, code: str | None) -> None:
    if code is None:
        rules.require_submitter(caller)
        return
    with pytest.raises(NotAllowed) as refusal:
        rules.require_submitter(caller)
    assert refusal.value.error_code == code


@pytest.mark.parametrize(
    ("rules", "caller", "scopes", "code"),
    [
        (OPEN, ANYONE, {"submit", "judge"}, None),
        (OPEN, ANYONE, {"admin"}, "administrator_required"),
        (OPEN, SUBMITTER, {"submit", "admin"}, "administrator_required"),
        (OPEN, ADMIN, {"admin"}, None),
        (SHUT, ANYONE, {"submit"}, "registration_closed"),
        (SHUT, ROOT, {"admin"}, None),
    ],
)
def test_who_makes_keys(
    rules: AccessRules, caller: Caller, scopes: set[Scope], code: str | None
) -> None:
    if code is None:
        rules.require_registrar(caller, scopes)
        return
    with pytest.raises(NotAllowed) as refusal:
        rules.require_registrar(caller, scopes)
    assert refusal.value.error_code == code


def test_a_submission_belongs_to_its_token_and_its_key() -> None:
    stored = credentials.sha256("mvb_mine")
    assert SUBMITTER.key is not None
    mine: UUID = SUBMITTER.key.id
    roles = {
        "token": OPEN.role(Caller("a", token="mvb_mine"), stored, mine),  # noqa: S106 - made up
        "other token": OPEN.role(TOKEN, stored, mine),
        "key": OPEN.role(SUBMITTER, stored, mine),
        "other key": OPEN.role(JUDGE, stored, mine),
        "key, but sent without one": OPEN.role(SUBMITTER, stored, None),
        "root": OPEN.role(ROOT, stored, None),
        "admin key": OPEN.role(ADMIN, stored, mine),
        "anyone": OPEN.role(ANYONE, stored, None),
        "root while off": OFF.role(ROOT, stored, None),
    }
    assert roles == {
        "token": "owner",
        "other token": None,
        "key": "owner",
        "other key": None,
        "key, but sent without one": None,
        "root": "administrator",
        "admin key": "administrator",
        "anyone": None,
        "root while off": None,
    }


def test_names_and_accounts() -> None:
    assert (ANYONE.name, ANYONE.account) == ("address:192.0.2.1", "address:192.0.2.1")
    assert ROOT.name == "administrator"
    assert SUBMITTER.key is not None
    assert SUBMITTER.name == SUBMITTER.account == f"key:{SUBMITTER.key.id}"
