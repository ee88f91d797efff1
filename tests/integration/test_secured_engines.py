"""Postgres and RabbitMQ over TLS, and a user of RabbitMQ for each service with few rights."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, nullcontext, suppress
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import aio_pika
import pytest
import yaml

from services.operate.examination import Surroundings, examine
from shared.contracts.messages import BoardRanked, JudgingRequested, SubmissionAccepted
from shared.messaging.bus import Delivery, Disposition, Done, Outgoing, Retry
from shared.messaging.rabbit.bus import RabbitBus, connect_rabbit
from shared.messaging.rabbit.rebuild import differences
from shared.messaging.topology import JUDGE_REQUESTS, QUEUES, SCORER_SUBMISSIONS
from shared.runtime.errors import Misconfigured, Unavailable
from shared.storage.backup import back_up, restore
from shared.storage.database import connect
from shared.storage.migrate import migrate
from shared.storage.postgres_tools import Way, run_tool
from shared.storage.tls_tunnel import SecuredAddress, tunnel
from tests.certificates import ServerCertificate
from tests.conftest import Servers
from tests.contract.buses import eventually
from tests.servers import PostgresServer, free_port

ODD = "p@ss:w/o'r\\d%"
RIGHTS = Path(__file__).parents[2] / "deploy" / "k8s" / "secured" / "rights.yaml"


@pytest.fixture(scope="module")
def secured() -> Iterator[tuple[str, Path]]:
    """The URL of a Postgres over TLS, and the file of its authority."""
    port = free_port()
    with PostgresServer(tls_port=port) as server:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres", server.authority


async def test_postgres_is_believed_by_its_authority_alone(
    secured: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, authority = secured
    verified = f"{url}?sslmode=verify-full"
    good = f"{verified}&sslrootcert={authority}"
    async with connect(good, size=2, application_name="test") as database:
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert await database.pool.fetchval(query) is True
        async with database.pool.acquire() as connection:
            await run_tool("pg_dump", connection, "--schema-only", "--file", str(tmp_path / "dump"))
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(authority))
    async with connect(url, size=2, application_name="test") as database:
        await database.check()
    other = ServerCertificate.make(tmp_path).authority
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    cases = {
        f"{verified}&sslrootcert={other}": "certificate",
        good.replace("127.0.0.1", "localhost"): "localhost",
        f"{verified}&sslrootcert={tmp_path}/none.pem": "none.pem: No such file",
        f"{verified}&sslrootcert={empty}": "empty.pem: NO_CERTIFICATE",
    }
    for wrong, says in cases.items():
        with pytest.raises(Misconfigured, match=says):
            async with connect(wrong, size=2, application_name="test"):
                pass


async def test_a_dump_is_made_by_a_user_with_a_password(
    secured: tuple[str, Path], tmp_path: Path
) -> None:
    """The server offers to bind it to the encryption (SCRAM-SHA-256-PLUS), which ends at us."""
    url, authority = secured
    given = f"sslmode=verify-full&sslrootcert={authority}"
    async with connect(f"{url}?{given}", size=2, application_name="test") as database:
        await database.pool.execute("CREATE ROLE \"o'clock\" LOGIN PASSWORD 'p@ss:w/o''r\\d%'")
    theirs = url.replace("postgres@", f"o%27clock:{quote(ODD, safe='')}@")
    async with (
        connect(f"{theirs}?{given}", size=2, application_name="test") as database,
        database.pool.acquire() as connection,
    ):
        dump = tmp_path / "dump"
        await run_tool("pg_dump", connection, "--schema-only", "--file", str(dump))
    assert dump.stat().st_size
    with pytest.raises(Misconfigured, match="password authentication failed"):
        async with connect(f"{theirs.replace('%25', '')}?{given}", size=2, application_name="test"):
            pass


async def test_a_backup_of_an_older_server_comes_back_into_it(
    secured: tuple[str, Path], tmp_path: Path
) -> None:
    """Debian's is of version 15; the programs of the embedded one set what that does not know."""
    url, authority = secured
    file = tmp_path / "backup.tar"
    for name in ("first", "second"):
        given = f"sslmode=verify-full&sslrootcert={authority}"
        async with connect(f"{url}?{given}", size=2, application_name="test") as server:
            await server.pool.execute(f"CREATE DATABASE {name}")
        there = f"{url.removesuffix('postgres')}{name}?{given}"
        async with connect(there, size=2, application_name="test") as database:
            if name == "first":
                await migrate(database)
                manifest = (await back_up(database, file)).manifest
            else:
                assert await restore(database, file) == manifest


@pytest.mark.parametrize("form", ["{rest}?host=127.0.0.1&port={port}", "{rest}", "none:1,{whole}"])
async def test_a_dump_goes_the_way_of_the_connection_whatever_names_it(
    secured: tuple[str, Path], form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hosts in the query, in the environment, several of them: none leads around TLS."""
    url, authority = secured
    port = url.rpartition(":")[2].partition("/")[0]
    named = form.format(rest="/postgres", port=port, whole=f"127.0.0.1:{port}/postgres")
    for name, value in {
        "PGHOST": "127.0.0.1",
        "PGPORT": port,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": str(authority),
        "PGHOSTADDR": "127.0.0.9",
        "PGSERVICE": "none",
    }.items():
        monkeypatch.setenv(name, value)
    async with (
        connect(f"postgresql://postgres@{named}", size=2, application_name="test") as database,
        database.pool.acquire() as connection,
    ):
        way = await Way.of(connection)
        assert way.secured is not None
        assert (way.secured.host, way.secured.port) == ("127.0.0.1", int(port))
        assert way.secured.context.check_hostname
        await run_tool("pg_dump", connection, "--schema-only", "--file", str(tmp_path / "dump"))
    assert (tmp_path / "dump").stat().st_size


@pytest.mark.parametrize("mode", ["prefer", "require"])
async def test_a_server_without_tls_is_reached_only_where_it_is_optional(mode: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"N")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        context = ssl.create_default_context()
        address = SecuredAddress("127.0.0.1", port, context, optional=mode == "prefer")
        with nullcontext() if address.optional else pytest.raises(Unavailable, match="no TLS"):
            async with tunnel(address) as led:
                assert led == ("127.0.0.1", port)


async def test_nothing_that_is_put_before_the_handshake_is_read_as_an_answer() -> None:
    """Somebody on the way appends a false answer to the server's consent (CVE-2021-23222)."""

    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S" + b"R" * 64)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()
        ended.set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        address = SecuredAddress("127.0.0.1", port, ssl.create_default_context())
        with pytest.raises(Misconfigured, match="SSL"):
            async with tunnel(address):
                pass
        await ended.wait()


async def test_rabbitmq_is_believed_by_its_authority_alone(
    servers: Servers, rabbit_vhost: str, tmp_path: Path
) -> None:
    url = f"{servers.rabbitmq_tls}/{rabbit_vhost}"
    bus = await connect_rabbit(f"{url}?cafile={servers.rabbitmq_authority}")
    await bus.check()
    await bus.close()
    other = ServerCertificate.make(tmp_path).authority
    good = f"{url}?cafile={servers.rabbitmq_authority}"
    cases = {
        url: "certificate",
        f"{url}?cafile={other}": "certificate",
        good.replace("127.0.0.1", "localhost"): "localhost",
        f"{url}?cafile={tmp_path}/none.pem": "none.pem: No such file",
    }
    for wrong, says in cases.items():
        with pytest.raises(Misconfigured, match=says):
            await connect_rabbit(wrong)


def rights() -> dict[str, dict[str, str]]:
    """Return the rights of each user as the manifests give them."""
    return {
        each["metadata"]["name"].removeprefix("medvid-"): each["spec"]["permissions"]
        for each in yaml.safe_load_all(RIGHTS.read_text())
        if each["kind"] == "Permission"
    }


def test_the_page_of_operations_gives_the_same_rights() -> None:
    page = (RIGHTS.parents[3] / "docs" / "operations.md").read_text().replace("\\|", "¦")
    told = {
        user: (configure, write, read)
        for user, configure, write, read in re.findall(
            r"^\| (\w+) \| `(\S+)` \| `(\S+)` \| `(\S+)` \|$", page, re.MULTILINE
        )
    }
    assert told == {
        user: tuple(given[kind].replace("|", "¦") for kind in ("configure", "write", "read"))
        for user, given in rights().items()
    }


class Users:
    """Buses of users with the rights of the manifests, on one virtual host."""

    def __init__(self, servers: Servers, vhost: str, stack: AsyncExitStack) -> None:
        self._servers = servers
        self._vhost = vhost
        self._stack = stack

    async def bus(self, service: str) -> RabbitBus:
        bus = await connect_rabbit(self.url(service), publish_seconds=5)
        self._stack.push_async_callback(bus.close)
        return bus

    def url(self, service: str) -> str:
        name = f"{service}-{uuid4().hex[:8]}"
        management = self._servers.management
        management.call("PUT", f"/api/users/{name}", {"password": "secret", "tags": ""})
        self._stack.callback(management.call, "DELETE", f"/api/users/{name}")
        path = f"/api/permissions/{quote(self._vhost, safe='')}/{name}"
        management.call("PUT", path, rights()[service])
        host = self._servers.rabbitmq.rpartition("@")[2]
        return f"amqp://{name}:secret@{host}/{self._vhost}"


@pytest.fixture
async def users(servers: Servers, rabbit_vhost: str) -> AsyncIterator[Users]:
    async with AsyncExitStack() as stack:
        yield Users(servers, rabbit_vhost, stack)


class Once:
    """Asks for one retry, then is done."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    async def __call__(self, delivery: Delivery) -> Disposition:
        self.seen.append(delivery.attempt)
        return Retry(0.0) if len(self.seen) == 1 else Done()


async def test_each_service_works_with_its_few_rights(users: Users) -> None:
    gateway = await users.bus("gateway")  # the first: the queues of others are not there yet
    heard: list[bytes] = []
    await gateway.listen([BoardRanked.type], heard.append)
    accepted = Outgoing(uuid4(), SubmissionAccepted.type, b"{}")
    with pytest.raises(Unavailable, match="no queue"):
        await gateway.publish([accepted])
    scorer, judge, ranker = [await users.bus(name) for name in ("scorer", "judge", "ranker")]
    once = Once()
    await scorer.consume(SCORER_SUBMISSIONS, once, concurrency=1)
    await gateway.publish([accepted])
    await eventually(lambda: once.seen == [1, 2])
    await ranker.publish([Outgoing(uuid4(), BoardRanked.type, b"{}")])
    await eventually(lambda: heard == [b"{}"])
    for bus in (gateway, scorer, judge, ranker):
        await bus.check()
        for queue in QUEUES:
            await bus.depth(queue)


async def test_the_doctor_works_with_the_rights_of_any_service(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDVID_RABBITMQ_URL", users.url("gateway"))
    for state, left_to in (("warning", ""), ("ok", "those of judge, ranker, scorer")):
        found = {each.check: each for each in await examine(Surroundings())}["message bus"]
        assert found.state == state
        assert left_to in found.says
        for name in ("scorer", "judge", "ranker"):
            await users.bus(name)
    compared = await differences(users.url("judge"))
    assert (compared.found, compared.left_to) == ([], ["ranker", "scorer"])


async def test_a_right_that_is_missing_is_named(users: Users) -> None:
    judge = await users.bus("judge")
    scorer = await users.bus("scorer")
    for bus, queue in ((judge, SCORER_SUBMISSIONS), (scorer, JUDGE_REQUESTS)):
        with pytest.raises(Misconfigured, match=f"{queue.name}.*rabbitmq-rights"):
            await bus.consume(queue, Once(), concurrency=1)
    with pytest.raises(Misconfigured, match=r"amq\.gen"):
        await judge.listen([BoardRanked.type], lambda _: None)
    gateway = await users.bus("gateway")
    with pytest.raises(Misconfigured, match="scorer"):
        await gateway.consume(SCORER_SUBMISSIONS, Once(), concurrency=1)


async def test_what_was_deleted_comes_back_through_its_owner(users: Users, rabbit_url: str) -> None:
    gateway, judge = await users.bus("gateway"), await users.bus("judge")
    requested = Outgoing(uuid4(), JudgingRequested.type, b"{}")
    await gateway.publish([requested])
    connection = await aio_pika.connect(rabbit_url)
    async with connection:
        channel = await connection.channel()
        await channel.queue_delete(JUDGE_REQUESTS.name)
    with pytest.raises(Unavailable, match="no queue"):
        await gateway.publish([requested])
    await judge.publish([requested])  # its relay takes what is left undone by others
    assert await gateway.depth(JUDGE_REQUESTS) == 1
