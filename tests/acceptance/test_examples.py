"""Every example of the pages about the API, run as a reader would: the command line, the program.

A live gateway answers them. A relay before it notes what each asks, so that an example of another
operation than its own is found.
"""

from __future__ import annotations

import asyncio
import re
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson
import pytest

from services.gateway.pages.examples import UNKNOWN, Examples, examples_of
from shared.contracts.messages import BoardChanged, Envelope
from shared.storage.database import Database
from tests.acceptance.conformance_seeds import Seeds, seeds_of
from tests.acceptance.gateway_harness import (
    Gateway,
    ground_truth,
    public_test_set,
    records,
    running_gateway,
)
from tests.depth import is_deep
from tests.patience import HANG_SECONDS
from tests.ranking import ranking
from tests.rows import add_listed_entry
from tests.servers import free_port

ADMIN_KEY: Final = "the-administrators-key-of-the-examples"
CHALLENGES: Final = '[tracks.over]\nname = "Over"\nopens = 2020-01-01\ncloses = 2020-01-02\n'
EVENTS: Final = "/events"
JOBS: Final = ("rescores", "rereads", "successions")
REFUSED: Final = {
    "post_admin_snapshots_id_errata": "snapshot_not_found",
    # What they ask for is nothing that this site has; other tests do what is asked.
    "post_admin_rereads": "nothing_to_reread",
    "post_admin_successions": "nothing_to_judge",
    "post_sign-in_end": "not_signed_in",
    "post_sign-in_device": "sign_in_off",
    "post_sign-in_device_key": "sign_in_off",
}
"""Examples that are right and refused here, by the operation's id: the problem's code."""


@dataclass(slots=True)
class Relay:
    """Passes connections on to a gateway, and notes the requests."""

    url: str
    asked: list[str] = field(default_factory=list)

    def take(self) -> list[str]:
        """Return 'METHOD /path' of what was asked since the last time."""
        taken, self.asked = self.asked, []
        return taken


@asynccontextmanager
async def relaying(target: str) -> AsyncIterator[Relay]:
    relay, port = Relay(f"http://127.0.0.1:{free_port()}"), int(target.rpartition(":")[2])

    async def copy(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[str] | None
    ) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(1 << 16):
                if asked is not None:
                    found = re.findall(rb"(?:^|\n)([A-Z]+ /[^ ?]*)[^ ]* HTTP/1\.1\r\n", chunk)
                    relay.asked += [each.decode() for each in found]
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            copy(reader, inner_writer, relay.asked), copy(inner_reader, writer, None)
        )

    server = await asyncio.start_server(serve, "127.0.0.1", int(relay.url.rpartition(":")[2]))
    try:
        yield relay
    finally:
        server.close()


@dataclass(frozen=True, slots=True)
class Reader:
    """Who runs the examples: a folder with files to send, and the environment."""

    gateway: Gateway
    relay: Relay
    folder: Path
    seeds: Seeds
    usual: Mapping[str, str]

    def environment(self, label: str, variables: tuple[str, ...], turn: int) -> dict[str, str]:
        """Return what an operation's example reads: things of its own, where it has some."""
        found = dict(self.usual)
        seeds = self.seeds.get(label, [])
        if seeds:
            seed = seeds[turn % len(seeds)]
            own = [name for name in variables if not name.startswith("MEDVID_")]
            if own and "id" in seed:
                found[own[0]] = seed["id"]
            if "bearer" in seed:
                found |= {"MEDVID_TOKEN": seed["bearer"], "MEDVID_API_KEY": seed["bearer"]}
        return found

    async def run(self, command: str, environment: dict[str, str]) -> str:
        """Run a command line; returns what it printed."""
        given = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **environment}
        child = await asyncio.create_subprocess_exec(
            "bash", "-c", command, stdout=PIPE, stderr=STDOUT, cwd=self.folder, env=given
        )
        output, _ = await child.communicate()
        shown = output.decode()
        streams = child.returncode == 28 and "event: " in shown  # curl's own time was over
        assert child.returncode == 0 or streams, f"{command}\n{shown}"
        return shown


class _Seen(Exception):
    """A stream has brought something."""


def run_program(program: str, *, stream: bool) -> None:
    """Run a program; one that reads a stream ends with the first thing that it prints."""

    def printed(*_: object) -> None:
        if stream:
            raise _Seen

    with suppress(_Seen):
        exec(compile(program, "example", "exec"), {"print": printed})  # noqa: S102 - our own
        assert not stream, "a stream ended without anything"


async def _as_administrator(gateway: Gateway, method: str, path: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    async with gateway.client.request(
        method, f"/api/v1{path}", headers=headers, json=body or None
    ) as response:
        assert response.status < 300, await response.text()
        return await response.json()


async def _discard_jobs(gateway: Gateway) -> None:
    """Drop the job that an example began, as only one may be unfinished."""
    for kind in JOBS:
        for job in (await _as_administrator(gateway, "GET", f"/admin/{kind}"))["jobs"]:
            if job["state"] not in ("applied", "discarded"):
                path = f"/admin/{kind}/{job['id']}/discard"
                await _as_administrator(gateway, "POST", path, why="the next example")


async def _ranked(database: Database) -> None:
    """Wait until every board shows its latest change."""
    behind = "SELECT count(*) FROM boards WHERE ranked_revision < revision"
    async with asyncio.timeout(HANG_SECONDS):
        while await database.pool.fetchval(behind):
            await asyncio.sleep(0.02)


async def _own_seeds(gateway: Gateway) -> Seeds:
    """Return what the examples need beyond the things of the conformance test."""
    keys = [
        await _as_administrator(gateway, "POST", "/keys", label="CI", owner="lab", why="a seed")
        for _ in range(3)
    ]
    return {
        "POST /api/v1/keys/{id}/revoke": [
            {"id": key["id"], "bearer": key["key"]} for key in keys[:2]
        ],
        "PUT /api/v1/keys/{id}/quotas": [{"id": keys[2]["id"]}],
        "GET /api/v1/keys/me": [{"bearer": keys[2]["key"]}],
    }


async def _dead_letters(database: Database) -> list[int]:
    body = Envelope.wrap(BoardChanged(board="community")).to_bytes()
    return [
        await database.pool.fetchval(
            "INSERT INTO dead_letters (queue, message_id, type, reason, detail, attempts, body)"
            " VALUES ('ranker.boards', $1, 'board.changed', 'crashed', 'it crashed', 3, $2)"
            " RETURNING id",
            uuid4(), body,
        )
        for _ in range(4)
    ]  # fmt: skip


@pytest.fixture
async def reader(database: Database, tmp_path: Path) -> AsyncIterator[Reader]:
    predictions = orjson.dumps(records())
    truths, challenges = tmp_path / "truths", tmp_path / "challenges.toml"
    truths.mkdir()
    challenges.write_text(CHALLENGES)
    for name, content in (
        ("test_set.json", public_test_set()),
        ("predictions.json.gz", predictions),
        ("ground-truths.json", ground_truth()),
        ("truths/ground_truth.json", ground_truth()),
        (".curlrc", b"fail-with-body\nsilent\nshow-error\nmax-time = 60\n"),
    ):
        (tmp_path / name).write_bytes(content)
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(
            running_gateway(
                database, admin_key=ADMIN_KEY, registration="open", registrations_per_day=100,
                test_set=tmp_path / "test_set.json", ground_truth_dir=truths,
                challenges=challenges, webhook_private_networks=True, judge_estimate_seconds=0,
                patrol_seconds=0.05, event_poll_seconds=0.2,
            )
        )  # fmt: skip
        for name, value in (("A model", 0.5), ("Another model", 0.25)):
            await add_listed_entry(database, name, {"cvs_acc": value, "nap_acc": 1 - value})
        await gateway.rank_listed()
        seeds = await seeds_of(gateway, predictions, ADMIN_KEY, truths)
        seeds |= await _own_seeds(gateway)
        judged = seeds["GET /api/v1/submissions/{id}/verdicts"]
        seeds["GET /api/v1/admin/submissions/{id}/verdicts"] = judged
        await stack.enter_async_context(ranking(database, gateway.bus))
        relay = await stack.enter_async_context(relaying(gateway.url))
        compared = seeds["GET /api/v1/leaderboards/{board}/comparisons"]
        own = seeds["GET /api/v1/submissions/{id}"][0]
        _, _, board = await gateway.get("/api/v1/leaderboards/community")
        shown = orjson.loads(board)
        usual = {
            "MEDVID_URL": relay.url,
            "MEDVID_ADMIN_KEY": ADMIN_KEY,
            "MEDVID_API_KEY": seeds["GET /api/v1/keys/me"][0]["bearer"],
            "MEDVID_TOKEN": own["bearer"],
            "SUBMISSION": own["id"],
            "ENTRY": shown["entries"][0]["entry_id"],
            "ENTRY_A": compared[0]["a"],
            "ENTRY_B": compared[0]["b"],
            "SNAPSHOT": str(shown["snapshot"]),
            "TRACK": "over",
            "ENDPOINT": "us-east",
        }
        yield Reader(gateway, relay, tmp_path, seeds, usual)


async def test_every_example_runs_and_asks_what_it_is_an_example_of(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deep run tries both examples of each operation, others one of them by turns."""
    _, _, body = await reader.gateway.get("/api/v1/openapi.json")
    document = orjson.loads(body)
    letters = iter(await _dead_letters(reader.gateway.database))
    monkeypatch.chdir(reader.folder)
    wrong: list[str] = []
    for number, (label, operation_id, operation) in enumerate(_operations(document)):
        method, _, path = label.partition(" ")
        examples = examples_of(method, path, operation, document["components"]["schemas"])
        stream = path.endswith(EVENTS)
        if UNKNOWN in examples.curl or not examples.python:
            wrong.append(f"{label}: add to api_examples.json, or to python_calls.toml")
        for turn, text in _tried(number, examples):
            text = await _with_live_numbers(reader.gateway, operation_id, text, letters)
            text = re.sub(r"MedVLM \d", f"Model {turn} of {operation_id}", text)  # names are unique
            environment = reader.environment(label, examples.variables, turn)
            reader.relay.take()
            try:
                if turn == 0:
                    command = text.replace("curl -N", "curl -N -m 0.5") if stream else text
                    await reader.run(command, environment)
                else:
                    for name, value in environment.items():
                        monkeypatch.setenv(name, value)
                    async with asyncio.timeout(HANG_SECONDS):
                        await asyncio.to_thread(run_program, text, stream=stream)
            except Exception as error:  # noqa: BLE001 - all are shown together
                said = f"{getattr(error, 'code', '')} {error}"
                if REFUSED.get(operation_id, "no code") not in said:
                    wrong.append(f"{text}\n{type(error).__name__}: {error}")
            asked = reader.relay.take()
            if not any(_is_of(label, each) for each in asked):
                wrong.append(f"{text}\nis an example of {label} and asks {asked}")
            if method == "POST" and path.rpartition("/")[2] in JOBS:
                await _discard_jobs(reader.gateway)
    assert not wrong, "\n\n".join(wrong)


def _tried(number: int, examples: Examples) -> list[tuple[int, str]]:
    """Return the examples of an operation that this run tries, each with its place."""
    both = list(enumerate((examples.curl, examples.python)))
    return both if is_deep() else [both[number % 2]]


def _is_of(label: str, asked: str) -> bool:
    """Tell whether a request is one of an operation."""
    parts = [re.escape(part) for part in re.split(r"\{\w+\}", label)]
    return re.fullmatch("[^/]+".join(parts), asked) is not None


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation["operationId"], operation


async def _with_live_numbers(
    gateway: Gateway, operation_id: str, text: str, letters: Iterator[int]
) -> str:
    """Put into an example what this site alone knows, for what stands in it as an example."""
    if operation_id.startswith("post_admin_dead-letters"):
        return text.replace("[1]", f"[{next(letters)}]")
    if operation_id == "post_admin_ground-truths_current":
        found = await _as_administrator(gateway, "GET", "/admin/ground-truths")
        return re.sub("[0-9a-f]{64}", found["versions"][0]["version"], text)
    if operation_id.startswith(("get_admin_boards", "post_admin_boards")):
        await _ranked(gateway.database)  # a board that is being ranked answers nothing of its ranks
    if operation_id == "post_admin_boards_board_series":
        found = await _as_administrator(gateway, "GET", "/admin/boards/community/series")
        return text.replace('"revision": 42', f'"revision": {found["revision"]}')
    return text
