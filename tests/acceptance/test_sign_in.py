"""Signing in over HTTP: an account each, its budget and mark, its keys, administrators."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson
import pytest

from services.gateway.accounts.marks import VERIFIED
from shared.storage.database import Database
from tests.acceptance.gateway_harness import records, running_gateway
from tests.acceptance.sign_in_harness import Person, SignInSite, sign_in_site

FILE = orjson.dumps(records())


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[SignInSite]:
    async with sign_in_site(database, tmp_path, anonymous_submissions=False) as site:
        yield site


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def key_of(person: Person, label: str = "CI") -> str:
    """Make a key on the account page."""
    status, text = await person.post("/account", action="make_key", label=label)
    found = re.search(r"mvk_[\w-]+", text)
    assert status == 200, text
    assert found, text
    return found[0]


async def test_nobody_signs_in_unless_it_is_set_up(database: Database) -> None:
    async with running_gateway(database) as gateway:
        for path in ("/account", "/activate", "/sign-in/orcid", "/sign-in/orcid/callback"):
            assert (await gateway.get(path))[0] == 404
        _, _, page = await gateway.get("/submit")
        assert b"Sign in" not in page
        assert b"Account" not in page
        body = {"label": "a program"}
        async with gateway.client.post("/api/v1/sign-in/device", json=body) as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "sign_in_off")


async def test_one_person_has_one_account_whatever_it_is_called(site: SignInSite) -> None:
    first = await site.signed_in()
    assert first.location == "/account"
    status, page = await first.get("/account")
    assert status == 200
    assert "Signed in with One" in page
    assert "subject-1" in page
    assert site.one.issuer in page
    site.one.name = "ada lovelace"
    again = await site.signed_in()
    assert "ada lovelace" in (await again.get("/account"))[1]
    site.one.subject = "subject-2"
    await site.signed_in()
    site.one.subject = "subject-1"
    accounts = await site.database.pool.fetch(
        "SELECT * FROM identities JOIN api_keys ON id = key_id"
    )
    assert {(row["subject"], row["owner"]) for row in accounts} == {
        ("subject-1", "ada lovelace"),
        ("subject-2", "ada lovelace"),
    }
    assert all(row["created_by"] == "sign_in:one" for row in accounts)
    assert all(set(row["scopes"]) == {"submit", "judge"} for row in accounts)


async def test_a_session_is_a_cookie_of_this_browser_alone(site: SignInSite) -> None:
    person = Person(site)
    person.cookies["medvid-account"] = "fixed-by-somebody"
    await person.sign_in()
    (cookie,) = (each for each in person.set if each.startswith("medvid-account="))
    assert person.cookies["medvid-account"] != "fixed-by-somebody"
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    rows = await site.database.pool.fetch("SELECT * FROM sign_ins")
    assert person.cookies["medvid-account"] not in str([list(row.values()) for row in rows])
    old = dict(person.cookies)
    await person.sign_in()  # as another, from the same browser: the session of before has ended
    stale = Person(site, old)
    assert "Sign in with One" in (await stale.get("/account"))[1]
    assert (await person.post("/sign-out"))[0] == 303
    assert "medvid-account" not in person.cookies
    assert "Sign in with One" in (await Person(site, dict(person.cookies)).get("/account"))[1]


async def test_over_https_cookies_are_safe_ones(site: SignInSite) -> None:
    person = Person(site)
    await person.get("/sign-in/one", **{"X-Forwarded-Proto": "https"})
    (cookie,) = person.set
    assert cookie.startswith("__Host-medvid-sign-in=")
    assert "Secure" in cookie
    assert "SameSite=Lax" in cookie


async def test_what_a_provider_is_asked_is_what_the_standards_say(site: SignInSite) -> None:
    person = Person(site)
    await person.get("/sign-in/one")
    asked = {key: value for key, (value,) in parse_qs(urlsplit(person.location).query).items()}
    assert asked["response_type"] == "code"
    assert asked["redirect_uri"] == "http://127.0.0.1:8080/sign-in/one/callback"
    assert asked["scope"] == "openid profile"
    assert asked["code_challenge_method"] == "S256"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert person.cookies["medvid-sign-in"] not in person.location


async def test_browser_program_and_key_share_one_budget_and_own_the_same(site: SignInSite) -> None:
    person = await site.signed_in()
    status, problem = await site.gateway.submit(FILE)
    assert (status, problem["code"]) == (401, "key_required")
    assert "medvid login" in problem["fix"]
    key = await key_of(person)
    status, receipt = await site.gateway.submit(FILE, headers=bearer(key), model_name="Ours")
    assert status == 202
    headers = {"Origin": site.gateway.url, "Sec-Fetch-Site": "same-origin"}
    data = aiohttp.FormData({"model_name": "Second", "organization": "Lab"})
    data.add_field("file", FILE, filename="predictions.json")
    status, text = await person.ask("POST", "/submit", data, headers)
    assert status == 202, text
    _, page = await person.get("/account")
    assert "Ours" in page
    assert "Second" in page
    assert "2 of 50" in page
    async with site.gateway.client.get("/api/v1/quotas", headers=bearer(key)) as answer:
        assert (await answer.json())["submissions"]["used"] == 2
    # The page shows its owner everything, without any token.
    _, page = await person.get(f"/submissions/{receipt['id']}")
    found = re.search(r'data-form-token="(\w+)"', page)
    assert found
    assert 'data-owner="yes"' in page
    path = f"/submissions/{receipt['id']}"
    assert "report" in (await person.api("GET", path, token=found[1]))[1]
    assert (await person.api("POST", f"{path}/withdraw", token=found[1], body={}))[0] == 204
    stranger = await site.signed_in("github")
    assert 'data-owner="no"' in (await stranger.get(f"/submissions/{receipt['id']}"))[1]


async def test_other_sites_get_nothing_done_by_a_browsers_cookie(site: SignInSite) -> None:
    person = await site.signed_in()
    _, receipt = await site.gateway.submit(FILE, headers=bearer(await key_of(person)))
    path = f"/submissions/{receipt['id']}"
    for token in (None, "0" * 64):
        assert "report" not in (await person.api("GET", path, token=token))[1]
        status, answer = await person.api("POST", f"{path}/withdraw", token=token, body={})
        assert (status, answer["code"]) == (401, "token_required")
    form = {"model_name": "M", "organization": "L"}
    for headers in (
        {},
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert (await person.ask("POST", "/submit", form, headers))[0] in (401, 403)
    token = await person.form_token()
    before = await site.database.pool.fetchval("SELECT count(*) FROM sign_ins")
    for fields, headers in (
        ({"action": "make_key", "label": "x", "csrf": "0" * 64}, {}),
        ({"action": "make_key", "label": "x", "csrf": token}, {"Origin": "https://evil.example"}),
        ({"action": "make_key", "label": "x"}, {}),
    ):
        assert (await person.ask("POST", "/account", fields, headers))[0] == 403
    assert (await person.ask("POST", "/sign-out", {"csrf": "0" * 64}))[0] == 403
    assert await site.database.pool.fetchval("SELECT count(*) FROM sign_ins") == before


async def test_entries_are_marked_and_named_only_as_their_owner_says(site: SignInSite) -> None:
    person = await site.signed_in()
    key = await key_of(person)
    badges = "SELECT badges FROM entries WHERE model_name = $1"

    async def of(name: str) -> Any:
        return await site.database.pool.fetchval(badges, name)

    await site.gateway.submit(FILE, headers=bearer(key), model_name="First")
    assert await of("First") == [VERIFIED]
    await person.post("/account", action="show_name", shown="yes")
    assert await of("First") == ["verified: One ada"]
    revision = "SELECT revision FROM boards WHERE board = 'community'"
    before = await site.database.pool.fetchval(revision)
    await site.gateway.submit(FILE, headers=bearer(key), model_name="Second")
    assert await of("Second") == ["verified: One ada"]
    site.one.name = "countess"
    await site.signed_in()
    assert await of("First") == ["verified: One countess"]
    assert await site.database.pool.fetchval(revision) > before
    await person.post("/account", action="show_name")
    assert await of("First") == await of("Second") == [VERIFIED]
    stranger = await site.signed_in("github")
    await site.gateway.submit(FILE, headers=bearer(await key_of(stranger)), model_name="Third")
    await person.post("/account", action="show_name", shown="yes")
    assert await of("Third") == [VERIFIED]


async def test_a_name_is_whose_the_provider_says_it_is_now(site: SignInSite) -> None:
    """Logins are given up and taken by others: entries must not name the wrong person."""
    badges = "SELECT badges[1] FROM entries WHERE model_name = $1"
    first = await site.signed_in()
    await site.gateway.submit(FILE, headers=bearer(await key_of(first)), model_name="First")
    await first.post("/account", action="show_name", shown="yes")
    site.one.subject, site.one.name = "subject-2", "Ada"
    second = await site.signed_in()
    assert await site.database.pool.fetchval(badges, "First") == VERIFIED
    await second.post("/account", action="show_name", shown="yes")
    await site.gateway.submit(FILE, headers=bearer(await key_of(second)), model_name="Second")
    assert await site.database.pool.fetchval(badges, "Second") == "verified: One Ada"
    await site.database.pool.execute("UPDATE identities SET shown_at = NULL")
    status, page = await first.post("/account", action="show_name", shown="yes")
    assert status == 409
    assert "Somebody else is called ada at One by now" in page
    assert await site.database.pool.fetchval(badges, "First") == VERIFIED


async def test_a_name_that_comes_and_goes_ranks_boards_a_few_times(site: SignInSite) -> None:
    person = await site.signed_in()
    await site.gateway.submit(FILE, headers=bearer(await key_of(person)), model_name="First")
    revision = "SELECT revision FROM boards WHERE board = 'community'"
    before = await site.database.pool.fetchval(revision)
    for _ in range(3):
        await person.post("/account", action="show_name", shown="yes")
        await person.post("/account", action="show_name")
    assert await site.database.pool.fetchval(revision) == before + 2
    assert not await site.database.pool.fetchval("SELECT name_shown FROM identities")
    await site.database.pool.execute("UPDATE identities SET shown_at = now() - interval '61 min'")
    assert (await person.post("/account", action="show_name", shown="yes"))[0] == 200


async def test_an_account_has_so_many_browsers_and_no_more(site: SignInSite) -> None:
    first = await site.signed_in()
    await site.database.pool.execute(
        "INSERT INTO sign_ins (token_sha256, key_id, kind, label, expires_at)"
        " SELECT sha256(n::text::bytea), key_id, 'browser', 'browser', now() + interval '1 day'"
        " FROM identities, generate_series(1, 20) AS n"
    )
    person = await site.signed_in()
    assert (await person.get("/account"))[1].count("A browser") == 20
    assert "Sign in with One" in (await first.get("/account"))[1]  # the oldest has ended


async def test_keys_end_one_by_one_and_the_account_with_all(site: SignInSite) -> None:
    person = await site.signed_in()
    key, other = await key_of(person), await key_of(person, "other")
    rows = dict(await site.database.pool.fetch("SELECT label, id::text FROM sign_ins"))
    stranger = await site.signed_in("github")
    await stranger.post("/account", action="end", id=rows["CI"])
    me = "/api/v1/keys/me"
    assert (await site.gateway.get(me, **bearer(key)))[0] == 200
    await person.post("/account", action="end", id=rows["CI"])
    assert (await site.gateway.get(me, **bearer(key)))[0] == 401
    status, _, body = await site.gateway.get(me, **bearer(other))
    account = orjson.loads(body)["id"]
    assert status == 200
    revoke, root = f"/api/v1/keys/{account}/revoke", {"why": "a test asked for it"}
    async with site.gateway.client.post(revoke, json=root, headers=bearer(other)) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "account_stays")
    await site.database.pool.execute(
        "UPDATE api_keys SET revoked_at = now() WHERE id = $1::text::uuid", account
    )
    assert (await site.gateway.get(me, **bearer(other)))[0] == 401
    assert "Sign in with One" in (await person.get("/account"))[1]
    status, text = await Person(site).sign_in()
    assert status == 401
    assert "closed your account" in text


async def test_a_github_user_is_known_by_number(site: SignInSite) -> None:
    person = await site.signed_in("github")
    page = (await person.get("/account"))[1]
    assert "583231" in page
    site.github.name = "another-login"
    again = await site.signed_in("github")
    assert "another-login" in (await again.get("/account"))[1]
    assert await site.database.pool.fetchval("SELECT count(*) FROM identities") == 1
    for changed in ({"id": "583231"}, {"id": True}, {"id": None}):
        site.github.userinfo = changed
        status, text = await Person(site).sign_in("github")
        assert status == 503, text


async def test_administrators_are_those_of_the_file(site: SignInSite) -> None:
    stranger = await site.signed_in()
    assert "Administrator's key" in (await stranger.get("/admin"))[1]
    assert 'href="/sign-in/github?return=' in (await stranger.get("/admin"))[1]
    person = await site.signed_in("github", "/admin")
    assert person.location == "/admin"
    status, page = await person.get("/admin")
    assert status == 200
    assert "Signed in as github:583231 (ada)" in page
    fields = {"action": "pause", "why": "a test asked for it"}
    assert (await person.post("/admin", page="/admin", csrf="0" * 64, **fields))[0] == 403
    status, page = await person.post("/admin", page="/admin", **fields)
    assert status == 200, page
    lines = await site.database.pool.fetch("SELECT who, action FROM audit_log ORDER BY id")
    assert [tuple(line) for line in lines] == [
        ("github:583231 (ada)", "sign_in"),
        ("github:583231 (ada)", "pause"),
    ]
    # A key that a program gets by signing in is no administrator's.
    key = await key_of(person)
    assert (await site.gateway.get("/api/v1/admin/audit", **bearer(key)))[0] == 403
    # Its administration ends before its session.
    await site.database.pool.execute("UPDATE sign_ins SET created_at = now() - interval '2 hours'")
    assert "Administrator's key" in (await person.get("/admin"))[1]
    assert "Signed in with GitHub" in (await person.get("/account"))[1]
    person = await site.signed_in("github")
    assert (await person.post("/admin/sign-out", page="/admin"))[0] == 303
    assert "Sign in with" in (await person.get("/account"))[1]


async def test_claims_may_make_administrators_and_shut_others_out(
    database: Database, tmp_path: Path
) -> None:
    more = 'administrator_claims = {groups = "admins"}\nonly_administrators = true'
    async with sign_in_site(database, tmp_path, more=more) as site:
        for groups in ("users", ["users", "admins2"], None):
            site.one.userinfo = {"groups": groups}
            status, text = await Person(site).sign_in()
            assert status == 403
            assert "Only administrators" in text
        assert await database.pool.fetchval("SELECT count(*) FROM identities") == 0
        site.one.userinfo = {"groups": ["users", "admins"]}
        person = await site.signed_in()
        assert "one:subject-1 (ada)" in (await person.get("/admin"))[1]
        await database.pool.execute("UPDATE sign_ins SET claims_sha256 = sha256('another file')")
        assert "one:subject-1" not in (await person.get("/admin"))[1]
