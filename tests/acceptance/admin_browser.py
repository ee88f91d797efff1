"""A browser on the administrators' pages: it keeps cookies and sends forms."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from typing import Any, Protocol

import aiohttp

from tests.acceptance.administration_harness import KEY, WHY, Site

HOSTILE = "<script>alert(1)</script>\"'&"
TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


class HasUrl(Protocol):
    @property
    def url(self) -> str: ...


class Browser:
    """Keeps cookies as browsers do, and shows what it was sent."""

    def __init__(self, site: HasUrl) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.set: SimpleCookie = SimpleCookie()
        self.headers: dict[str, str] = {}

    async def get(self, path: str) -> tuple[int, str]:
        return await self.send("GET", path, None)

    async def post(self, path: str, **fields: Any) -> tuple[int, str]:
        return await self.send("POST", path, fields)

    async def send(self, method: str, path: str, fields: Any) -> tuple[int, str]:
        headers = dict(self.headers)
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client,
            client.request(
                method, self.site.url + path, data=fields, headers=headers, allow_redirects=False
            ) as response,
        ):
            for name, morsel in response.cookies.items():
                self.set[name] = morsel
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
            self.answer = response.headers
            return response.status, await response.text()

    async def token(self, path: str = "/admin") -> str:
        _, text = await self.get(path)
        found = TOKEN.search(text)
        assert found, text
        return found[1]

    async def sign_in(self, key: str = KEY) -> int:
        status, _ = await self.post("/admin/sign-in", csrf=await self.token(), key=key)
        return status

    async def do(self, path: str, action: str, **fields: Any) -> tuple[int, str]:
        token = await self.token(path)
        return await self.post(path, csrf=token, action=action, **{"why": WHY, **fields})


async def signed_in(site: Site) -> Browser:
    browser = Browser(site)
    assert await browser.sign_in() == 303
    return browser
