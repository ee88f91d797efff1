"""Examines an installation from outside: whether what the services need is there and sound.

Nothing is changed. A check that cannot be made because another failed is skipped, and says so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from medvid.benchmark.disclosure import never_shown
from medvid.benchmark.ground_truth import load_ground_truth
from medvid.judging.calls import CallFailed
from medvid.judging.endpoint import OpenAiEndpoint
from medvid.judging.ends import FAILURE_DAYS, WARNING_DAYS, days_left, earlier, end_of
from medvid.judging.off import off
from medvid.judging.rubric import load_rubric
from services.gateway.accounts.rules import ADMIN_KEY_CHARACTERS, MAKES_ADMIN_KEY
from services.gateway.sign_in.configuration import secret_variables
from services.judge.members import members_of
from services.judge.open_judge import judge_version, open_endpoint
from services.judge.pool_file import pool_of
from services.judge.settings import JudgeSettings
from services.operate.chains import chains
from services.operate.database import open_address, open_at
from services.operate.findings import CheckOutcome, Finding, State
from services.operate.judge_check import check_judge, models_finding
from services.operate.readers import client_addresses, public_address
from services.operate.sign_in_check import sign_in
from services.operate.tables import largest_tables
from services.standalone import StandaloneSettings
from shared.messaging.rabbit.rebuild import differences
from shared.runtime.errors import MedvidError, Misconfigured
from shared.runtime.figures import read_sample
from shared.runtime.settings import environment, load_settings
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
_CLIENTS: Final = {"MEDVID_URL", "MEDVID_API_KEY", "MEDVID_TOKEN"}
"""Variables that commands on a server read."""
_TRY_IT: Final = "Run 'medvid admin judge-check', which asks it for a verdict."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at besides the settings; tests put faults here."""

    variables: Callable[[], Mapping[str, str]] = environment
    clock: Callable[[], float] = time.time
    free_bytes: Callable[[Path], tuple[int, int]] = lambda path: (
        shutil.disk_usage(path).total,
        shutil.disk_usage(path).free,
    )
    """Total and free bytes of the file system that holds a path."""


async def examine(around: Surroundings, *, ask_judge: bool = False) -> list[Finding]:
    """Make every check; with `ask_judge` also those that cost a call."""
    try:
        settings = load_settings(StandaloneSettings)
    except Misconfigured as error:
        return [Finding("configuration", "failed", error.detail, error.fix)]
    findings = [Finding("configuration", *_configuration(settings, around.variables()))]
    findings += [
        Finding(f"disk for {name}", *_disk(folder, around))
        for name, folder in _folders(settings).items()
    ]
    async with AsyncExitStack() as stack:
        try:
            url = await stack.enter_async_context(open_address())
            database = await stack.enter_async_context(open_at(url, migrated=False))
        except MedvidError as error:
            findings.append(Finding("database", "failed", error.detail, error.fix))
            findings += _skipped(
                [*_DATABASE_CHECKS, *_SCHEMA_CHECKS][1:], "the database is missing."
            )
        else:
            seen = _Installation(settings, around, database)
            findings += [await _made(name, check(seen)) for name, check in _DATABASE_CHECKS.items()]
            if findings[-1].state == "failed":
                findings += _skipped(_SCHEMA_CHECKS, "the schema is not the one it must be.")
            else:
                findings += [
                    await _made(name, check(seen)) for name, check in _SCHEMA_CHECKS.items()
                ]
    findings.append(await _made("message bus", _bus(settings)))
    findings.append(await _made("public address", public_address(settings)))
    findings.append(await _made("sign-in", sign_in(settings)))
    findings += await _judges(settings)
    if ask_judge:
        try:
            findings += [
                replace(finding, check=f"judge: {finding.check}")
                for finding in await check_judge(settings)
            ]
        except Misconfigured as error:
            findings.append(Finding("judge: settings", "failed", error.detail, error.fix))
    return findings


@dataclass(frozen=True, slots=True)
class _Installation:
    settings: StandaloneSettings
    around: Surroundings
    database: Database


def _skipped(names: Iterable[str], why: str) -> list[Finding]:
    return [Finding(name, "skipped", why) for name in names]


async def _made(name: str, check: Awaitable[CheckOutcome]) -> Finding:
    """Make a check in time, whatever it raises."""
    try:
        async with asyncio.timeout(_SECONDS):
            return Finding(name, *await check)
    except TimeoutError:
        return Finding(name, "failed", f"no answer within {_SECONDS:g} s.", "See why it hangs.")
    except MedvidError as error:
        return Finding(name, "failed", error.detail, error.fix)
    except Exception as error:  # noqa: BLE001 - a check that breaks is a finding too
        return Finding(name, "failed", f"{type(error).__name__}: {error}")


def _configuration(settings: StandaloneSettings, environment: Mapping[str, str]) -> CheckOutcome:
    known = {f"MEDVID_{name}".upper() for name in type(settings).model_fields}
    try:
        secrets = secret_variables(settings.sign_in)
    except Misconfigured as error:
        return CheckOutcome("failed", error.detail, error.fix)
    unknown = sorted(
        name for name in environment
        if name.startswith("MEDVID_") and name.upper() not in known | _CLIENTS | secrets
        and not name.startswith("MEDVID_TEST_")
    )  # fmt: skip
    if unknown:
        fix = "Look for a typing error; 'medvid config' lists every variable."
        return CheckOutcome("warning", f"nobody reads {', '.join(unknown)}.", fix)
    if settings.admin_key_is_short:
        says = (
            f"MEDVID_ADMIN_KEY has fewer than {ADMIN_KEY_CHARACTERS} characters, so administration "
            "is off."
        )
        fix = f"Set it to what '{MAKES_ADMIN_KEY}' prints, and restart the gateway."
        return CheckOutcome("failed", says, fix)
    if settings.admin_key is None and settings.sign_in is None:
        fix = (
            f"Set MEDVID_ADMIN_KEY to what '{MAKES_ADMIN_KEY}' prints, unless nobody is to "
            "administer over HTTP."
        )
        return CheckOutcome("warning", "there is no key for administrators.", fix)
    return CheckOutcome("ok", f"{len(known)} settings are valid.")


def _folders(settings: StandaloneSettings) -> dict[str, Path]:
    folders = {"uploads": settings.upload_dir or Path(tempfile.gettempdir())}
    if settings.database_url is None:
        folders["data"] = settings.data_dir.absolute()
    return folders


def _disk(folder: Path, around: Surroundings) -> CheckOutcome:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing == folder and not os.access(folder, os.W_OK):
        return CheckOutcome("failed", f"{folder} cannot be written to.", "Give the user access.")
    total, free = around.free_bytes(existing)
    says = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB are free in {folder}."
    if free < _GIB:
        return CheckOutcome("failed", says, "Make room: below 1 GiB uploads and Postgres fail.")
    if free < total / 10:
        return CheckOutcome("warning", says, "Make room, or see 'medvid admin prune --dry-run'.")
    return CheckOutcome("ok", says)


async def _server(seen: _Installation) -> CheckOutcome:
    version = await seen.database.pool.fetchval(_SQL["server_version"]) // 10_000
    row = await seen.database.pool.fetchrow(_SQL["connections"])
    assert row is not None  # noqa: S101 - it always has one row
    says = f"Postgres {version} answers; {row['used']} of {row['allowed']} connections are used."
    size = seen.settings.database_pool_size
    if version < _OLDEST_SERVER:
        return CheckOutcome("failed", says, f"Use Postgres {_OLDEST_SERVER} or newer.")
    if row["used"] + size > row["allowed"]:
        fix = (
            "Raise max_connections, put a pooler before Postgres, or lower "
            "MEDVID_DATABASE_POOL_SIZE."
        )
        return CheckOutcome("warning", f"{says} Another process with {size} would not fit.", fix)
    return CheckOutcome("ok", says)


async def _clock(seen: _Installation) -> CheckOutcome:
    before = seen.around.clock()
    theirs = await seen.database.pool.fetchval(_SQL["now"])
    after = seen.around.clock()
    # What the round trip took can hide at most half of itself.
    apart = max(0.0, abs(theirs - (before + after) / 2) - (after - before) / 2)
    says = f"this host and the database are {apart:.1f} s apart."
    if apart <= _CLOCK_WARNING:
        return CheckOutcome("ok", says)
    fix = "Let both keep time by NTP: limits, leases and dates go by these clocks."
    return CheckOutcome("failed" if apart > _CLOCK_FAILURE else "warning", says, fix)


async def _migrations(seen: _Installation) -> CheckOutcome:
    await require_schema(seen.database)
    return CheckOutcome("ok", f"all {len(load_migrations())} are applied.")


async def _ground_truth(seen: _Installation) -> CheckOutcome:
    version = await active_ground_truth_version(seen.database)
    if version is None:
        fix = "Load it with 'medvid admin load-ground-truth FILE'."
        return CheckOutcome("failed", "there is none: uploads are refused.", fix)
    truth = load_ground_truth(await ground_truth_content(seen.database, version))
    if few := never_shown(truth.samples):
        fix = "Load a larger test set, or say so to readers of the boards (docs/security.md)."
        return CheckOutcome("warning", few, fix)
    return CheckOutcome("ok", f"version {version[:12]} is active.")


async def _clients(seen: _Installation) -> CheckOutcome:
    return await client_addresses(seen.settings, seen.database)


async def _names(seen: _Installation) -> CheckOutcome:
    """Look for entries that kept a key of an older rule, as another has their name now."""
    pairs = await seen.database.pool.fetch(_SQL["names_alike"], _MOST_NAMES)
    if not pairs:
        return CheckOutcome("ok", "no two models of a board have the same name.")
    named = "; ".join(
        f"{row['kept']!r} ({row['kept_id']}) and {row['held']!r} ({row['held_id']}) on the "
        f"{row['board']} board" for row in pairs
    )  # fmt: skip
    fix = "Rename or remove one of each two: 'medvid admin rename'."
    return CheckOutcome("warning", f"models whose names count as the same: {named}.", fix)


async def _evidence(seen: _Installation) -> CheckOutcome:
    return await chains(seen.database, seen.settings.signer)


async def _tables(seen: _Installation) -> CheckOutcome:
    return await largest_tables(seen.database)


async def _work(seen: _Installation) -> CheckOutcome:
    letters = await seen.database.pool.fetchval(_SQL["open_dead_letters"])
    sample = await read_sample(seen.database)
    if sample.age > _FRESH_SECONDS:
        fix = "Start the services; where they run, see their logs."
        return CheckOutcome("warning", "no service has reported its figures of late.", fix)
    ages = sample.figures.get("medvid_queue_age_seconds", {})
    queue, age = max(ages.items(), key=lambda item: item[1], default=("", 0.0))
    if age > _STALLED_SECONDS:
        says = f"the oldest work of {queue} waits {age:,.0f} s."
        return CheckOutcome("warning", says, "See whether its service runs, and its log.")
    if letters:
        says = f"{letters} dead letters wait for a decision."
        return CheckOutcome("warning", says, "See 'medvid admin dead-letters'.")
    late = await seen.database.pool.fetchrow(_SQL["late_provider_batches"])
    if late is not None and late["number"]:
        says = f"batches of the judge's that are late or fail: {late['number']} ({late['oldest']})."
        says += f" The last failure: {late['problem']}." if late["problem"] else ""
        if late["nobodys"]:
            says += f" No judge has {late['nobodys']} any more: set its address and key back."
        return CheckOutcome("warning", says, "See docs/operations.md#medvidjudgebatchlate.")
    return CheckOutcome("ok", "nothing is stalled, and there are no dead letters.")


async def _bus(settings: StandaloneSettings) -> CheckOutcome:
    if settings.rabbitmq_url is None:
        return CheckOutcome("ok", "messages travel through Postgres.")
    compared = await differences(settings.rabbitmq_url.get_secret_value())
    wrong = sorted({entry.name for entry in compared.found if entry.kind != "missing"})
    if wrong:
        fix = "Stop the services and run 'medvid admin rebuild-queues'."
        return CheckOutcome(
            "failed", f"other settings than they must have: {', '.join(wrong)}.", fix
        )
    if compared.found:
        fix = "The first service that starts makes them; with few rights, their own service."
        return CheckOutcome("warning", f"{len(compared.found)} queues are missing.", fix)
    if compared.left_to:
        whose = ", ".join(compared.left_to)
        return CheckOutcome(
            "ok",
            "RabbitMQ answers, and every queue is there; with the rights of this user the settings "
            f"of those of {whose} cannot be compared, which they do themselves when they start.",
        )
    return CheckOutcome("ok", "RabbitMQ answers, and every queue is as it must be.")


async def _judges(settings: StandaloneSettings) -> list[Finding]:
    """Examine the endpoint of each judge, of a pool every one."""
    try:
        members = members_of(settings).judges
        pools = [pool_of(each.settings) for each in members]
    except Misconfigured as error:
        return [Finding("judge", "failed", error.detail, error.fix)]
    findings = []
    for member, entries in zip(members, pools, strict=True):
        name = "judge" if len(members) == 1 else f"judge {member.name}"
        ways = {f"{name} at {each.name}": each.settings for each in entries}
        ways = ways or {name: member.settings}
        findings += [await _made(way, _judge(settings)) for way, settings in ways.items()]
    return findings


async def _judge(settings: JudgeSettings) -> CheckOutcome:
    if settings.judge_provider == "none":
        return CheckOutcome("ok", "judging is off.")
    if settings.judge_model is None and settings.judge_provider == "openai":
        return CheckOutcome(
            "failed", f"judging is off: {off('no_model').says}", off("no_model").fix
        )
    if settings.judge_provider == "stub":
        fix = "Set MEDVID_JUDGE_PROVIDER=openai where scores are to be published."
        return CheckOutcome("warning", "the stand-in judges: its numbers mean nothing.", fix)
    async with AsyncExitStack() as stack:
        version = judge_version(settings, load_rubric(settings.judge_rubric))
        quick = settings.model_copy(update={"judge_timeout_seconds": _SECONDS / 2})
        endpoint = open_endpoint(quick, version, settings.judge_base_url, stack)
        models = await models_finding(endpoint)
        listed = await _listed_end(endpoint) if models.state == "ok" else None
    end = earlier((settings.judge_ends, listed))
    found = None if end is None else ending(version.model, end, datetime.now(UTC).date())
    if models.state == "failed":
        fix = "Check MEDVID_JUDGE_BASE_URL, MEDVID_JUDGE_API_KEY and the way out of this network."
        return CheckOutcome("failed", models.says, models.fix or fix)
    if found is not None:
        return found
    if models.state == "warning":
        return CheckOutcome("warning", models.says, models.fix or _TRY_IT)
    if settings.judge_model not in settings.judge_prices:
        fix = "Set MEDVID_JUDGE_PRICES: without it no money is counted and no cap holds."
        return CheckOutcome("warning", f"the price of {settings.judge_model} is not known.", fix)
    return CheckOutcome("ok", f"{models.says} Whether it judges, `medvid admin judge-check` tells.")


async def _listed_end(endpoint: OpenAiEndpoint) -> date | None:
    try:
        return end_of(await endpoint.models(), endpoint.sampling.model)
    except CallFailed:
        return None  # which the finding about the list tells


def ending(model: str, end: date, today: date) -> CheckOutcome | None:
    """Return what to say of a model's end; None while it is far away."""
    left = days_left(end, today)
    if left > WARNING_DAYS:
        return None
    when = f"ended on {end}" if left < 0 else f"ends on {end}, in {left} days"
    fix = (
        "Choose its successor and calibrate it (docs/operations.md#medvidjudgeends); a model that "
        "lives on elsewhere needs its MEDVID_JUDGE_BASE_URL."
    )
    state: State = "failed" if left <= FAILURE_DAYS else "warning"
    return CheckOutcome(state, f"the judge's model {model} {when}.", fix)


_Check = Callable[[_Installation], Coroutine[None, None, CheckOutcome]]
_DATABASE_CHECKS: Final[dict[str, _Check]] = {
    "database": _server, "clock": _clock, "migrations": _migrations,
}  # fmt: skip
_SCHEMA_CHECKS: Final[dict[str, _Check]] = {
    "ground truth": _ground_truth, "names": _names, "evidence": _evidence,
    "client addresses": _clients, "tables": _tables, "work": _work,
}  # fmt: skip
"""Made where the schema is the one of this version."""
