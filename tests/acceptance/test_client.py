"""The typed client against a live gateway, asynchronous and plain, also over a bad network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from medvid.api import (
    AsyncClient,
    BadCredential,
    Client,
    Conflict,
    Invalid,
    KeyQuotas,
    LimitReached,
    NotAuthorized,
    NotFound,
    Retries,
    SubmissionStatus,
    Unintelligible,
    Unreachable,
)
from medvid.api.administration import Administration, AsyncAdministration
from medvid.api.uploads import UnreadableFile
from shared.storage.database import connect
from tests.acceptance.gateway_harness import (
    Gateway,
    fresh_gateway,
    records,
    row,
    running_gateway,
)
from tests.conftest import Servers
from tests.cutting_proxy import Cut, cutting_proxy
from tests.patience import HANG_SECONDS
from tests.public_models import public_answers
from tests.servers import free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIN = "the-administrators-key-of-this-test"
QUICK = Retries(attempts=4, first_wait=0.01, longest_wait=0.05)


@dataclass(frozen=True, slots=True)
class Asked:
    """A client of either kind, or its administration, asked in one way."""

    client: AsyncClient | Client | Administration | AsyncAdministration

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        if isinstance(self.client, AsyncClient | AsyncAdministration):
            return await getattr(self.client, name)(*args, **options)
        return await asyncio.to_thread(getattr(self.client, name), *args, **options)

    async def first(
        self, number: int, name: str, *args: Any, found: list[Any] | None = None, **options: Any
    ) -> list[Any]:
        """Return the first answers of a stream, and leave it; they come into `found` one by one."""
        found = [] if found is None else found
        if isinstance(self.client, AsyncClient | AsyncAdministration):
            async with aclosing(getattr(self.client, name)(*args, **options)) as answers:
                async for answer in answers:
                    found.append(answer)
                    if len(found) == number:
                        break
            return found

        def read() -> list[Any]:
            answers = getattr(self.client, name)(*args, **options)
            for _, answer in zip(range(number), answers, strict=False):
                found.append(answer)
            answers.close()
            return found

        return await asyncio.to_thread(read)


AsClient = Callable[..., Any]


@pytest.fixture(params=[AsyncClient, Client])
def as_client(request: pytest.FixtureRequest) -> AsClient:
    @asynccontextmanager
    async def open_client(url: str, **options: Any) -> AsyncIterator[Asked]:
        client = request.param(url, **{"retries": QUICK, **options})
        try:
            yield Asked(client)
        finally:
            if isinstance(client, AsyncClient):
                await client.close()
            else:
                await asyncio.to_thread(client.close)

    return open_client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(servers: Servers) -> AsyncIterator[Gateway]:
    async with fresh_gateway(servers, admin_key=ADMIN) as gateway:
        yield gateway


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.json"
    path.write_bytes(orjson.dumps(records()))
    return path


def names() -> dict[str, str]:
    return {"model_name": f"model {uuid4()}", "organization": "Lab"}


async def submissions(gateway: Gateway, model_name: str) -> int:
    count: int = await gateway.database.pool.fetchval(
        "SELECT count(*) FROM entries WHERE model_name = $1", model_name
    )
    return count


async def test_submit_and_follow(gateway: Gateway, as_client: AsClient, file: Path) -> None:
    told: list[tuple[int, int]] = []
    async with as_client(gateway.url) as asked:
        receipt = await asked.call(
            "submit",
            file,
            **names(),
            track="MICCAI 2026",
            progress=lambda sent, total: told.append((sent, total)),
        )
        assert told[-1][0] == told[-1][1] > 1_000
        status = await asked.call("status", receipt)
        assert (status.state, status.final, status.report.ok) == ("accepted", False, True)
        public = await asked.call("status", receipt.id)
        assert public.report is None
        assert (await asked.call("status", str(receipt.id), token=receipt.owner_token)) == status
        waiting = asyncio.create_task(asked.call("wait", receipt, poll_seconds=60))
        await gateway.set_state(str(receipt.id), "scored")
        await gateway.set_state(str(receipt.id), "ranked")
        final = await asyncio.wait_for(waiting, HANG_SECONDS)
        assert [step.state for step in final.timeline] == ["accepted", "scored", "ranked"]
        assert final.entry is not None
        found = await asked.first(2, "events", receipt)
        assert [event.data["state"] for event in found] == ["accepted", "scored"]
        (later,) = await asked.first(1, "events", receipt, after=found[-1].id)
        assert later.data["state"] == "ranked"


async def test_a_dry_run_tells_all_and_stores_nothing(
    gateway: Gateway, as_client: AsClient, file: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(orjson.dumps([{"id": 1}]))
    async with as_client(gateway.url) as asked:
        given = names()
        good = await asked.call("validate", file, **given)
        assert (good.ok, good.errors, good.report.coverage) == (True, [], 1.0)
        found = await asked.call("validate", bad)
        assert (found.ok, found.report.ok) == (False, False)
        assert found.errors[0].fix
    assert await submissions(gateway, given["model_name"]) == 0


async def test_keys_and_quotas(gateway: Gateway, as_client: AsClient) -> None:
    async with as_client(gateway.url, key=ADMIN) as admin:
        made = await admin.call("make_key", "CI", owner="Lab", scopes=["submit", "judge"])
        assert made.key.startswith("mvk_")
        listed = await admin.first(1, "keys")
        assert listed[0].id == made.id
        changed = await admin.call(
            "set_key_quotas", made.id, KeyQuotas(submissions_per_day=7), why="a challenge"
        )
        assert changed.quotas.submissions_per_day == 7
        async with as_client(gateway.url, key=made.key) as asked:
            assert (await asked.call("my_key")).label == "CI"
            assert (await asked.call("quotas")).submissions.limit == 7
            with pytest.raises(NotAuthorized):
                await asked.call("make_key", "more", owner="Lab")
            assert (await asked.call("revoke_key", made.id)).revoked_at
            with pytest.raises(NotAuthorized):
                await asked.call("my_key")


async def test_administrators_have_calls_of_their_own(
    gateway: Gateway, as_client: AsClient, file: Path
) -> None:
    about = names()
    async with as_client(gateway.url, key=ADMIN) as client:
        await client.call("submit", file, **about)
        admin = Asked(client.client.admin)
        [entry] = await admin.first(2, "entries", model_name=about["model_name"])
        other = names()["model_name"]
        done = await admin.call("rename", entry.id, other, why="a test")
        assert (done.changed, done.entry.model_name) == (True, other)
        assert not (await admin.call("rename", entry.id, other, why="a test")).changed
        found = await admin.call("edit", entry.id, why="a test", team="T", contact=None)
        assert (found.entry.team, found.entry.organization) == ("T", "Lab")
        found = await admin.call("set_facts", entry.id, {"licence": "MIT"}, why="a test")
        assert (found.entry.facts.licence, found.entry.facts.open_weights) == ("MIT", None)
        [line] = await admin.first(1, "audit", action="rename", subject=str(entry.id))
        assert (line.why, line.after["model_name"]) == ("a test", other)
        assert orjson.loads(await admin.call("export_boards", board="official")).keys() == {
            "official"
        }
        costs = await admin.call("costs", by="day", since="2026-01-01")
        assert (costs.lines, costs.spent_usd) == ([], 0)
        assert (await admin.call("export_costs")).startswith("name,model,spent_usd,")
        versions = (await admin.call("ground_truths")).versions
        assert [each.current for each in versions].count(True) == 1
        with pytest.raises(NotFound):
            await admin.call("difference", uuid4())
    async with as_client(gateway.url) as client:
        with pytest.raises(NotAuthorized):
            await Asked(client.client.admin).call("judging")


async def test_a_model_is_replaced_then_withdrawn(
    gateway: Gateway, as_client: AsClient, file: Path
) -> None:
    given = names()
    async with as_client(gateway.url) as asked:
        first = await asked.call("submit", file, **given)
        await gateway.set_state(str(first.id), "scored")
        await gateway.database.pool.execute(
            "UPDATE entries SET listed = true WHERE submission_id = $1", first.id
        )
        await gateway.set_state(str(first.id), "ranked")
        stated = await asked.call("set_facts", first, {"parameters": 7e9, "licence": None})
        assert (stated.changed, stated.facts.parameters) == (True, 7_000_000_000)
        facts = {"frames": 8, "trained_on": [], "open_weights": False}
        second = await asked.call("replace", first, file, team="A-team", facts=facts)
        status = await asked.call("status", second)
        assert (status.version, status.replaces) == (2, first.id)
        known = status.facts.model_dump(exclude_none=True)
        assert known == {"parameters": 7_000_000_000, **facts}
        (listed,) = await asked.first(1, "submissions", token=second.owner_token)
        assert (listed.id, listed.version) == (second.id, 2)
        for _ in range(2):
            await asked.call("withdraw", second, note="A mistake.")
        status = await asked.call("status", second)
        assert (status.state, status.withdrawal.note) == ("withdrawn", "A mistake.")
        with pytest.raises(NotAuthorized):
            await asked.call("withdraw", first.id)


async def test_evaluated_only(gateway: Gateway, as_client: AsClient, file: Path) -> None:
    async with as_client(gateway.url) as asked:
        receipt = await asked.call("submit", file, **names(), evaluate_only=True)
        assert (await asked.call("status", receipt)).mode == "evaluate_only"


async def test_boards(gateway: Gateway, as_client: AsClient) -> None:
    revision = await gateway.rank("community", [row(1), row(2)], hint=True)
    await gateway.shown("community", revision)
    async with as_client(gateway.url) as asked:
        index = await asked.call("boards")
        assert {found.board for found in index.boards} == {"official", "community"}
        board = await asked.call("board", "community")
        assert [entry.model_name for entry in board.entries] == ["Model 1", "Model 2"]
        assert board.entries[0].values["cvs_acc"] == 0.9
        with pytest.raises(NotFound, match="no board 'nonsense'"):
            await asked.call("board", "nonsense")
        past = await asked.call("board", "community", as_of=str(board.snapshot))
        assert past.entries == (await asked.call("snapshot", board.snapshot)).entries
        assert await asked.first(9, "entries", "community", page_size=1) == board.entries
        assert (await asked.call("board", "community", track="none")).entries == []
        assert (await asked.call("board_csv", "community")).count("\n") == 3
        with pytest.raises(NotFound):
            await asked.call("entry", "community", uuid4())


async def test_answers_are_read_as_the_server_describes_them(gateway: Gateway) -> None:
    _, _, body = await gateway.get("/api/v1/openapi.json")
    schemas = orjson.loads(body)["components"]["schemas"]
    read = public_answers()
    assert len(read) > 50
    for name, model in read.items():
        assert model.model_fields.keys() == schemas[name]["properties"].keys(), name
        needed = {field for field, info in model.model_fields.items() if info.is_required()}
        assert needed <= set(schemas[name].get("required", [])), name
    # The client reads both kinds of status with one class.
    public, owned = schemas["SubmissionStatus"], schemas["OwnedSubmission"]
    assert SubmissionStatus.model_fields.keys() == owned["properties"].keys()
    needed = {name for name, info in SubmissionStatus.model_fields.items() if info.is_required()}
    assert needed <= set(public["required"]) & set(owned["required"])


async def test_refusals_are_typed_and_say_what_to_do(
    gateway: Gateway, as_client: AsClient, file: Path, tmp_path: Path
) -> None:
    async with as_client(gateway.url) as asked:
        taken = names()
        receipt = await asked.call("submit", file, **taken)
        with pytest.raises(Conflict) as conflict:
            await asked.call("submit", file, **taken)
        assert conflict.value.code == "model_name_taken"
        assert conflict.value.request_id
        assert str(conflict.value).endswith(conflict.value.fix)
        with pytest.raises(NotAuthorized):
            await asked.call("status", receipt.id, token="mvb_wrong")  # noqa: S106 - a wrong one
        with pytest.raises(NotFound):
            await asked.call("status", uuid4())
        bad = tmp_path / "bad.json"
        bad.write_bytes(orjson.dumps([*records()[1:], {"id": 1}]))
        with pytest.raises(Invalid) as invalid:
            await asked.call("submit", bad, **names())
        assert invalid.value.error_count >= len(invalid.value.errors) > 0
        assert invalid.value.errors[0].path.startswith("$[")
        assert invalid.value.report is not None
        with pytest.raises(UnreadableFile, match="nowhere"):
            await asked.call("submit", tmp_path / "nowhere.json", **names())


async def test_a_broken_key_is_told_with_what_is_wrong_about_it(
    gateway: Gateway, as_client: AsClient, file: Path
) -> None:
    for key, told in (('"mvk_x"', "quotes"), ("$MEDVID_API_KEY", "$MEDVID_API_KEY was not")):
        async with as_client(gateway.url, key=key) as asked:
            for call in (("quotas",), ("validate", file)):
                with pytest.raises(NotAuthorized) as refused:
                    await asked.call(*call)
                assert refused.value.code == "unknown_credential"
                assert told in refused.value.fix
    async with as_client(gateway.url, key="mvk_a\nb") as asked:
        with pytest.raises(BadCredential, match="a line break"):
            await asked.call("quotas")


async def test_no_server_and_no_such_server(gateway: Gateway, as_client: AsClient) -> None:
    async with as_client(f"http://127.0.0.1:{free_port()}") as asked:
        with pytest.raises(Unreachable, match="cannot connect"):
            await asked.call("boards")
    async with as_client(f"{gateway.url}/elsewhere") as asked:
        with pytest.raises((NotFound, Unintelligible)):
            await asked.call("boards")


@pytest.mark.parametrize(
    "cuts",
    [
        pytest.param([Cut(up=5_000)], id="in the middle of the upload"),
        pytest.param([Cut(down=0)], id="before the answer"),
        pytest.param([Cut(down=100), Cut(up=1), Cut(down=0)], id="in the answer, then again"),
    ],
)
async def test_an_upload_over_a_bad_network_is_one_submission(
    gateway: Gateway, as_client: AsClient, file: Path, cuts: list[Cut]
) -> None:
    given = names()
    told: list[str] = []
    async with (
        cutting_proxy(gateway.url, cuts) as proxy,
        as_client(proxy.url, on_retry=lambda error, _: told.append(str(error))) as asked,
    ):
        count = len(cuts)
        receipt = await asked.call("submit", file, **given)
        assert proxy.connections == count + 1
        assert len(told) == count
    assert await submissions(gateway, given["model_name"]) == 1
    status = await gateway.status(str(receipt.id), receipt.owner_token)
    assert status["entry"]["model_name"] == given["model_name"]


async def test_judging_is_never_asked_for_twice(
    gateway: Gateway, as_client: AsClient, file: Path
) -> None:
    async with (
        cutting_proxy(gateway.url, [Cut(), Cut(down=0)]) as proxy,
        as_client(gateway.url) as direct,
        as_client(proxy.url) as asked,
    ):
        receipt = await direct.call("submit", file, **names())
        await asked.call("status", receipt)
        proxy.cut_now()
        with pytest.raises(Unreachable):
            await asked.call("judge", receipt)
        # Asked once: on a new connection, or on the old one if its end was not yet seen.
        assert proxy.connections <= 2


async def test_events_over_a_bad_network_come_once_each(
    gateway: Gateway, as_client: AsClient, file: Path
) -> None:
    async with as_client(gateway.url) as direct:
        receipt = await direct.call("submit", file, **names())
    # The answer's head has some 500 bytes; the cuts fall into it, and into the events.
    cuts = [Cut(down=0), Cut(down=300), Cut(down=700), Cut(down=1_000)]
    patient = Retries(attempts=50, first_wait=0.01, longest_wait=0.05)
    async with (
        cutting_proxy(gateway.url, cuts) as proxy,
        as_client(proxy.url, retries=patient) as asked,
    ):
        reading = asyncio.create_task(asked.first(3, "events", receipt))
        for state in ("scored", "ranked"):
            await asyncio.sleep(0.05)
            proxy.cut_now()
            await gateway.set_state(str(receipt.id), state)
        found = await asyncio.wait_for(reading, HANG_SECONDS)
    assert [event.data["state"] for event in found] == ["accepted", "scored", "ranked"]
    assert len({event.id for event in found}) == 3


async def test_watching_without_streams_looks_by_itself(
    as_client: AsClient, file: Path, postgres_url: str
) -> None:
    async with (
        connect(postgres_url, size=5, application_name="test") as database,
        running_gateway(database, event_streams=1) as gateway,
        as_client(gateway.url) as asked,
    ):
        receipt = await asked.call("submit", file, **names())
        async with gateway.client.get(f"/api/v1/submissions/{receipt.id}/events"):
            seen: list[Any] = []
            watching = asyncio.create_task(
                asked.first(9, "watch", receipt, poll_seconds=0.02, found=seen)
            )
            async with asyncio.timeout(HANG_SECONDS):
                while not seen:
                    await asyncio.sleep(0.02)
            await gateway.set_state(str(receipt.id), "failed", code="x", reason="because")
            await asyncio.wait_for(watching, HANG_SECONDS)
    assert [status.state for status in seen] == ["accepted", "failed"]
    assert seen[-1].failure.reason == "because"


async def test_a_refusal_in_the_middle_of_an_upload_is_heard(
    as_client: AsClient, tmp_path: Path, postgres_url: str
) -> None:
    large = tmp_path / "large.json"
    large.write_bytes(b"[" + b" " * 30_000_000 + b"]")
    told: list[tuple[int, int]] = []
    async with (
        connect(postgres_url, size=5, application_name="test") as database,
        running_gateway(database, address_submissions_per_day=0) as gateway,
        as_client(gateway.url) as asked,
    ):
        with pytest.raises(LimitReached) as limited:
            await asked.call("submit", large, **names(), progress=lambda *sent: told.append(sent))
    assert limited.value.code == "quota_exhausted"
    assert told[-1][0] < told[-1][1]  # the rest was not sent in vain
