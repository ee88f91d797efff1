"""The ranker's SQL: one board inside the transaction that ranks it, and what is overdue."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
import orjson
import structlog

from medvid.benchmark.disclosure import RULE, Withheld, withheld
from medvid.benchmark.series import SeriesRule, adopted
from medvid.benchmark.tasks import METRIC_KEYS, SCORINGS, Board, Ranking, Scoring
from medvid.judging.badges import JUDGES_MISSING
from medvid.models.facts import fact_badges, on_board
from medvid.models.notes import objection_badges
from services.ranker.board import Entry, RankedBoard
from shared.contracts.messages import BoardChanged, RescoringCompleted
from shared.messaging.reaper import Overdue
from shared.messaging.topology import RANKER_RESCORES
from shared.storage.database import Transaction
from shared.storage.queries import load_queries

CONSUMER: Final = "ranker"
# A statement has 20 s: on a slow machine one for 100,000 entries would never be through.
_RANKS_AT_ONCE: Final = 5_000
_LOCK_SECONDS: Final = 600.0
"""Ranking a large board takes a minute or two; the next ranker waits for so long."""
_SALT_BYTES: Final = 32
_SQL: Final = load_queries(__package__)
_RESCORES: Final = load_queries(__package__, "rescores.sql")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Revisions:
    """How far a board has changed, and how far its snapshots show it."""

    current: int
    ranked: int


@dataclass(frozen=True, slots=True)
class BoardState:
    """A consistent read of a board: a revision, how it ranks, and its listed entries."""

    revision: int
    ranking: Ranking
    rule: SeriesRule
    entries: Sequence[Entry]
    waiting: Sequence[UUID]
    """The submissions among them that are scored and not yet ranked."""


@dataclass(frozen=True, slots=True)
class BoardStore:
    """A board inside an open transaction."""

    transaction: Transaction
    board: Board

    async def lock(self) -> Revisions:
        """Keep other rankers out until the transaction ends; others may change the board."""
        connection = self.transaction.connection
        await connection.execute(_SQL["lock_rankers"], self.board, timeout=_LOCK_SECONDS)
        row = await connection.fetchrow(_SQL["board_revisions"], self.board, timeout=_LOCK_SECONDS)
        assert row is not None  # noqa: S101 - the schema inserts both boards
        return Revisions(row["revision"], row["ranked_revision"])

    async def read(self) -> BoardState:
        """Return the board as it is now, with its entries' values."""
        connection = self.transaction.connection
        rows = await connection.fetch(_SQL["board_state"], self.board)
        # Read afterwards, so that none is missing; entries that came in between are left out.
        waiting = await connection.fetch(_SQL["submissions_waiting"], self.board)
        shown = {row["submission_id"] for row in rows}
        entries = [_entry(row) for row in rows if row["id"] is not None]
        return BoardState(
            revision=rows[0]["revision"],
            ranking=rows[0]["ranking"],
            rule=_rule(rows[0], entries),
            entries=entries,
            waiting=[row["id"] for row in waiting if row["id"] in shown],
        )

    async def take_hypotheses(self) -> Sequence[Entry]:
        """Return the entries on no board whose scores are new, each once."""
        connection = self.transaction.connection
        due = {
            row["entry_id"] for row in await connection.fetch(_SQL["hypotheses_due"], self.board)
        }
        if not due:
            return []
        rows = await connection.fetch(_SQL["hypothetical_entries"], list(due))
        return [_entry(row) for row in rows]

    async def save_hypothesis(
        self, entry_id: UUID, scoring: Scoring, revision: int, entries: int, row: bytes
    ) -> None:
        """Store where an entry would stand, and among how many; its submission becomes ranked."""
        connection = self.transaction.connection
        await connection.execute(
            _SQL["save_hypothesis"], entry_id, scoring, revision, entries, row.decode()
        )
        await connection.execute(_SQL["hypothesis_ranked"], entry_id)

    async def save_snapshot(
        self, scoring: Scoring, revision: int, ranked: RankedBoard, evidence: str | None = None
    ) -> None:
        """Add a snapshot and the ranks that changed, unless the newest one shows the same.

        `evidence` is the digest of the replicates behind its values, None where there are none.
        """
        connection = self.transaction.connection
        # Where nothing is unranked it is the digest that the version before compares with.
        digest = hashlib.sha256(ranked.content + (ranked.unranked or b"")).hexdigest()
        snapshot_id = await connection.fetchval(
            _SQL["add_snapshot"],
            self.board,
            scoring,
            revision,
            ranked.content,
            digest,
            len(ranked.ranks),
            ranked.unranked,
            ranked.ranking,
            RULE,
            evidence,
            orjson.dumps(ranked.rule.stored()).decode(),
        )
        if snapshot_id is None:
            return
        salt = secrets.token_bytes(_SALT_BYTES)
        await connection.execute(_SQL["add_values"], snapshot_id, ranked.values, salt)
        await connection.execute(_SQL["add_break"], self.board, snapshot_id, ranked.rule.current)
        for kind, basis in ranked.rests_on.items():
            await connection.execute(_SQL["add_change"], self.board, kind, snapshot_id, basis)
        await self._save_ranks(scoring, snapshot_id, ranked.ranks)

    async def _save_ranks(
        self, scoring: Scoring, snapshot_id: int, ranks: Mapping[UUID, int]
    ) -> None:
        """End the ranks that changed or are gone; begin the new ones."""
        connection = self.transaction.connection
        rows = await connection.fetch(_SQL["current_ranks"], self.board, scoring)
        current = {row["entry_id"]: row["rank"] for row in rows}
        ended = [entry for entry, rank in current.items() if ranks.get(entry) != rank]
        begun = {entry: rank for entry, rank in ranks.items() if current.get(entry) != rank}
        snapshot = (self.board, scoring, snapshot_id)
        for some in _parts(ended):
            await connection.execute(_SQL["end_ranks"], *snapshot, some)
        for some in _parts([*begun]):
            ranked = [begun[entry] for entry in some]
            await connection.execute(_SQL["begin_ranks"], *snapshot, some, ranked)

    async def mark_ranked(self, state: BoardState) -> None:
        """Note that the snapshots show this state; its scored submissions become ranked."""
        connection = self.transaction.connection
        await connection.execute(
            _SQL["board_ranked"], self.board, state.revision, state.rule.current
        )
        await connection.execute(_SQL["submissions_ranked"], state.waiting)


def _parts(entries: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    for begin in range(0, len(entries), _RANKS_AT_ONCE):
        yield entries[begin : begin + _RANKS_AT_ONCE]


def _rule(row: asyncpg.Record, entries: Sequence[Entry]) -> SeriesRule:
    """Return a board's rule; one without a series takes that of most of its values.

    Not that of values for which some judges are still missing.
    """
    series = (
        each
        for entry in entries
        if JUDGES_MISSING not in entry.badges
        for each in entry.series("compat").values()
    )
    current = row["series"] or adopted(series, row["service"])
    return SeriesRule(current, row["other_judges"], row["published"])


def _sent_before(row: asyncpg.Record) -> dict[str, int] | None:
    if row["versions_before"] is None:
        return None
    return {
        "versions": row["versions_before"],
        "evaluate_only": row["evaluations_before"],
        "withdrawn": row["withdrawals_before"],
    }


def _entry(row: asyncpg.Record) -> Entry:
    facts = orjson.loads(row["facts"] or "{}")
    return Entry(
        entry_id=row["id"],
        submission_id=row["submission_id"],
        sent_before=_sent_before(row),
        model_name=row["model_name"],
        organization=row["organization"],
        team=row["team"],
        authors=row["authors"],
        model_url=row["model_url"],
        track=row["track"],
        # A row of a publication may have the badge already.
        badges=tuple(
            dict.fromkeys(
                (*row["badges"], *fact_badges(facts), *objection_badges(row["objections"]))
            )
        ),
        facts=on_board(facts),
        submitted_on=row["submitted_on"],
        verified_on=row["verified_on"],
        values={
            scoring: {
                **dict.fromkeys(METRIC_KEYS),
                **dict(zip(row["metrics"], row[scoring], strict=True)),
            }
            for scoring in SCORINGS
        },
        withheld=withheld_of(row),
        judges=dict(zip(row["metrics"], row["judges"], strict=True)),
        origins=_origins(row),
    )


def _origins(row: asyncpg.Record) -> dict[str, dict[str, str | None]]:
    """Return what each value was computed from; imported numbers do not say."""
    columns = ("files", "ground_truths", "judges", "metric_versions")
    named = zip(row["metrics"], *(row[column] for column in columns), strict=True)
    names = ("file_sha256", "ground_truth_version", "judge_version", "metric_version")
    return {
        metric: dict(zip(names, found, strict=True))
        for metric, *found in named
        if found[names.index("ground_truth_version")] is not None
    }


def withheld_of(row: asyncpg.Record) -> dict[str, Withheld]:
    """Return which of a row's metrics are withheld, and why."""
    counts = zip(row["metrics"], row["answered"], row["expected"], strict=True)
    found = {metric: withheld(metric, *count) for metric, *count in counts}
    return {metric: why for metric, why in found.items() if why is not None}


async def _mark_outdated(transaction: Transaction) -> None:
    """Raise the revision of boards whose snapshots follow another rule or setting."""
    await transaction.connection.execute(_SQL["boards_ranked_otherwise"], RULE)
    await transaction.connection.execute(_SQL["hypotheses_ranked_otherwise"])


OVERDUE: Final = (
    # Without an age: a message too many finds its board up to date.
    Overdue(
        _SQL["boards_behind"],
        BoardChanged,
        lambda message: _log.warning("board_announced_again", board=message.board),
        prepare=_mark_outdated,
    ),
    Overdue(
        _RESCORES["rescores_waiting"],
        RescoringCompleted,
        lambda message: _log.warning("rescore_announced_again", job_id=str(message.job_id)),
        RANKER_RESCORES,
    ),
)
