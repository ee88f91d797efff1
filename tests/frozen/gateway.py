"""What a running gateway shows: its document, its addresses, its headers, its forms, its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any, Final
from unittest.mock import patch

import aiohttp
from aiohttp import web

from tests.frozen import product

_KEY: Final = "the-administrators-own-and-long-key"
_API: Final = "/api/v1"
_NOBODY: Final = "00000000-0000-4000-8000-000000000000"
_MASKED: Final = ("content-length", "date", "etag", "last-modified", "x-request-id")
"""Headers of which only the name is frozen."""
_ASKED: Final = (
    ("GET", "/"),
    ("GET", "/about"),
    ("GET", "/admin"),
    ("GET", "/docs"),
    ("GET", "/feed.atom"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/nowhere"),
    ("GET", "/readyz"),
    ("GET", "/static/icon.svg"),
    ("GET", "/status"),
    ("GET", f"/submissions/{_NOBODY}"),
    ("GET", "/submit"),
    ("GET", "/.well-known/security.txt"),
    ("GET", f"{_API}/admin/audit"),
    ("GET", f"{_API}/leaderboards"),
    ("GET", f"{_API}/leaderboards/community"),
    ("GET", f"{_API}/leaderboards/community.csv"),
    ("GET", f"{_API}/nowhere"),
    ("GET", f"{_API}/openapi.json"),
    ("GET", f"{_API}/status"),
    ("GET", f"{_API}/submissions/{_NOBODY}"),
    ("HEAD", f"{_API}/leaderboards/community"),
    ("OPTIONS", f"{_API}/leaderboards"),
    ("OPTIONS", f"{_API}/submissions"),
    ("POST", f"{_API}/leaderboards"),
    ("POST", f"{_API}/submissions"),
)
_TABLES: Final = (
    f"{_API}/leaderboards/community.csv",
    f"{_API}/admin/boards/export?format=csv",
)
_PUBLIC_PAGES: Final = ("/", "/compare", "/docs", "/status", "/submit")


@dataclass(slots=True)
class Shown:
    """What a gateway showed."""

    document: dict[str, Any] = field(default_factory=dict)
    routes: list[str] = field(default_factory=list)
    headers: dict[str, list[str]] = field(default_factory=dict)
    forms: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)


async def look(database: Any) -> Shown:
    """Run a gateway with everything on, and look at it."""
    shown = Shown()
    settings = {"admin_key": _KEY, "security_contact": "mailto:security@example.org"}
    with _applications() as applications:
        async with product.operations_server():
            operations = applications.pop()
        async with product.running_gateway(database, **settings) as gateway:
            (application,) = applications
            shown.routes = sorted(
                [*_routes("gateway", application), *_routes("operations", operations)]
            )
            async with aiohttp.ClientSession(
                gateway.url, cookie_jar=aiohttp.CookieJar(unsafe=True)
            ) as browser:
                await _look_around(browser, shown)
    return shown


@contextmanager
def _applications() -> Iterator[list[web.Application]]:
    """Collect every application of the HTTP library that is served meanwhile."""
    found: list[web.Application] = []
    setup = web.AppRunner.setup

    async def noted(runner: web.AppRunner) -> None:
        found.append(runner.app)
        await setup(runner)

    with patch.object(web.AppRunner, "setup", noted):
        yield found


def _routes(server: str, application: web.Application) -> Iterator[str]:
    methods: dict[str, set[str]] = {}
    for route in application.router.routes():
        address = route.resource.canonical if route.resource is not None else "(none)"
        methods.setdefault(address, set()).add(route.method)
    for address, known in methods.items():
        yield f"{address}  {' '.join(sorted(known))}  ({server})"


async def _look_around(browser: aiohttp.ClientSession, shown: Shown) -> None:
    for method, path in _ASKED:
        async with browser.request(method, path, allow_redirects=False) as response:
            shown.headers[f"{method} {path}"] = _headers(response)
            if path == f"{_API}/openapi.json":
                shown.document = json.loads(await response.text())
    for path in _TABLES:
        async with browser.get(path, headers={"Authorization": f"Bearer {_KEY}"}) as response:
            shown.tables[f"GET {path}"] = (await response.text()).splitlines()[0]
    for path in _PUBLIC_PAGES:
        await _read_forms(browser, path, shown)
    await _sign_in(browser, shown)


async def _sign_in(browser: aiohttp.ClientSession, shown: Shown) -> None:
    """Sign in to the administrators' pages, note the cookies, and read every page's forms."""
    await _read_forms(browser, "/admin", shown)
    shown.forms["/admin, before the sign-in"] = shown.forms.pop("/admin")
    for scheme in ("https", "http"):
        headers = {"X-Forwarded-Proto": scheme}
        async with browser.get("/admin", headers=headers) as response:
            token = re.search(r'name="csrf" value="([^"]*)"', await response.text())
        assert token is not None
        async with browser.post(
            "/admin/sign-in",
            data={"csrf": token[1], "key": _KEY},
            headers=headers,
            allow_redirects=False,
        ) as response:
            assert response.status == 303, await response.text()
            shown.headers[f"POST /admin/sign-in over {scheme}"] = _headers(response)
    pages = {line.split()[0] for line in shown.routes if re.match(r"/admin\S*  GET\b", line)}
    for path in sorted(page for page in pages if "{" not in page and "export" not in page):
        await _read_forms(browser, path, shown)


def _headers(response: aiohttp.ClientResponse) -> list[str]:
    found = [f"status {response.status}"]
    for name, value in sorted(response.headers.items()):
        if name == "Set-Cookie":
            found += [f"{name}: {_cookie(value)}"]
        else:
            found.append(f"{name}: {'(changes)' if name.lower() in _MASKED else value}")
    return found


def _cookie(text: str) -> str:
    """Return a cookie without what changes: its value, unless it is empty, and its end."""
    ((name, morsel),) = SimpleCookie(text).items()
    kept = {key: value for key, value in morsel.items() if value not in ("", False)}
    if "expires" in kept and kept.get("max-age") != "0":
        kept["expires"] = "(changes)"
    value = "(changes)" if morsel.value else ""
    return "; ".join([f"{name}={value}", *(f"{key}={kept[key]}" for key in sorted(kept))])


async def _read_forms(browser: aiohttp.ClientSession, path: str, shown: Shown) -> None:
    async with browser.get(path) as response:
        assert response.status == 200, path
        reader = _Forms()
        reader.feed(await response.text())
    shown.forms[path] = reader.found


class _Forms(HTMLParser):
    """Reads the forms of a page: where they lead, and what each of their fields is called."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._option: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            method = (given.get("method") or "get").upper()
            kind = f" ({given['enctype']})" if given.get("enctype") else ""
            self.found.append(f"{method} {given.get('action') or '(the page itself)'}{kind}")
        elif tag in ("button", "input", "select", "textarea") and given.get("name"):
            facts = [tag if tag != "input" else given.get("type") or "text"]
            if given.get("type") in ("hidden", "checkbox", "radio") or tag == "button":
                value = given.get("value") or ""
                facts.append(f"value {value if len(value) < 40 else '(changes)'}")
            facts += [name for name in ("required", "multiple") if name in given]
            self.found.append(f"    {given['name']}: {', '.join(facts)}")
        elif tag == "option":
            self._option = repr(given["value"] or "") if "value" in given else ""

    def handle_data(self, data: str) -> None:
        if self._option == "":  # its text is its value
            self._option = repr(data.strip())

    def handle_endtag(self, tag: str) -> None:
        if tag == "option":
            self.found.append(f"        option {self._option}")
            self._option = None
