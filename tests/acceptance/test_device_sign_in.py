"""Signing in a program: codes, who answers them, keys; `medvid login` and `medvid logout`."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from medvid.cli import config_file
from medvid.cli.sign_in import login, logout
from shared.storage.database import Database
from tests.acceptance.sign_in_harness import Person, SignInSite, sign_in_site
from tests.commands import status_of
from tests.patience import HANG_SECONDS

PROGRAM = "medvid on laptop"


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[SignInSite]:
    async with sign_in_site(database, tmp_path, admin_guesses=5) as site:
        yield site


async def begin(site: SignInSite) -> dict[str, Any]:
    status, made = await Person(site).api("POST", "/sign-in/device", body={"label": PROGRAM})
    assert status == 200, made
    found: dict[str, Any] = made
    return found


async def poll(site: SignInSite, made: dict[str, Any], *, rested: bool = True) -> tuple[int, Any]:
    """Ask for the key, as if the program had waited since it last asked."""
    if rested:
        await site.database.pool.execute("UPDATE device_codes SET polled_at = '-infinity'")
    body = {"device_code": made["device_code"]}
    return await Person(site).api("POST", "/sign-in/device/key", body=body)


async def test_a_program_gets_a_key_once_its_user_says_yes(site: SignInSite) -> None:
    made = await begin(site)
    assert made["verification_uri"] == "http://127.0.0.1:8080/activate"
    assert (
        made["verification_uri_complete"] == f"{made['verification_uri']}?code={made['user_code']}"
    )
    assert await poll(site, made) == (202, {"state": "pending", "key": None})
    status, problem = await poll(site, made, rested=False)
    assert (status, problem["code"]) == (429, "slow_down")
    # Somebody who is not signed in is asked to, and comes back to the code.
    person = Person(site)
    address = f"/activate?code={made['user_code']}"
    status, page = await person.get(address)
    assert PROGRAM not in page
    assert "%2Factivate%3Fcode%3D" in page
    await person.sign_in("one", address.replace("?", "%3F").replace("=", "%3D"))
    assert person.location == address
    status, page = await person.get(address)
    assert PROGRAM in page
    assert made["user_code"] in page
    assert "127.0.0.1" in page
    assert made["device_code"] not in page
    status, page = await person.post(
        "/activate", page=address, code=made["user_code"].lower(), answer="allow"
    )
    assert "is allowed to act for you" in page
    status, found = await poll(site, made)
    assert (status, found["state"]) == (200, "allowed")
    headers = {"Authorization": f"Bearer {found['key']}"}
    assert (await site.gateway.get("/api/v1/keys/me", **headers))[0] == 200
    assert PROGRAM in (await person.get("/account"))[1]
    assert (await poll(site, made))[1]["code"] == "device_code_unknown"  # once
    async with site.gateway.client.post("/api/v1/sign-in/end", headers=headers) as answer:
        assert (answer.status, (await answer.json())["owner"]) == (200, "ada")
    assert (await site.gateway.get("/api/v1/keys/me", **headers))[0] == 401


async def test_a_program_that_is_refused_or_forgotten_gets_none(site: SignInSite) -> None:
    person = await site.signed_in()
    refused, late, forged = [await begin(site) for _ in range(3)]
    _, page = await person.post("/activate", code=refused["user_code"], answer="deny")
    assert "was refused" in page
    assert (await poll(site, refused))[1]["code"] == "device_code_denied"
    await site.database.pool.execute(
        "UPDATE device_codes SET expires_at = now() WHERE user_code = $1", late["user_code"]
    )
    status, _ = await person.post("/activate", code=late["user_code"], answer="allow")
    assert status == 404
    assert (await poll(site, late))[1]["code"] == "device_code_unknown"
    fields = {"code": forged["user_code"], "answer": "allow", "csrf": "0" * 64}
    assert (await person.ask("POST", "/activate", fields))[0] == 403
    assert (await poll(site, forged))[0] == 202
    # Of two who answer, the first is heard.
    await person.post("/activate", code=forged["user_code"], answer="allow")
    stranger = await site.signed_in("github")
    status, _ = await stranger.post("/activate", code=forged["user_code"], answer="allow")
    assert status == 404
    await site.database.pool.execute("UPDATE device_codes SET polled_at = '-infinity'")
    found = await asyncio.gather(*(poll(site, forged, rested=False) for _ in range(5)))
    assert sorted(status for status, _ in found) == [200, 404, 404, 404, 404]


async def test_codes_are_few_and_cannot_be_guessed(site: SignInSite) -> None:
    for _ in range(10):
        await begin(site)
    status, problem = await Person(site).api("POST", "/sign-in/device", body={"label": PROGRAM})
    assert (status, problem["code"]) == (429, "too_many_at_once")
    person = await site.signed_in()
    statuses = [(await person.get(f"/activate?code=BBBB-BBB{letter}"))[0] for letter in "BCDFGH"]
    assert statuses == [404, 404, 404, 404, 404, 429]


async def test_login_keeps_a_key_and_logout_ends_it(
    site: SignInSite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    allowed = threading.Event()
    monkeypatch.setattr(time, "sleep", lambda _: allowed.wait(HANG_SECONDS))
    url = site.gateway.url
    running = asyncio.create_task(asyncio.to_thread(status_of, login, label=PROGRAM, url=url))
    person = await site.signed_in()
    while not (code := await site.database.pool.fetchval("SELECT user_code FROM device_codes")):
        await asyncio.sleep(0.01)
    await person.post("/activate", code=code, answer="allow")
    allowed.set()
    assert await running == 0
    shown = capsys.readouterr()
    assert code in shown.err
    assert "Signed in as ada" in shown.out
    assert config_file.read_file()["api_key"].startswith("mvk_")
    assert PROGRAM in (await person.get("/account"))[1]
    assert await asyncio.to_thread(status_of, login, url=url) == 1  # there is a key already
    assert await asyncio.to_thread(status_of, logout) == 0
    assert capsys.readouterr().out == "Signed out of ada.\n"
    assert "api_key" not in config_file.read_file()
    assert PROGRAM not in (await person.get("/account"))[1]
