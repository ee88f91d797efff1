"""The promises of the store of API keys, and of those who use it."""

from __future__ import annotations

import asyncio
import hashlib
from uuid import UUID, uuid4

import pytest

from medvid.models.accounts import Scope
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.callers import IdentifyCaller
from services.gateway.accounts.guesses import Guesses
from services.gateway.accounts.keys import ManageKeys
from services.gateway.accounts.keys_store import KeyStore, KeyToStore
from services.gateway.accounts.rules import AccessRules, Caller, KeyQuotas
from services.gateway.web.errors import QuotaExhausted
from shared.runtime.errors import InvalidInput, NotAllowed, NotFound
from shared.storage.database import Database

BOTH: frozenset[Scope] = frozenset({"submit", "judge"})
ROOT = Caller("192.0.2.1", root=True)
ACT = AdminAction.of("administrator", "a larger quota", "r-1")
ADMIN_KEY = "the operator's own"


@pytest.fixture
def store(database: Database) -> KeyStore:
    return KeyStore(database)


def new(**changes: object) -> KeyToStore:
    given: dict[str, object] = {
        "id": uuid4(),
        "label": "CI",
        "owner": "lab@example.org",
        "key_sha256": hashlib.sha256(uuid4().bytes).digest(),
        "scopes": BOTH,
        "quotas": KeyQuotas(5, None, 0),
        "created_by": "administrator",
    }
    return KeyToStore(**(given | changes))  # type: ignore[arg-type]


async def test_a_key_is_found_by_its_hash_only(store: KeyStore) -> None:
    wanted = new()
    added = await store.add(wanted, most_a_day=None)
    assert await store.find(wanted.key_sha256) == added
    assert (added.id, added.scopes, added.quotas) == (wanted.id, BOTH, KeyQuotas(5, None, 0))
    assert added.last_used_at is added.revoked_at is None
    assert await store.find(bytes(32)) is None


async def test_use_is_noted_to_the_minute(store: KeyStore) -> None:
    wanted = new()
    await store.add(wanted, most_a_day=None)
    await store.used(wanted.id, wanted.key_sha256)
    first = await store.find(wanted.key_sha256)
    await store.used(wanted.id, wanted.key_sha256)
    again = await store.find(wanted.key_sha256)
    assert first is not None
    assert first.last_used_at is not None
    assert first == again


async def test_pages_come_newest_first_and_whole(store: KeyStore) -> None:
    ids = [(await store.add(new(), most_a_day=None)).id for _ in range(5)]
    found: list[UUID] = []
    before = None
    while page := await store.page(before, 2):
        found += [key.id for key in page]
        before = (page[-1].created_at, page[-1].id)
    assert found == ids[::-1]


async def test_revoking_twice_keeps_the_first_moment(store: KeyStore) -> None:
    wanted = new()
    await store.add(wanted, most_a_day=None)
    first = await store.revoke(wanted.id)
    assert first is not None
    assert first.revoked_at is not None
    assert await store.revoke(wanted.id) == first
    assert await store.revoke(uuid4()) is None


async def test_quotas_are_replaced_as_a_whole(store: KeyStore) -> None:
    wanted = new()
    await store.add(wanted, most_a_day=None)
    changed = await store.set_quotas(wanted.id, KeyQuotas(bytes_per_day=7))
    assert changed is not None
    assert changed.quotas == KeyQuotas(None, 7, None)
    assert await store.set_quotas(uuid4(), KeyQuotas()) is None


async def test_an_address_makes_so_many_keys_and_no_more(store: KeyStore) -> None:
    made = await asyncio.gather(
        *(store.add(new(created_by="address:a"), most_a_day=3) for _ in range(8)),
        return_exceptions=True,
    )
    refused = [each for each in made if isinstance(each, QuotaExhausted)]
    assert len(refused) == 5
    assert {each.error_code for each in refused} == {"registration_quota"}
    # A transaction that began before another made its key looks a moment further ahead.
    assert all(86_000 < each.retry_after < 86_460 for each in refused)
    await store.add(new(created_by="address:b"), most_a_day=3)


async def test_callers_are_distinguished(store: KeyStore) -> None:
    rules = AccessRules(administration=True, registration="open", anonymous_submissions=True)
    manage = ManageKeys(store, rules, 3)
    identify = IdentifyCaller(store, ADMIN_KEY)
    made = await manage.make(Caller("a"), "CI", "lab", BOTH, KeyQuotas())
    assert made.secret.startswith("mvk_")
    assert made.key.created_by == "address:a"
    found = await identify(made.secret, "b")
    assert found.key is not None
    assert (found.key.id, found.address, found.root, found.token) == (made.key.id, "b", False, None)
    noted = await identify(made.secret, "b")
    assert noted.key is not None
    assert noted.key.last_used_at is not None
    assert await identify(ADMIN_KEY, "b") == Caller("b", root=True)
    for unknown_token in ("mvb_token", f'"{made.secret}"', "$MEDVID_API_KEY", ADMIN_KEY[1:]):
        refused = Caller("b", token=unknown_token, understood=False)
        assert await identify(unknown_token, "b") == refused
    assert await identify(None, "b") == Caller("b")
    with pytest.raises(NotAllowed) as unknown:
        await identify(made.secret[:-1], "b")
    assert unknown.value.error_code == "unknown_key"
    await manage.revoke(found, made.key.id)  # its own
    with pytest.raises(NotAllowed) as revoked:
        await identify(made.secret, "b")
    assert revoked.value.error_code == "revoked_key"


async def test_keys_of_others_are_the_administrators(store: KeyStore) -> None:
    rules = AccessRules(administration=True, registration="open", anonymous_submissions=True)
    manage = ManageKeys(store, rules, 3)
    mine = await manage.make(Caller("a"), "CI", "lab", BOTH, KeyQuotas())
    other = Caller("a", key=(await manage.make(Caller("a"), "x", "y", BOTH, KeyQuotas())).key)
    for attempt in (
        manage.revoke(other, mine.key.id),
        manage.page(other, None, 10),
        manage.set_quotas(other, mine.key.id, KeyQuotas(1), ACT),
        manage.make(other, "CI", "lab", BOTH, KeyQuotas(submissions_per_day=10**6)),
    ):
        with pytest.raises(NotAllowed) as refusal:
            await attempt
        assert refusal.value.error_code == "missing_scope"
    assert len(await manage.page(ROOT, None, 10)) == 2
    assert (await manage.set_quotas(ROOT, mine.key.id, KeyQuotas(1), ACT)).quotas == KeyQuotas(1)
    with pytest.raises(InvalidInput):
        await manage.revoke(ROOT, mine.key.id)  # without a reason
    assert (await manage.revoke(ROOT, mine.key.id, "leaked")).revoked_at is not None
    with pytest.raises(NotFound):
        await manage.revoke(ROOT, uuid4(), "leaked")


async def test_keys_of_a_network_are_counted_together(store: KeyStore) -> None:
    for number in range(4):
        made = new(created_by=f"address:2001:db8:7:{number:x}00::/64")
        await store.add(made, most_a_day=2)
    with pytest.raises(QuotaExhausted, match="network 2001:db8:7::/48"):
        await store.add(new(created_by="address:2001:db8:7:9900::/64"), most_a_day=2)
    await store.add(new(created_by="address:2001:db8:8::/64"), most_a_day=2)
    await store.add(new(created_by="address:192.0.2.7"), most_a_day=2)
    await store.add(new(created_by="address:local"), most_a_day=2)


async def test_an_address_that_guesses_keys_has_to_wait(store: KeyStore) -> None:
    now = 0.0
    identify = IdentifyCaller(store, ADMIN_KEY, Guesses(2, lambda: now))
    await store.add(new(key_sha256=hashlib.sha256(b"mvk_right").digest()), most_a_day=None)
    assert not (await identify("a guess", "a")).root
    with pytest.raises(NotAllowed, match="no such API key"):
        await identify("mvk_wrong", "a")
    for secret in (ADMIN_KEY, "another guess", "mvk_wrong"):
        with pytest.raises(QuotaExhausted) as refusal:
            await identify(secret, "a")
        assert refusal.value.error_code == "too_many_guesses"
    # Nobody else waits, and nothing else of theirs does.
    assert (await identify(ADMIN_KEY, "b")).root
    assert not (await identify("mvb_token", "a")).root
    assert (await identify("mvk_right", "a")).key is not None
    now = 301
    assert (await identify(ADMIN_KEY, "a")).root


async def test_guesses_of_a_network_are_counted_together(store: KeyStore) -> None:
    identify = IdentifyCaller(store, ADMIN_KEY, Guesses(2, lambda: 0.0))
    for number in range(4):
        await identify("a guess", f"2001:db8:7:{number:x}00::/64")
    with pytest.raises(QuotaExhausted):
        await identify(ADMIN_KEY, "2001:db8:7:9900::/64")
