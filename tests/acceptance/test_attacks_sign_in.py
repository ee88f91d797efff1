"""Attacks on signing in: forged tokens, stolen and replayed answers, faulty providers, guesses."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from shared.storage.database import Database
from tests.acceptance.sign_in_harness import Person, SignInSite, sign_in_site
from tests.depth import deep
from tests.fakes import identity_provider as fake

NOW = int(time.time())
FORGED: dict[str, Callable[[fake.FakeProvider, dict[str, Any]], str]] = {
    "unsigned": fake.unsigned,
    "signed with the public key as an HMAC's": fake.signed_with_public_key,
    "signed with the client's secret": fake.signed_with_client_secret,
    "signed by another key": fake.signed_by_another,
    "signed by a key that it brings": fake.signed_with_embedded_key,
    "altered": fake.altered,
    "no token": lambda *_: "no token",
    "of five parts": lambda me, claims: f"{me.signed(claims)}.a.b",
    "of an unknown key": lambda me, claims: me.signed(claims, kid="unknown"),
    "of an odd header": lambda *_: f"{fake.part({'alg': 'RS256', 'crit': 7})}.e30.e30",
    "huge": lambda me, claims: me.signed(claims | {"filler": "x" * 150_000}),
}
WRONG: list[dict[str, Any]] = [
    {"nonce": "another's"},
    {"nonce": None},
    {"aud": "another client"},
    {"aud": None},
    {"aud": [fake.CLIENT, "another client"]},
    {"aud": [fake.CLIENT, "another client"], "azp": "another client"},
    {"aud": fake.CLIENT, "azp": "another client"},
    {"aud": 7},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"exp": NOW - 120},
    {"exp": None},
    {"exp": "never"},
    {"iat": NOW + 3_600},
    {"iat": None},
    {"nbf": NOW + 3_600},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "x" * 256},
    {"sub": "a\0b"},
    {"sub": "а"},  # noqa: RUF001 - no ASCII
]


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[SignInSite]:
    async with sign_in_site(database, tmp_path) as site:
        yield site


async def refused(person: Person, address: str, *, status: int = 403) -> str:
    """Come back from a provider with an answer that must open nothing."""
    before = await sessions(person.site)
    found, text = await person.come_back(address)
    assert found == status, text
    assert "medvid-account" not in person.cookies
    assert await sessions(person.site) == before
    return text


async def sessions(site: SignInSite) -> int:
    count: int = await site.database.pool.fetchval("SELECT count(*) FROM sign_ins")
    return count


def changed(address: str, **parts: str | None) -> str:
    """Return an address with other values in its query; None takes one out."""
    found = urlsplit(address)
    query = {key: value for key, (value,) in parse_qs(found.query).items()} | parts
    kept = {key: value for key, value in query.items() if value is not None}
    return found._replace(query=urlencode(kept)).geturl()


async def test_no_token_is_believed_that_fails_one_check(site: SignInSite) -> None:
    for claims in WRONG:
        site.one.claims = claims
        site.one.userinfo = {"sub": claims.get("sub")}
        text = await refused(person := Person(site), await person.go())
        assert "not valid" in text, claims
        assert "another" not in text  # what a provider says is shown to nobody
    site.one.claims, site.one.userinfo = {}, {}
    for name, seal in FORGED.items():
        site.one.seal = seal
        text = await refused(person := Person(site), await person.go())
        assert "not valid" in text, name
    site.one.seal = lambda me, claims: me.signed(claims)
    site.one.userinfo = {"sub": "somebody else"}
    await refused(person := Person(site), await person.go())
    site.one.userinfo = {}
    site.one.claims = {"aud": [fake.CLIENT, "another"], "azp": fake.CLIENT, "exp": time.time() + 9}
    assert (await Person(site).sign_in())[0] == 303


async def test_an_answer_is_worth_nothing_in_another_browser_or_twice(site: SignInSite) -> None:
    person, thief = Person(site), Person(site)
    address = await person.go()
    await refused(thief, address)  # without an attempt
    await thief.go()
    await refused(thief, address)  # with another one
    # The victim is sent the answer to the thief's sign-in, to be signed in as the thief.
    await refused(person, await thief.go())
    # A stolen code, under the thief's own state: the verifier is the victim's.
    (code,) = parse_qs(urlsplit(address).query)["code"]
    own = await thief.go()
    await refused(thief, changed(own, code=code))
    person = Person(site)
    address, kept = await person.go(), dict(person.cookies)
    assert (await person.come_back(address))[0] == 303
    await refused(Person(site, dict(kept)), address)  # the code is spent
    site.one.used.clear()  # at a provider that takes it twice:
    await refused(Person(site, dict(kept)), address)
    await person.post("/sign-out")
    site.one.used.clear()
    await refused(Person(site, dict(kept)), address)


async def test_answers_without_their_parts_open_nothing(site: SignInSite) -> None:
    person = Person(site)
    address = await person.go()
    for parts in (
        {"state": None},
        {"state": ""},
        {"state": "é"},
        {"code": None},
        {"code": "x" * 3_000},
        {"code": "unknown"},
        {"iss": "https://evil.example"},
        {"error": "access_denied"},
        {"error": "<script>", "code": None},
    ):
        text = await refused(person, changed(address, **parts))
        assert "<script>alert" not in text
        assert "&lt;script" not in text
    # Another provider of the file hands it back: mixed up.
    mixed = address.replace("/sign-in/one/", "/sign-in/github/")
    await refused(person, mixed)
    assert (await person.come_back(address.replace("/one/", "/none/")))[0] == 404
    assert (await person.come_back(address))[0] == 303  # nothing of it has spent the code


async def test_nobody_is_led_elsewhere_after_signing_in(site: SignInSite) -> None:
    for back in (
        "https://evil.example",
        "//evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "/account%0d%0aSet-Cookie:a=b",
        "javascript:alert(1)",
        "/..//evil.example",
    ):
        person = await site.signed_in("one", back)
        assert person.location == "/account", back
        text = (await Person(site).get(f"/account?return={back}"))[1]
        assert "evil" not in text
        assert "javascript:" not in text
    # Nor by a cookie that somebody made.
    person = Person(site)
    address = await person.go()
    secret = person.cookies["medvid-sign-in"].partition(".")[0]
    person.cookies["medvid-sign-in"] = f"{secret}.Ly9ldmlsLmV4YW1wbGU"
    await person.come_back(address)
    assert person.location == "/account"


async def test_a_provider_that_fails_is_told_as_that_and_nothing_is_kept(site: SignInSite) -> None:
    for path in ("/token", "/jwks", "/userinfo"):
        for fault in ("huge", "redirect", "html", "broken"):
            site.one.faults = {path: fault}
            text = await refused(person := Person(site), await person.go(), status=503)
            assert "One did not answer as it must" in text
            assert site.one.issuer not in text
    site.one.faults = {}
    site.one.published = [{"kty": "oct", "k": "c2VjcmV0"}, {"kty": "RSA", "n": "x"}]
    site.github.faults = {"/api/v3/user": "html"}
    await refused(person := Person(site), await person.go("github"), status=503)
    site.github.faults = {}
    assert (await Person(site).sign_in("github"))[0] == 303


@deep
async def test_a_provider_that_never_answers_holds_nobody_for_long(site: SignInSite) -> None:
    person = Person(site)
    address = await person.go()
    site.one.faults = {"/token": "slow"}
    begun = time.monotonic()
    await refused(person, address, status=503)
    assert time.monotonic() - begun < 15


async def test_codes_that_are_made_up_cost_a_provider_a_few_calls(
    database: Database, tmp_path: Path
) -> None:
    async with sign_in_site(database, tmp_path, admin_guesses=5) as site:
        person = Person(site)
        address = await person.go()
        for number in range(8):
            await refused(person, changed(address, state=f"guess {number}"))
        assert site.one.asked["/token"] == 0
        for number in range(5):  # a browser's own state helps it little
            await refused(person, changed(address, code=f"guess {number}"))
        await refused(person, changed(address, code="guess"), status=429)
        await refused(person, address, status=429)
        assert site.one.asked["/token"] == 5


async def test_two_tabs_of_a_browser_sign_in_side_by_side(site: SignInSite) -> None:
    person = Person(site)
    first, second = await person.go("one", "/submit"), await person.go("github")
    assert (await person.come_back(first))[0] == 303
    assert person.location == "/submit"
    assert (await person.come_back(second))[0] == 303
    assert "Signed in with GitHub" in (await person.get("/account"))[1]
    assert "medvid-sign-in" not in person.cookies
