"""How a run ends: its scores go to the board, once; or it fails and keeps its verdicts.

Where too many pairs are left without a verdict the run is first retried: a model that answers
nonsense for a minute must not cost a run its result. Not where those are too many that no second
call changes, as they are refused for their captions. A panel's run may end without some members:
it is then one of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.benchmark.caption_pairs import JudgingPlan
from medvid.benchmark.tasks import ASPECTS
from medvid.benchmark.versions import JUDGED_VERSION
from medvid.judging import badges
from medvid.judging.panel_results import Rounds, panel_outcome
from medvid.judging.panels import Panel
from medvid.judging.plans import unpack
from medvid.judging.results import RunOutcome, outcome
from medvid.judging.verdicts import Verdict
from services.judge.own_families import family_facts
from services.judge.replicates import judged_replicates
from services.judge.succession import keep_beside, settle_failed
from services.judge.verdict import FINAL, BadReplies, ProviderDown
from services.judge.versions import add_panel, panel_of
from shared.contracts.messages import JudgingCompleted, JudgingProgressed
from shared.storage.database import Connection, Transaction
from shared.storage.queries import load_queries
from shared.storage.replicates import StoredReplicates, save_replicates

_SQL: Final = load_queries(__package__)
_RETRIES: Final = 3
_UNSCORED: Final = "too_many_unscored"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """What the members of a run's panel have judged; in their order.

    `missing`: why a member is left out, by its version; all others' values can be published.
    """

    panel: Panel
    plan: JudgingPlan
    rounds: Sequence[Rounds]
    outcomes: Sequence[RunOutcome]
    missing: Mapping[str, str]

    @property
    def rest(self) -> Panel:
        """Return the panel of those that are not left out."""
        return self.panel.without(self.missing)

    @property
    def kept(self) -> list[int]:
        """Return the places of those that are not left out."""
        members = enumerate(self.panel.members)
        return [n for n, each in members if each.judge_version not in self.missing]

    def bad(self) -> list[int]:
        """Return the places of those whose values cannot be published, of those that are kept."""
        return [n for n in self.kept if not self.outcomes[n].publishable]


async def close_run(
    transaction: Transaction,
    run_id: UUID,
    run: asyncpg.Record,
    families: Mapping[str, str],
    down: Mapping[str, str],
) -> None:
    """Publish the result of a run whose items are all terminal, or pause or fail the run.

    Its row is locked. `down`: the members of a panel that it ends without, and why; their items
    are not. `families` as `own_family` takes them.
    """
    judged = await _judged(transaction.connection, run_id, run, down)
    bad = judged.bad()
    if bad and await _may_retry(transaction.connection, run_id, run, judged, bad):
        problem = judged.outcomes[bad[0]].problem
        await transaction.connection.execute(_SQL["run_pause"], run_id, BadReplies.code, problem)
        _log.warning("judge_run_paused", run_id=str(run_id), reason=BadReplies.code)
    elif down and not set(judged.kept) - set(bad):
        reason = "; ".join(down.values())
        code = ProviderDown.code
        await transaction.connection.execute(_SQL["run_pause"], run_id, code, reason)
        _log.warning("judge_run_paused", run_id=str(run_id), reason=code)
    else:
        await _end(transaction, run_id, run, judged, families)
    submission_id: UUID = run["submission_id"]
    await transaction.emit(JudgingProgressed(submission_id=submission_id, run_id=run_id))


async def _judged(
    connection: Connection, run_id: UUID, run: asyncpg.Record, down: Mapping[str, str]
) -> JudgedRun:
    panel = await panel_of(connection, run["judge_version"])
    missing = dict.fromkeys(down, ProviderDown.code)
    rows = await connection.fetch(_SQL["run_verdicts"], run_id, run["judge_version"])
    given = (run["plan"], len(panel.members), run["repeats"], rows)
    plan, rounds = await asyncio.to_thread(verdicts_by_member, *given)
    outcomes = await asyncio.to_thread(lambda: [outcome(plan, each) for each in rounds])
    return JudgedRun(panel, plan, rounds, outcomes, missing)


def verdicts_by_member(
    packed: bytes, members: int, repeats: int, rows: Sequence[asyncpg.Record]
) -> tuple[JudgingPlan, list[list[dict[int, Verdict]]]]:
    """Return a run's plan, and its verdicts by member, repeat and text."""
    rounds: list[list[dict[int, Verdict]]] = [[{} for _ in range(repeats)] for _ in range(members)]
    for row in rows:
        verdict = dict(zip(ASPECTS, row["scores"], strict=True))
        rounds[row["member"]][row["repeat"]][row["ordinal"]] = verdict
    return unpack(packed), rounds


async def _end(
    transaction: Transaction,
    run_id: UUID,
    run: asyncpg.Record,
    judged: JudgedRun,
    families: Mapping[str, str],
) -> None:
    """Complete the run, or fail it where its result cannot be published."""
    connection, asked = transaction.connection, judged
    bad = judged.bad()
    of_job = run["job_id"] is not None  # whose values are of the whole panel, or none
    if bad and len(bad) < len(judged.kept) and not of_job:
        left_out = {judged.panel.members[n].judge_version: _UNSCORED for n in bad}
        judged = replace(judged, missing={**judged.missing, **left_out})
        bad = []
    if judged.missing:
        await _shrink(transaction, run_id, judged)
    version = judged.rest.version
    submission_id: UUID = run["submission_id"]
    entry = await connection.fetchrow(_SQL["run_entry"], submission_id, version)
    confirmed: bool = await connection.fetchval(_SQL["run_is_confirmed"], run_id, version)
    unscored = await connection.fetchval(_SQL["run_unscored"], run_id, version)
    problem = judged.outcomes[bad[0]].problem if bad else ""
    refusal = _refusal(problem, entry, is_confirmed=confirmed)
    if refusal is not None:
        await connection.execute(_SQL["run_fail"], run_id, *refusal, unscored)
        _log.warning("judge_run_failed", run_id=str(run_id), reason=refusal[0])
        if of_job:
            await settle_failed(transaction, run["job_id"])
        return
    assert entry is not None  # noqa: S101 - refused otherwise
    result, drawn = await asyncio.to_thread(_result, judged, entry, families)
    if of_job:
        given = (run_id, run, entry, result, drawn)
        await keep_beside(transaction, *given, is_confirmed=confirmed)
    else:
        # Of members whose replies are no verdicts a second run would only pay for the same.
        wanted = judged.panel.version if asked.missing == judged.missing else version
        values = _Values(version, wanted, entry, result, drawn, confirmed)
        await _publish(transaction, run_id, submission_id, values)
    await connection.execute(_SQL["run_complete"], run_id, unscored, _without(judged))
    _log.info("judge_run_completed", run_id=str(run_id), unscored=unscored)


async def _shrink(transaction: Transaction, run_id: UUID, judged: JudgedRun) -> None:
    """Make the run one of the members that are left."""
    connection = transaction.connection
    await add_panel(transaction, judged.rest)
    await connection.execute(_SQL["batches_drop"], run_id)
    for number in set(range(len(judged.panel.members))).difference(judged.kept):
        await connection.execute(_SQL["run_member_drop"], run_id, number)
    for number, before in enumerate(judged.kept):
        if number != before:
            await connection.execute(_SQL["run_member_is"], run_id, before, number)
    await connection.execute(_SQL["run_shrinks"], run_id, judged.rest.version)


def _result(
    judged: JudgedRun, entry: asyncpg.Record, families: Mapping[str, str]
) -> tuple[RunOutcome, list[StoredReplicates]]:
    """Return what is published, and its replicates."""
    rounds = [judged.rounds[n] for n in judged.kept]
    outcomes = [judged.outcomes[n] for n in judged.kept]
    result = panel_outcome(judged.plan, judged.panel, outcomes, rounds, judged.missing)
    result = replace(result, facts={**result.facts, **family_facts(entry, judged.rest, families)})
    found = judged_replicates(judged.plan, judged.rest, rounds, entry["ground_truth"])
    valued = {metric.metric for metric in result.metrics if metric.value is not None}
    return result, [each for each in found if each.metric in valued]


def _without(judged: JudgedRun) -> str | None:
    """Return what is said of a run that ended without some members."""
    if not judged.missing:
        return None
    whole = judged.panel.members
    names = {each.judge_version: each.name for each in whole}
    why = ", ".join(f"{names[version]} ({reason})" for version, reason in judged.missing.items())
    return f"judged by {len(judged.kept)} of {len(whole)} judges, without {why}."


def _refusal(
    problem: str, entry: asyncpg.Record | None, *, is_confirmed: bool
) -> tuple[str, str] | None:
    if problem:
        return _UNSCORED, problem
    if entry is None:
        return "no_entry", "the submission has no entry any more."
    if entry["is_stub"] and entry["board"] == "official":
        return "stub_not_official", "a stub judge's scores never reach the official board."
    if entry["board"] == "official" and not is_confirmed:
        return (
            "unconfirmed_not_official",
            "verdicts came from an endpoint that names another model than the judge's; they never "
            "reach the official board.",
        )
    return None


async def _may_retry(
    connection: Connection,
    run_id: UUID,
    run: asyncpg.Record,
    judged: JudgedRun,
    bad: Sequence[int],
) -> bool:
    """Tell whether a result could be published if all that may still get a verdict got one."""
    if await connection.fetchval(_SQL["run_bad_pauses"], run_id) >= _RETRIES:
        return False
    rows = await connection.fetch(_SQL["run_final"], run_id, run["judge_version"], FINAL)
    final = {(row["member"], row["repeat"], row["ordinal"]) for row in rows}
    return await asyncio.to_thread(lambda: any(_hopeful(judged, n, final) for n in bad))


def _hopeful(judged: JudgedRun, member: int, final: set[tuple[int, int, int]]) -> bool:
    any_verdict = dict.fromkeys(ASPECTS, 1)
    hoped = [
        {
            ordinal: verdicts.get(ordinal, any_verdict)
            for ordinal in range(len(judged.plan.texts))
            if (member, repeat, ordinal) not in final
        }
        for repeat, verdicts in enumerate(judged.rounds[member])
    ]
    return outcome(judged.plan, hoped).publishable


@dataclass(frozen=True, slots=True)
class _Values:
    """What a run publishes; `wanted` is the judge version that they shall have one day."""

    version: str
    wanted: str
    entry: asyncpg.Record
    result: RunOutcome
    drawn: Sequence[StoredReplicates]
    is_confirmed: bool

    @property
    def badges(self) -> list[str]:
        """Return the marks of an entry with these."""
        facts: dict[str, Any] = self.result.facts
        marks = {
            badges.STUB_JUDGE: self.entry["is_stub"],
            badges.UNCONFIRMED_JUDGE: not self.is_confirmed,
            badges.JUDGES_MISSING: bool(facts.get("panel", {}).get("missing")),
            badges.OWN_FAMILY: "own_family" in facts,
        }
        return [badge for badge in badges.OF_JUDGE if marks[badge]]


async def _publish(
    transaction: Transaction, run_id: UUID, submission_id: UUID, values: _Values
) -> None:
    connection, entry, version = transaction.connection, values.entry, values.version
    await connection.execute(_SQL["entries_lock"], submission_id)
    await connection.execute(
        _SQL["result_add"],
        run_id,
        submission_id,
        version,
        orjson.dumps(values.result.facts).decode(),
        values.wanted if values.wanted != version else None,
    )
    await connection.executemany(
        _SQL["score_put"],
        [
            (
                entry["id"],
                metric.metric,
                metric.value,
                metric.answered,
                metric.expected,
                orjson.dumps(metric.by_source).decode(),
                entry["ground_truth_version"],
                JUDGED_VERSION,
                entry["file_sha256"],
                version,
            )
            for metric in values.result.metrics
        ],
    )
    await save_replicates(
        connection,
        entry["id"],
        values.drawn,
        ground_truth_version=entry["ground_truth_version"],
        metric_version=JUDGED_VERSION,
        judge_version=version,
    )
    await connection.execute(_SQL["badges_set"], entry["id"], badges.OF_JUDGE, values.badges)
    # Before the run's own state: the ranker, too, locks the board before it notifies watchers.
    await connection.execute(_SQL["board_changed"], entry["board"])
    await transaction.emit(
        JudgingCompleted(
            submission_id=submission_id,
            run_id=run_id,
            entry_id=entry["id"],
            board=entry["board"],
            judge_version=version,
        )
    )
