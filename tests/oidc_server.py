"""The npm package oidc-provider, an OpenID Connect provider that nobody here wrote, for deep tests.

What tests/oidc_provider/package-lock.json names is installed once, below var/.
"""

# ruff: noqa: S603 - every command here is ours

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import aiohttp

from tests.processes import LOOPBACK, Process, free_port

SOURCE: Final = Path(__file__).parent / "oidc_provider"
_HOME: Final = Path(__file__).parents[1] / "var" / "oidc-provider"
_STEPS: Final = 12
_FORM: Final = re.compile(r'<form[^>]* action="([^"]+)"')
_HIDDEN: Final = re.compile(r'name="(\w+)" value="(\w+)"')


class NoNode(Exception):
    """The packages cannot be installed; the text is the end of what npm says."""


def install() -> Path:
    """Return the folder with the server and its packages; raises NoNode."""
    lock = SOURCE / "package-lock.json"
    stamp, digest = _HOME / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if shutil.which("npm") is None:
        raise NoNode("there is no npm here")
    _HOME.mkdir(parents=True, exist_ok=True)
    if not stamp.exists() or stamp.read_text("utf-8") != digest:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, _HOME / name)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=_HOME, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoNode(done.stderr[-500:])
        stamp.write_text(digest, "utf-8")
    shutil.copy(SOURCE / "server.mjs", _HOME / "server.mjs")
    return _HOME


@contextmanager
def oidc_provider(
    folder: Path, client: str, secret: str, callback: str, port: int | None = None
) -> Iterator[str]:
    """Run the provider; gives its issuer. Each start makes it a key of its own."""
    home = install()
    issuer = f"http://{LOOPBACK}:{port or free_port()}"
    process = Process(folder / "oidc-provider.log")
    process.launch(
        ["node", str(home / "server.mjs"), issuer, client, secret, callback], env=dict(os.environ)
    )
    try:
        process.await_ready(lambda: _is_ready(issuer), "oidc-provider")
        yield issuer
    finally:
        process.end(signal.SIGTERM)


async def sign_in_there(address: str, login: str, callback: str) -> str:
    """Do what somebody does at the provider: log in and agree; gives the way back."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        method, form = "GET", {}
        for _ in range(_STEPS):
            async with browser.request(
                method, address, data=form or None, allow_redirects=False
            ) as answer:
                text = await answer.text()
            if answer.status in (302, 303):
                address, method, form = urljoin(address, answer.headers["Location"]), "GET", {}
                if address.startswith(callback):
                    return address
                continue
            found = _FORM.search(text)
            assert found, text
            address, method = urljoin(address, unescape(found[1])), "POST"
            form = {**dict(_HIDDEN.findall(text)), "login": login, "password": "any"}
        raise AssertionError("the provider asks and asks")


def _is_ready(issuer: str) -> bool:
    try:
        with urllib.request.urlopen(f"{issuer}/.well-known/openid-configuration", timeout=5):  # noqa: S310
            return True
    except OSError:
        return False
