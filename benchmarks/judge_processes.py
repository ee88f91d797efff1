"""Judges as processes of their own, over throwaway servers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import asyncpg

from shared.storage.database import Database, connect
from tests.servers import Management

ROOT: Final = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Servers:
    """Where the throwaway servers are."""

    postgres: str
    template: str
    rabbitmq: str
    rabbitmq_http: int

    def postgres_url(self, database: str) -> str:
        """Return the URL of a database."""
        return self.postgres.replace("{database}", database)


async def start_servers(stack: AsyncExitStack) -> Servers:
    """Start Postgres and RabbitMQ; they end with the stack."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.servers",
        cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin is not None  # noqa: S101 - asked for
    assert process.stdout is not None  # noqa: S101 - asked for

    async def end() -> None:
        assert process.stdin is not None  # noqa: S101 - asked for
        process.stdin.close()
        await process.wait()

    stack.push_async_callback(end)
    found = json.loads(await process.stdout.readline())
    return Servers(**{name: found[name] for name in Servers.__dataclass_fields__})


def add_vhost(servers: Servers, name: str) -> None:
    """Make a virtual host."""
    Management(servers.rabbitmq_http).add_vhost(name)


async def fresh_database(
    stack: AsyncExitStack, servers: Servers
) -> tuple[str, Database, dict[str, str]]:
    """Make a database and a virtual host; return their name, a pool, and a judge's settings."""
    name = f"judge_{uuid4().hex[:8]}"
    url = servers.postgres_url(name)
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    stack.push_async_callback(admin.close)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {servers.template}")
    add_vhost(servers, name)
    database = await stack.enter_async_context(connect(url, size=2, application_name="benchmark"))
    return name, database, {
        "MEDVID_DATABASE_URL": url,
        "MEDVID_RABBITMQ_URL": f"{servers.rabbitmq}/{name}",
        "MEDVID_LOG_LEVEL": "error",
    }  # fmt: skip


async def start_stub(stack: AsyncExitStack, **faults: float) -> dict[str, str]:
    """Start the stub judge's server; returns the settings that lead to it."""
    process = await start(
        stack, "services.judge.stub", "--port", "0", "--faults", json.dumps(faults), piped=True
    )
    assert process.stdout is not None  # noqa: S101 - asked for
    url = (await process.stdout.readline()).decode().split()[-1]
    return {"MEDVID_JUDGE_PROVIDER": "stub", "MEDVID_JUDGE_BASE_URL": url}


async def start(
    stack: AsyncExitStack,
    module: str,
    *arguments: str,
    environment: dict[str, str] | None = None,
    piped: bool = False,
) -> Process:
    """Start a process; it ends with the stack."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        cwd=ROOT, env={**os.environ, **(environment or {})},
        stdout=asyncio.subprocess.PIPE if piped else None,
    )  # fmt: skip

    async def end() -> None:
        with suppress(ProcessLookupError):  # it ended by itself
            process.terminate()
        await process.wait()

    stack.push_async_callback(end)
    return process


async def ready(servers: Servers, vhost: str, replicas: int) -> None:
    """Wait until every replica consumes batches."""
    management = Management(servers.rabbitmq_http)
    async with asyncio.timeout(60):
        while True:
            consumers = management.call("GET", f"/api/consumers/{vhost}")
            if sum(c["queue"]["name"] == "judge.batches" for c in consumers) >= replicas:
                return
            await asyncio.sleep(0.2)


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process took (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
