"""Signing in to the administrators' pages, and forms that only our own pages can send."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from medvid.benchmark.tasks import METRIC_KEYS
from shared.storage.database import Database
from tests.acceptance.admin_browser import HOSTILE, Browser, signed_in
from tests.acceptance.administration_harness import KEY, WHY, Site, running_site
from tests.rows import add_listed_entry

VALUES = dict.fromkeys(METRIC_KEYS, 0.5)


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    async with running_site(database) as site:
        yield site


async def test_without_a_key_the_page_says_how_to_turn_it_on(database: Database) -> None:
    async with running_site(database, admin_key=None) as site:
        status, text = await Browser(site).get("/admin")
        assert status == 200
        assert "MEDVID_ADMIN_KEY" in text
        assert "<form" not in text


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_never_get(site: Site) -> None:
    browser = await signed_in(site)
    cookie = browser.set["medvid-admin"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/admin")
    assert not cookie["secure"]
    assert 0 < int(cookie["max-age"]) <= 3600
    rows = await site.database.pool.fetch("SELECT * FROM admin_sessions")
    assert len(rows) == 1
    assert cookie.value not in str(rows[0].values())
    assert KEY not in str(list(rows[0].values()))
    status, text = await browser.get("/admin")
    assert status == 200
    assert "Signed in as administrator" in text
    assert browser.answer["Cache-Control"] == "no-store"
    policy = browser.answer["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.findall(r"<script(?![^>]* src=)|\son[a-z]+=|<style|\sstyle=|javascript:", text)


async def test_over_https_the_cookie_is_secure_and_bound_to_the_host(site: Site) -> None:
    browser = Browser(site)
    browser.headers = {"X-Forwarded-Proto": "https"}
    assert await browser.sign_in() == 303
    cookie = browser.set["__Host-medvid-admin"]
    assert (bool(cookie["secure"]), cookie["path"], cookie["domain"]) == (True, "/", "")


async def test_a_wrong_key_opens_nothing(site: Site) -> None:
    for key in ("", KEY[:-1], "mvk_" + "x" * 43, HOSTILE):  # one less than may be tried
        browser = Browser(site)
        assert await browser.sign_in(key) in (401, 403), key
        assert "medvid-admin" not in browser.cookies
    assert await site.database.pool.fetchval("SELECT count(*) FROM admin_sessions") == 0


async def test_keys_cannot_be_tried_for_long(database: Database) -> None:
    async with running_site(database, admin_guesses=5) as site:
        browser = Browser(site)
        for _ in range(5):
            assert await browser.sign_in("wrong") == 401
        assert await browser.sign_in() == 429, "also with the right key"


async def test_a_key_without_the_scope_does_not_sign_in_and_a_revoked_one_is_out(
    site: Site,
) -> None:
    async def make(scope: str) -> dict[str, Any]:
        body = {"label": "x", "owner": "y", "scopes": [scope], "why": WHY}
        made: dict[str, Any] = (await site.ask("POST", "/keys", body))[1]
        return made

    assert await Browser(site).sign_in((await make("judge"))["key"]) == 403
    key = await make("admin")
    browser = Browser(site)
    assert await browser.sign_in(key["key"]) == 303
    _, text = await browser.get("/admin")
    assert f"Signed in as key:{key['id']}" in text
    await site.ask("POST", f"/keys/{key['id']}/revoke", {"why": WHY})
    _, text = await browser.get("/admin")
    assert "Sign in to administer" in text


async def test_sessions_end(site: Site) -> None:
    browser = await signed_in(site)
    stolen = dict(browser.cookies)
    status, _ = await browser.post("/admin/sign-out", csrf=await browser.token())
    assert status == 303
    assert "medvid-admin" not in browser.cookies
    thief = Browser(site)
    thief.cookies = stolen
    assert "Sign in to administer" in (await thief.get("/admin"))[1]

    browser = await signed_in(site)
    await site.database.pool.execute("UPDATE admin_sessions SET expires_at = now()")
    assert "Sign in to administer" in (await browser.get("/admin"))[1]
    browser = await signed_in(site)
    await site.database.pool.execute("UPDATE admin_sessions SET key_sha256 = sha256('another key')")
    assert "Sign in to administer" in (await browser.get("/admin"))[1]


FOREIGN: dict[str, tuple[dict[str, str], bool, bool]] = {
    # headers, whether the right token is sent, whether the right cookie is
    "no token": ({}, False, True),
    "no cookie": ({}, True, False),
    "another site says so itself": ({"Sec-Fetch-Site": "cross-site"}, True, True),
    "a sister site": ({"Sec-Fetch-Site": "same-site"}, True, True),
    "another origin": ({"Origin": "https://evil.example"}, True, True),
    "a hidden origin": ({"Origin": "null"}, True, True),
    "another port": ({"Origin": "http://127.0.0.1:1"}, True, True),
}


async def test_no_other_site_can_send_a_form(site: Site) -> None:
    entry = await add_listed_entry(site.database, "Model A", VALUES)
    signed = await signed_in(site)
    path = f"/admin/entries/{entry}"
    token = await signed.token(path)
    other = await (await signed_in(site)).token(path)
    assert token != other
    for case, (headers, with_token, with_cookie) in FOREIGN.items():
        browser = Browser(site)
        browser.headers = headers
        browser.cookies = dict(signed.cookies) if with_cookie else {}
        for sent in (token,) if with_token else ("", other, "0" * 64, HOSTILE):
            status, _ = await browser.post(path, csrf=sent, action="remove", why=WHY)
            assert status in (401, 403), case
            status, _ = await browser.post("/admin/sign-out", csrf=sent)
            assert status in (401, 403), case
    assert await site.database.pool.fetchval("SELECT removed_at FROM entries") is None
    assert await site.database.pool.fetchval("SELECT count(*) FROM admin_sessions") == 2


async def test_nobody_is_signed_in_by_another_site(site: Site) -> None:
    browser = Browser(site)
    for token in ("", "0" * 64):
        assert (await browser.post("/admin/sign-in", csrf=token, key=KEY))[0] == 403
    token = await browser.token()
    browser.cookies.clear()
    assert (await browser.post("/admin/sign-in", csrf=token, key=KEY))[0] == 403
    assert await site.database.pool.fetchval("SELECT count(*) FROM admin_sessions") == 0
