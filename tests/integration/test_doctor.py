"""The doctor finds each fault, says what to do, and changes nothing."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import orjson
import pytest

from services.judge.stub.server import MODEL, Faults, Stub, running_stub
from services.operate.examination import Surroundings, examine
from services.operate.findings import Finding, print_report
from shared.messaging.local import LocalBus
from shared.messaging.rabbit.bus import connect_rabbit
from shared.messaging.topology import JUDGE_BATCHES
from shared.runtime.figures import Sampler
from shared.storage.database import Database
from tests.acceptance.gateway_harness import running_gateway
from tests.batching import add_provider_batch
from tests.conftest import Servers
from tests.depth import deep
from tests.fakes.identity_provider import fake_provider
from tests.judging import request_run
from tests.processes import free_port
from tests.rows import DEMO, accept_submission, load_demo_ground_truth

GIB = 1 << 30


class Installation:
    """A healthy installation, in the environment; `change` makes it ill."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.disk = (100 * GIB, 50 * GIB)
        self.clock = time.time

    def change(self, **variables: object) -> None:
        for name, value in variables.items():
            self._monkeypatch.setenv(f"MEDVID_{name.upper()}", str(value))

    def remove(self, *names: str) -> None:
        for name in names:
            self._monkeypatch.delenv(f"MEDVID_{name.upper()}")

    async def findings(self) -> dict[str, Finding]:
        found = await examine(
            Surroundings(
                variables=lambda: dict(os.environ),
                clock=self.clock,
                free_bytes=lambda _: self.disk,
            )
        )
        return {finding.check: finding for finding in found}


@pytest.fixture
async def installation(
    monkeypatch: pytest.MonkeyPatch,
    postgres_url: str,
    database: Database,
    tmp_path: Path,
) -> AsyncIterator[Installation]:
    for name in list(os.environ):
        if name.startswith("MEDVID_") and not name.startswith("MEDVID_TEST_"):
            monkeypatch.delenv(name)
    made = Installation(monkeypatch)
    await load_demo_ground_truth(database)
    await Sampler(database, LocalBus(database), 10).refresh()
    async with running_stub() as stub:
        made.change(
            database_url=postgres_url,
            upload_dir=tmp_path,
            admin_key="a-key-of-the-administrators-0123456789",
            judge_provider="openai",
            judge_base_url=stub,
            judge_api_key="a-secret-key",
            judge_model=MODEL,
            judge_prices=f'{{"{MODEL}": {{"input": 1, "output": 2}}}}',
        )
        yield made


@pytest.fixture
async def distributed(installation: Installation, rabbit_url: str) -> Installation:
    """The same with a broker: making all queues takes a while, so only where they matter."""
    await (await connect_rabbit(rabbit_url)).close()
    installation.change(rabbitmq_url=rabbit_url)
    return installation


def only_wrong(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: one.state for name, one in findings.items() if one.state != "ok"}


async def test_a_healthy_installation_is_healthy(
    distributed: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    findings = await distributed.findings()
    assert only_wrong(findings) == {}
    assert set(findings) == {
        "configuration", "database", "clock", "migrations", "ground truth", "names",
        "evidence", "work",
        "client addresses", "tables",
        "message bus", "public address", "sign-in", "judge", "disk for uploads",
    }  # fmt: skip
    assert print_report(list(findings.values()), as_json=False) == 0
    assert "a-secret-key" not in capsys.readouterr().out


async def test_a_wrong_setting_is_named(installation: Installation) -> None:
    installation.change(drain_seconds="soon")
    findings = await installation.findings()
    assert only_wrong(findings) == {"configuration": "failed"}
    assert "MEDVID_DRAIN_SECONDS" in findings["configuration"].says


async def test_a_short_administrators_key_is_a_failure(installation: Installation) -> None:
    installation.change(admin_key="k" * 31)
    findings = await installation.findings()
    assert only_wrong(findings) == {"configuration": "failed"}
    assert "openssl rand -hex 32" in (findings["configuration"].fix or "")
    assert "k" * 31 not in str(findings)
    installation.change(admin_key="k" * 32)
    assert only_wrong(await installation.findings()) == {}


async def test_a_mistyped_variable_is_named(installation: Installation) -> None:
    installation.change(jugde_model="x")
    findings = await installation.findings()
    assert only_wrong(findings) == {"configuration": "warning"}
    assert "MEDVID_JUGDE_MODEL" in findings["configuration"].says


async def test_where_readers_reach_the_site(installation: Installation, database: Database) -> None:
    async with running_gateway(database, load=False) as gateway:
        installation.change(public_url=gateway.url)
        findings = await installation.findings()
        assert only_wrong(findings) == {}
        assert f"{gateway.url} answers" in findings["public address"].says
        installation.change(public_url=f"{gateway.url}/leaderboard")
        finding = (await installation.findings())["public address"]
        assert finding.state == "warning"  # the gateway knows no such path
    installation.change(public_url=gateway.url)
    finding = (await installation.findings())["public address"]
    assert (finding.state, "cannot connect" in finding.says) == ("warning", True)
    async with running_gateway(database, load=False, public_url="http://x.example/b") as gateway:
        installation.change(public_url=gateway.url)
        finding = (await installation.findings())["public address"]
        assert finding.state == "failed"
        assert f"MEDVID_PUBLIC_URL={gateway.url} for every gateway" in finding.fix


@deep
async def test_clients_that_are_hidden_behind_one_address(
    installation: Installation, database: Database
) -> None:
    async def sent(address: str, uses: int = 11) -> Finding:
        await database.pool.execute("TRUNCATE quota_uses")
        await database.pool.execute(
            "INSERT INTO quota_uses (account, kind) SELECT 'address:' || a, 'validation'"
            " FROM generate_series(1, $2), unnest($1::text[]) a",
            [address, "fd00::/56"],
            uses,
        )
        return (await installation.findings())["client addresses"]

    for address in ("10.244.0.1", "100.64.0.7", "fd00::/64"):
        finding = await sent(address)
        assert (finding.state, address in finding.says) == ("warning", True)
        assert "MEDVID_TRUSTED_PROXIES" in finding.fix
    assert (await sent("10.244.0.1", 10)).state == "ok"
    assert (await sent("8.8.8.8")).state == "ok"
    assert (await sent("local")).state == "ok"
    assert (await sent("127.0.0.1")).state == "ok"
    installation.change(public_url="http://127.0.0.1:1")
    assert (await sent("127.0.0.1")).state == "warning"
    await database.pool.execute(
        "INSERT INTO quota_uses (account, kind) VALUES ('address:8.8.8.8', 'validation')"
    )
    assert (await installation.findings())["client addresses"].state == "ok"


async def test_variables_of_clients_are_no_typing_errors(installation: Installation) -> None:
    for name in ("url", "api_key", "token"):
        installation.change(**{name: "x"})
    assert only_wrong(await installation.findings()) == {}


async def test_a_missing_key_of_the_administrators_is_told(installation: Installation) -> None:
    installation.remove("admin_key")
    assert only_wrong(await installation.findings()) == {"configuration": "warning"}


async def test_a_database_that_is_not_there(installation: Installation) -> None:
    installation.change(database_url=f"postgresql://u:a-secret-key@127.0.0.1:{free_port()}/x")
    findings = await installation.findings()
    assert only_wrong(findings) == {
        "database": "failed",
        "clock": "skipped",
        "migrations": "skipped",
        "ground truth": "skipped",
        "names": "skipped",
        "evidence": "skipped",
        "work": "skipped",
        "client addresses": "skipped",
        "tables": "skipped",
    }
    assert "a-secret-key" not in str(findings)
    assert findings["database"].fix


async def test_a_database_without_our_schema(installation: Installation, servers: Servers) -> None:
    name = f"empty_{uuid4().hex[:12]}"
    admin = await asyncpg.connect(servers.postgres_url("postgres"))
    await admin.execute(f"CREATE DATABASE {name}")
    installation.change(database_url=servers.postgres_url(name))
    findings = await installation.findings()
    assert only_wrong(findings) == {
        "migrations": "failed", "ground truth": "skipped", "names": "skipped",
        "evidence": "skipped", "work": "skipped", "client addresses": "skipped",
        "tables": "skipped",
    }  # fmt: skip
    assert "medvid admin migrate" in findings["migrations"].fix
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


async def test_a_migration_that_was_changed(installation: Installation, database: Database) -> None:
    await database.pool.execute("UPDATE schema_migrations SET sha256 = 'x' WHERE number = 2")
    findings = await installation.findings()
    assert "changed after it ran" in findings["migrations"].says


async def test_no_ground_truth(installation: Installation, database: Database) -> None:
    await database.pool.execute("DELETE FROM ground_truths")
    findings = await installation.findings()
    assert only_wrong(findings) == {"ground truth": "failed"}
    assert "load-ground-truth" in findings["ground truth"].fix


async def test_a_test_set_too_small_to_show_values(
    installation: Installation, database: Database
) -> None:
    records = orjson.loads(gzip.decompress((DEMO / "ground_truth.json.gz").read_bytes()))
    await database.pool.execute(
        "UPDATE ground_truths SET content = $1", gzip.compress(orjson.dumps(records[:40]))
    )
    findings = await installation.findings()
    assert only_wrong(findings) == {"ground truth": "warning"}
    assert "fewer than 30 samples" in findings["ground truth"].says


@pytest.mark.parametrize(("seconds", "state"), [(3, "warning"), (-60, "failed")])
async def test_clocks_that_are_apart(
    installation: Installation, seconds: float, state: str
) -> None:
    installation.clock = lambda: time.time() + seconds
    assert only_wrong(await installation.findings()) == {"clock": state}


@pytest.mark.parametrize(("free", "state"), [(GIB // 2, "failed"), (5 * GIB, "warning")])
async def test_a_disk_that_fills_up(installation: Installation, free: int, state: str) -> None:
    installation.disk = (100 * GIB, free)
    assert only_wrong(await installation.findings()) == {"disk for uploads": state}


@deep
async def test_a_queue_that_is_missing_or_has_other_settings(
    distributed: Installation, rabbit_url: str
) -> None:
    """One test, as it takes two seconds of a processor to make all queues."""
    connection = await aio_pika.connect(rabbit_url)
    async with connection:
        channel = await connection.channel()
        await channel.queue_delete(JUDGE_BATCHES.name)
        assert only_wrong(await distributed.findings()) == {"message bus": "warning"}
        again = await distributed.findings()
        assert again["message bus"].state == "warning", "looking has made it"
        await channel.declare_queue(JUDGE_BATCHES.name, durable=True)
    findings = await distributed.findings()
    assert only_wrong(findings) == {"message bus": "failed"}
    assert JUDGE_BATCHES.name in findings["message bus"].says
    assert "rebuild-queues" in findings["message bus"].fix


@pytest.mark.parametrize("url", ["amqp://guest:a-secret-key@127.0.0.1:{port}/", "nonsense"])
async def test_a_broker_that_is_not_there(installation: Installation, url: str) -> None:
    installation.change(rabbitmq_url=url.format(port=free_port()))
    findings = await installation.findings()
    assert only_wrong(findings) == {"message bus": "failed"}
    assert "a-secret-key" not in str(findings)


async def test_a_provider_that_does_not_answer(installation: Installation) -> None:
    installation.change(judge_base_url=f"http://127.0.0.1:{free_port()}/v1")
    findings = await installation.findings()
    assert only_wrong(findings) == {"judge": "failed"}
    assert "MEDVID_JUDGE_API_KEY" in findings["judge"].fix


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"judge_prices": "{}"}, "warning"),
        ({"judge_provider": "stub"}, "warning"),
        ({"judge_provider": "none"}, "ok"),
        ({"judge_model": ""}, "failed"),
    ],
)
async def test_a_judge_that_counts_no_money_or_means_nothing(
    installation: Installation, changes: dict[str, str], state: str
) -> None:
    installation.change(**changes)
    found = (await installation.findings())["judge"]
    assert found.state == state
    if "judge_model" in changes:
        assert found.fix.startswith("Set MEDVID_JUDGE_MODEL, which has no default")


@pytest.mark.parametrize(
    ("listed", "by_setting", "state"),
    [
        (31, None, "warning"),
        (61, None, "ok"),
        (None, 20, "failed"),
        (90, 20, "failed"),
        (20, 90, "failed"),
    ],
)
async def test_a_model_that_ends(
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    listed: int | None,
    by_setting: int | None,
    state: str,
) -> None:
    today = datetime.now(UTC).date()
    if by_setting is not None:
        installation.change(judge_ends=today + timedelta(days=by_setting))
    shutdown = None if listed is None else str(today + timedelta(days=listed))
    async with running_stub(Stub(Faults(shutdown_date=shutdown))) as url:
        installation.change(judge_base_url=url)
        findings = await installation.findings()
    judge = findings["judge"]
    assert judge.state == state
    assert ("successor" in judge.fix) == (state != "ok")
    status = print_report(list(findings.values()), as_json=True)
    assert status == (1 if state == "failed" else 0)
    assert capsys.readouterr().out


async def test_no_service_runs(installation: Installation, database: Database) -> None:
    await database.pool.execute("UPDATE system_figures SET sampled_at = now() - interval '1 hour'")
    findings = await installation.findings()
    assert only_wrong(findings) == {"work": "warning"}
    assert "Start the services" in findings["work"].fix


async def test_stalled_work_and_dead_letters(
    installation: Installation, database: Database
) -> None:
    await database.pool.execute(
        "INSERT INTO dead_letters (queue, message_id, reason, detail, attempts, body)"
        " VALUES ('ranker.boards', gen_random_uuid(), 'x', 'x', 1, '')"
    )
    assert "1 dead letters" in (await installation.findings())["work"].says
    await accept_submission(database)
    await database.pool.execute("UPDATE submissions SET changed_at = now() - interval '1 hour'")
    await database.pool.execute("UPDATE system_figures SET claimed_at = 'epoch'")
    await Sampler(database, LocalBus(database), 10).refresh()
    assert "scorer.submissions" in (await installation.findings())["work"].says


async def test_batches_that_are_late_at_the_provider(
    installation: Installation, database: Database
) -> None:
    stored = await accept_submission(database)
    run_id = await request_run(database, stored.submission_id)
    await database.pool.execute("INSERT INTO judge_versions VALUES ('abcdef01', '{}', false)")
    await database.pool.execute("UPDATE judge_runs SET judge_version = 'abcdef01'")
    await add_provider_batch(database, run_id, "in_progress")
    assert (await installation.findings())["work"].state == "ok"
    await database.pool.execute(
        "UPDATE judge_provider_batches"
        " SET created_at = now() - interval '27 hours', problem = '503'"
    )
    found = (await installation.findings())["work"]
    assert found.state == "warning"
    assert found.says.endswith("1 (in_progress for 27 h). The last failure: 503.")
    await database.pool.execute(
        "UPDATE judge_provider_batches SET due_at = now() - interval '11 minutes'"
    )
    found = (await installation.findings())["work"]
    assert "No judge has nowhere any more: set its address and key back." in found.says


async def test_connections_that_run_out(installation: Installation) -> None:
    installation.change(database_pool_size=200)
    findings = await installation.findings()
    assert only_wrong(findings) == {"database": "warning"}
    assert "max_connections" in findings["database"].fix


def test_the_report_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [Finding("a", "ok", "is well"), Finding("b", "failed", "is ill", "Fix it.")]
    assert print_report(findings, as_json=True) == 1
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert report["findings"][1] == {
        "check": "b", "state": "failed", "says": "is ill", "fix": "Fix it.",
    }  # fmt: skip
    assert print_report(findings[:1], as_json=True) == 0
    assert print_report(findings, as_json=False) == 1
    assert "Fix it." in capsys.readouterr().out


@deep
async def test_signing_in_is_tried(
    installation: Installation, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    async with fake_provider(free_port()) as provider:
        file = tmp_path / "sign-in.toml"
        file.write_text(
            f'private_networks = true\n[providers.one]\nkind = "oidc"\nname = "One"\n'
            f'issuer = "{provider.issuer}"\nclient_id = "us"\n'
            'client_secret_env = "MEDVID_SIGN_IN_ONE_SECRET"\n'
        )
        site = f"http://127.0.0.1:{port}"
        installation.change(sign_in=file, public_url=site)
        finding = (await installation.findings())["configuration"]
        assert finding.state == "ok"  # the secret's name is one of the file's, set or not
        finding = (await installation.findings())["sign-in"]
        assert "MEDVID_SIGN_IN_ONE_SECRET is not set" in finding.says
        installation.change(sign_in_one_secret="a secret")  # noqa: S106 - of a fake
        finding = (await installation.findings())["sign-in"]
        assert (finding.state, "does not answer" in finding.says) == ("warning", True)
        async with running_gateway(database, load=False, port=port, sign_in=file, public_url=site):
            findings = await installation.findings()
            assert findings["configuration"].state == "ok"
            assert findings["sign-in"].state == "ok"
            assert f"{site}/sign-in/one/callback" in findings["sign-in"].says
        async with running_gateway(database, load=False, port=port, sign_in=None):  # no file
            finding = (await installation.findings())["sign-in"]
            assert (finding.state, "answered 404" in finding.says) == ("warning", True)
        provider.discovery = {"issuer": "https://another.example"}
        finding = (await installation.findings())["sign-in"]
        assert (finding.state, provider.issuer in finding.fix) == ("failed", True)
        file.write_text("[providers.one]\n")
        findings = await installation.findings()
        assert "providers.one.client_id" in findings["configuration"].says
