"""Examines an installation from outside: whether what the services need is there and sound.

Nothing is changed. A check that cannot be made because another failed is skipped, and says so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from medvid.benchmark.disclosure import never_shown
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.cli.parameters import Json
from services.gateway.domain.access import ADMIN_KEY_CHARACTERS, MAKES_ADMIN_KEY
from services.judge.endpoint import OpenAiEndpoint, Sampling, open_client
from services.operate.database import open_address, open_at
from services.operate.findings import Finding, print_report
from services.standalone import StandaloneSettings
from shared.messaging.rabbit_rebuild import differences
from shared.runtime.errors import MedvidError, Misconfigured
from shared.runtime.figures import read_sample
from shared.runtime.logs import configure_logs
from shared.runtime.settings import load_settings
from shared.storage.database import Database
from shared.storage.ground_truths import active_ground_truth_version, ground_truth_content
from shared.storage.migrate import load_migrations, require_schema
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "doctor.sql")
_SECONDS: Final = 20.0
"""The longest that one check may take."""
_OLDEST_SERVER: Final = 14
_CLOCK_WARNING: Final = 1.0
_CLOCK_FAILURE: Final = 10.0
_GIB: Final = 1 << 30
_FRESH_SECONDS: Final = 120.0
_STALLED_SECONDS: Final = 900.0
_MOST_NAMES: Final = 10


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at besides the settings; tests put faults here."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Callable[[], float] = time.time
    free_bytes: Callable[[Path], tuple[int, int]] = lambda path: (
        shutil.disk_usage(path).total,
        shutil.disk_usage(path).free,
    )
    """Total and free bytes of the file system that holds a path."""


def doctor(as_json: Json = False) -> int:
    """Examine the installation and say what to do; changes nothing.

    Exit status 1 where something failed. Configuration, database, migrations, queues, ground truth,
    the judge's provider, clocks, disks, and stalled work.
    """
    configure_logs("error", "auto", "admin")
    return print_report(asyncio.run(examine(Surroundings())), as_json=as_json)


async def examine(around: Surroundings) -> list[Finding]:
    """Make every check."""
    try:
        settings = load_settings(StandaloneSettings)
    except Misconfigured as error:
        return [Finding("configuration", "failed", error.detail, error.fix)]
    findings = [_configuration(settings, around.environment), *_disks(settings, around)]
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(open_address())
            database = await stack.enter_async_context(open_at(url, migrated=False))
        except MedvidError as error:
            findings.append(Finding("database", "failed", error.detail, error.fix))
            skipped = ("clock", "migrations", "ground truth", "names", "work")
            findings += [Finding(name, "skipped", "the database is missing.") for name in skipped]
        else:
            findings += await _database_checks(database, settings, around)
    findings.append(await _made("message bus", lambda: _bus(settings)))
    findings.append(await _made("judge", lambda: _provider(settings)))
    return findings


async def _database_checks(
    database: Database, settings: StandaloneSettings, around: Surroundings
) -> list[Finding]:
    found = [
        await _made("database", lambda: _server(database, settings)),
        await _made("clock", lambda: _clock(database, around.clock)),
        await _made("migrations", lambda: _migrations(database)),
    ]
    if found[-1].state == "failed":
        skipped = ("ground truth", "names", "work")
        return found + [Finding(name, "skipped", "the schema is not ours yet.") for name in skipped]
    return [
        *found,
        await _made("ground truth", lambda: _ground_truth(database)),
        await _made("names", lambda: _names(database)),
        await _made("work", lambda: _work(database)),
    ]


async def _made(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    """Make a check in time, whatever it raises."""
    try:
        async with asyncio.timeout(_SECONDS):
            return await check()
    except TimeoutError:
        return Finding(name, "failed", f"no answer within {_SECONDS:g} s.", "See why it hangs.")
    except MedvidError as error:
        return Finding(name, "failed", error.detail, error.fix)
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding too
        return Finding(name, "failed", f"{type(error).__name__}: {error}")


def _configuration(settings: StandaloneSettings, environment: Mapping[str, str]) -> Finding:
    known = {f"MEDVID_{name}".upper() for name in type(settings).model_fields}
    unknown = sorted(
        name for name in environment
        if name.startswith("MEDVID_") and name.upper() not in known
        and not name.startswith("MEDVID_TEST_")
    )  # fmt: skip
    if unknown:
        return Finding(
            "configuration",
            "warning",
            f"nobody reads {', '.join(unknown)}.",
            "Look for a typing error; 'medvid config' lists every variable.",
        )
    if settings.admin_key_is_short:
        return Finding(
            "configuration",
            "failed",
            f"MEDVID_ADMIN_KEY has fewer than {ADMIN_KEY_CHARACTERS} characters, so administration "
            "is off.",
            f"Set it to what '{MAKES_ADMIN_KEY}' prints, and restart the gateway.",
        )
    if settings.admin_key is None:
        return Finding(
            "configuration",
            "warning",
            "there is no key for administrators.",
            f"Set MEDVID_ADMIN_KEY to what '{MAKES_ADMIN_KEY}' prints, unless nobody is to "
            "administer over HTTP.",
        )
    return Finding("configuration", "ok", f"{len(known)} settings are valid.")


def _disks(settings: StandaloneSettings, around: Surroundings) -> Iterator[Finding]:
    places = {"uploads": settings.upload_dir or Path(tempfile.gettempdir())}
    if settings.database_url is None:
        places["data"] = settings.data_dir.absolute()
    for name, folder in places.items():
        yield _disk(f"disk for {name}", folder, around)


def _disk(name: str, folder: Path, around: Surroundings) -> Finding:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing == folder and not os.access(folder, os.W_OK):
        return Finding(name, "failed", f"{folder} cannot be written to.", "Give the user access.")
    total, free = around.free_bytes(existing)
    says = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB are free in {folder}."
    if free < _GIB:
        return Finding(name, "failed", says, "Make room: below 1 GiB uploads and Postgres fail.")
    if free < total / 10:
        return Finding(name, "warning", says, "Make room, or see 'medvid admin prune --dry-run'.")
    return Finding(name, "ok", says)


async def _server(database: Database, settings: StandaloneSettings) -> Finding:
    version = await database.pool.fetchval(_SQL["server_version"]) // 10_000
    row = await database.pool.fetchrow(_SQL["connections"])
    assert row is not None  # noqa: S101 - it always has one row
    says = f"Postgres {version} answers; {row['used']} of {row['allowed']} connections are used."
    if version < _OLDEST_SERVER:
        return Finding("database", "failed", says, f"Use Postgres {_OLDEST_SERVER} or newer.")
    if row["used"] + settings.database_pool_size > row["allowed"]:
        return Finding(
            "database",
            "warning",
            f"{says} Another process with {settings.database_pool_size} would not fit.",
            "Raise max_connections, put a pooler before Postgres, or lower "
            "MEDVID_DATABASE_POOL_SIZE.",
        )
    return Finding("database", "ok", says)


async def _clock(database: Database, clock: Callable[[], float]) -> Finding:
    before = clock()
    theirs = await database.pool.fetchval(_SQL["now"])
    after = clock()
    # What the round trip took can hide at most half of itself.
    apart = max(0.0, abs(theirs - (before + after) / 2) - (after - before) / 2)
    says = f"this host and the database are {apart:.1f} s apart."
    fix = "Let both keep time by NTP: limits, leases and dates go by these clocks."
    if apart > _CLOCK_FAILURE:
        return Finding("clock", "failed", says, fix)
    if apart > _CLOCK_WARNING:
        return Finding("clock", "warning", says, fix)
    return Finding("clock", "ok", says)


async def _migrations(database: Database) -> Finding:
    await require_schema(database)
    return Finding("migrations", "ok", f"all {len(load_migrations())} are applied.")


async def _ground_truth(database: Database) -> Finding:
    version = await active_ground_truth_version(database)
    if version is None:
        fix = "Load it with 'medvid admin load-ground-truth FILE'."
        return Finding("ground truth", "failed", "there is none: uploads are refused.", fix)
    truth = load_ground_truth(await ground_truth_content(database, version))
    if few := never_shown(truth.samples):
        fix = "Load a larger test set, or say so to whoever reads the boards (docs/security.md)."
        return Finding("ground truth", "warning", few, fix)
    return Finding("ground truth", "ok", f"version {version[:12]} is active.")


async def _names(database: Database) -> Finding:
    """Look for entries that kept a key of an older rule, as another has their name now."""
    pairs = await database.pool.fetch(_SQL["names_alike"], _MOST_NAMES)
    if not pairs:
        return Finding("names", "ok", "no two models of a board have the same name.")
    named = "; ".join(
        f"{row['kept']!r} ({row['kept_id']}) and {row['held']!r} ({row['held_id']}) on the "
        f"{row['board']} board" for row in pairs
    )  # fmt: skip
    return Finding(
        "names", "warning", f"models whose names count as the same: {named}.",
        "Rename or remove one of each two: 'medvid admin rename'.",
    )  # fmt: skip


async def _work(database: Database) -> Finding:
    letters = await database.pool.fetchval(_SQL["open_dead_letters"])
    sample = await read_sample(database)
    if sample.age > _FRESH_SECONDS:
        return Finding(
            "work", "warning", "no service has reported its figures of late.",
            "Start the services; where they run, see their logs.",
        )  # fmt: skip
    oldest = max(sample.figures.get("medvid_queue_age_seconds", {}).items(),
                 key=lambda item: item[1], default=("", 0.0))  # fmt: skip
    if oldest[1] > _STALLED_SECONDS:
        return Finding(
            "work", "warning", f"the oldest work of {oldest[0]} waits {oldest[1]:,.0f} s.",
            "See whether its service runs, and its log.",
        )  # fmt: skip
    if letters:
        return Finding(
            "work", "warning", f"{letters} dead letters wait for a decision.",
            "See 'medvid admin dead-letters'.",
        )  # fmt: skip
    return Finding("work", "ok", "nothing is stalled, and there are no dead letters.")


async def _bus(settings: StandaloneSettings) -> Finding:
    if settings.rabbitmq_url is None:
        return Finding("message bus", "ok", "messages travel through Postgres.")
    found = await differences(settings.rabbitmq_url.get_secret_value())
    wrong = sorted({entry.name for entry in found if entry.kind != "missing"})
    if wrong:
        return Finding(
            "message bus", "failed", f"other settings than ours: {', '.join(wrong)}.",
            "Stop the services and run 'medvid admin rebuild-queues'.",
        )  # fmt: skip
    if found:
        return Finding(
            "message bus", "warning", f"{len(found)} queues are missing.",
            "The first service that starts makes them.",
        )  # fmt: skip
    return Finding("message bus", "ok", "RabbitMQ answers, and every queue is as it must be.")


async def _provider(settings: StandaloneSettings) -> Finding:
    if settings.judge_provider == "none":
        return Finding("judge", "ok", "judging is off.")
    if settings.judge_provider == "stub":
        return Finding(
            "judge", "warning", "the stand-in judges: its numbers mean nothing.",
            "Set MEDVID_JUDGE_PROVIDER=openai where scores are to be published.",
        )  # fmt: skip
    client = open_client(
        api_key=settings.judge_api_key.get_secret_value() or "none",
        base_url=settings.judge_base_url,
        seconds=_SECONDS / 2,
    )
    sampling = Sampling(
        model=settings.judge_model, max_tokens=1, temperature=None, seed=None,
        token_parameter=settings.judge_token_parameter,
    )  # fmt: skip
    try:
        up = await OpenAiEndpoint(client, sampling, _SECONDS / 2).is_up()
    finally:
        await client.close()
    if not up:
        return Finding(
            "judge", "failed", f"{settings.judge_base_url} does not answer, or refuses the key.",
            "Check MEDVID_JUDGE_BASE_URL, MEDVID_JUDGE_API_KEY and the way out of this network.",
        )  # fmt: skip
    if settings.judge_model not in settings.judge_prices:
        return Finding(
            "judge", "warning", f"the price of {settings.judge_model} is not known.",
            "Set MEDVID_JUDGE_PRICES: without it no money is counted and no cap holds.",
        )  # fmt: skip
    return Finding("judge", "ok", f"the endpoint of {settings.judge_model} answers.")
