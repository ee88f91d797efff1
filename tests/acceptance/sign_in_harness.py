"""A gateway with two fake identity providers, and browsers that sign in there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import urlsplit

import aiohttp
import orjson

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, running_gateway
from tests.fakes.identity_provider import CLIENT, SECRET, FakeProvider, fake_provider
from tests.servers import free_port

_TOKEN: Final = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
_FILE: Final = """
private_networks = true
[providers.one]
kind = "oidc"
name = "One"
issuer = "{one}"
{client}
{more}
[providers.github]
issuer = "{two}"
{client}
administrators = ["583231"]
"""


@dataclass(slots=True)
class SignInSite:
    """A gateway where people sign in, and the providers: one of OpenID Connect, and a GitHub."""

    gateway: Gateway
    one: FakeProvider
    github: FakeProvider

    @property
    def database(self) -> Database:
        return self.gateway.database

    async def signed_in(self, provider: str = "one", back: str = "") -> Person:
        """Return a browser in which somebody has just signed in."""
        person = Person(self)
        status, text = await person.sign_in(provider, back)
        assert status == 303, text
        return person


@dataclass(slots=True)
class Person:
    """A browser: it keeps cookies, and says where its requests come from."""

    site: SignInSite
    cookies: dict[str, str] = field(default_factory=dict)
    set: list[str] = field(default_factory=list)
    location: str = ""

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        return await self.ask("GET", path, headers=headers)

    async def ask(
        self, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Send a request with the cookies; gives status and text."""
        given = dict(headers or {})
        if self.cookies:
            given["Cookie"] = "; ".join(f'{name}="{v}"' for name, v in self.cookies.items())
        url = self.site.gateway.url + path
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.request(method, url, data=data, headers=given, allow_redirects=False) as answer,
        ):
            self.set = answer.headers.getall("Set-Cookie", [])
            for name, morsel in answer.cookies.items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
            self.location = answer.headers.get("Location", "")
            return answer.status, await answer.text()

    async def post(self, path: str, *, page: str = "/account", **fields: Any) -> tuple[int, str]:
        """Send a form of a page."""
        token = (await self.form_token(page)) if "csrf" not in fields else fields.pop("csrf")
        headers = {"Origin": self.site.gateway.url, "Sec-Fetch-Site": "same-origin"}
        return await self.ask("POST", path, {"csrf": token, **fields}, headers)

    async def form_token(self, page: str = "/account") -> str:
        _, text = await self.get(page)
        found = _TOKEN.search(text)
        assert found, text
        return found[1]

    async def sign_in(self, provider: str = "one", back: str = "") -> tuple[int, str]:
        """Go to a provider and back; gives the last answer."""
        return await self.come_back(await self.go(provider, back))

    async def go(self, provider: str = "one", back: str = "") -> str:
        """Go to a provider; gives the address that it sends the browser back to."""
        query = f"?return={back}" if back else ""
        status, text = await self.get(f"/sign-in/{provider}{query}")
        assert status == 303, text
        async with (
            aiohttp.ClientSession() as client,
            client.get(self.location, allow_redirects=False) as answer,
        ):
            assert answer.status == 302, await answer.text()
            return answer.headers["Location"]

    async def come_back(self, address: str) -> tuple[int, str]:
        """Follow a provider's redirect."""
        found = urlsplit(address)
        return await self.get(f"{found.path}?{found.query}")

    async def api(
        self, method: str, path: str, *, token: str | None = None, body: Any = None
    ) -> tuple[int, Any]:
        """Ask the API as a script of a page does."""
        headers = {"Sec-Fetch-Site": "same-origin"} | ({"X-Form-Token": token} if token else {})
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", orjson.dumps(body)
        status, text = await self.ask(method, f"/api/v1{path}", data, headers)
        return status, orjson.loads(text or "null")


@asynccontextmanager
async def sign_in_site(
    database: Database, folder: Path, *, more: str = "", **changes: Any
) -> AsyncIterator[SignInSite]:
    """Run all of it; `more` are lines of the first provider's table."""
    async with fake_provider(free_port()) as one, fake_provider(free_port()) as github:
        path = folder / "sign-in.toml"
        client = f'client_id = "{CLIENT}"\nclient_secret_env = "FAKE_SECRET"'
        text = _FILE.format(one=one.issuer, two=github.issuer, client=client, more=more)
        path.write_text(text, "utf-8")
        given = {"sign_in": path, "public_url": "http://127.0.0.1:8080", **changes}
        with patch.dict("os.environ", {"FAKE_SECRET": SECRET}):
            async with running_gateway(database, **given) as gateway:
                yield SignInSite(gateway, one, github)
