"""Which judge's values a board ranks: what another choice would change, and the choice itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import orjson
import structlog

from medvid.benchmark.ranking import RankedRow, rank
from medvid.benchmark.series import SeriesRule, Treatment, ranked_values
from medvid.benchmark.tasks import BOARDS, Board, Ranking
from medvid.models.boards import BoardSeries
from medvid.models.jobs import SeriesDifference
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.admin.entries import announce
from shared.runtime.errors import Conflict, NotFound
from shared.storage.database import Connection, Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "boards.sql")
_log = structlog.get_logger(__name__)
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """A board's series, and the judge versions that it could go over to.

    `known` are those of its values, and `service`: the one that judges now, None where nobody does.
    """

    series: BoardSeries
    known: Sequence[str]
    service: str | None


@dataclass(frozen=True, slots=True)
class WantedSeries:
    """A rule of series as an administrator asks for it; None leaves a part as it is."""

    current: str | None = None
    other_judges: Treatment | None = None
    published: Treatment | None = None

    def on(self, rule: SeriesRule) -> SeriesRule:
        """Return the rule with what is asked for."""
        return SeriesRule(
            self.current or rule.current,
            self.other_judges or rule.other_judges,
            self.published or rule.published,
        )


class BoardsSeries:
    """How boards treat the values of different judges. Each method raises Transient."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Mapping[Board, SeriesChoice]:
        """Return each board's rule, and the judge versions that it could go over to."""
        async with transient_errors():
            return {board: _choice(await self._board(board)) for board in BOARDS}

    async def difference(self, board: Board, wanted: WantedSeries) -> SeriesDifference:
        """Return what a choice would do to a board's ranks; raises NotFound, Conflict."""
        async with transient_errors():
            row = await self._board(board)
            shown = await self._database.pool.fetch(_SQL["board_newest"], board)
        if row["ranked_revision"] < row["revision"]:
            raise _being_ranked()
        rule = _rule(row)
        after = wanted.on(rule)
        _check_known(after, row)
        return SeriesDifference(
            board=board,
            revision=row["revision"],
            before=BoardSeries(**rule.stored()),
            after=BoardSeries(**after.stored()),
            scorings={each["scoring"]: difference(*_rows(each), after) for each in shown},
        )

    async def choose(
        self, board: Board, wanted: WantedSeries, revision: int, action: AdminAction
    ) -> bool:
        """Have a board rank by another rule of series; False where it does already.

        Raises NotFound, Conflict: the board has changed since the difference was shown.
        """
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            row = await self._board(board, connection)
            rule = _rule(row)
            after = wanted.on(rule)
            if after == rule:
                return False
            _check_known(after, row)
            if row["revision"] != revision:
                raise Conflict(
                    f"the board's revision is {row['revision']} by now.",
                    fix="Look at the difference anew, and apply that.",
                    code="preview_outdated",
                )
            await connection.execute(_SQL["board_series_set"], board, *after.stored().values())
            await record(
                transaction, action, "set_series", Subject("board", board),
                before=rule.stored(), after=after.stored(),
            )  # fmt: skip
            await announce(transaction, {board})
        _log.info("board_series_set", board=board, series=after.current, who=action.who)
        return True

    async def _board(self, board: Board, locked: Connection | None = None) -> asyncpg.Record:
        if locked is not None:
            await locked.fetchval(_SQL["board_ranking_lock"], board)
        row = await (locked or self._database.pool).fetchrow(_SQL["board_series"], board)
        assert row is not None  # noqa: S101 - the schema inserts both boards
        return row


def difference(
    rows: Rows, unranked: Rows, ranking: Ranking, after: SeriesRule
) -> list[dict[str, object]]:
    """Return a board's rows in the order after, with their places before. Pure.

    Rows have values of 3 decimals, which rank as the exact ones do.
    """
    listed = [*rows, *unranked]
    given = [
        {
            "model_name": row["model_name"],
            **ranked_values(row["values"], after.not_ranked(row.get("series", {}))),
        }
        for row in listed
    ]
    places, below = rank(given, ranking)
    found: list[tuple[int, RankedRow | None]] = [(each.index, each) for each in places]
    found += [(index, None) for index in below]
    return [
        {
            "entry_id": listed[index]["entry_id"],
            "model_name": listed[index]["model_name"],
            "rescored": False,
            "rank": {"before": listed[index]["rank"], "after": each and each.rank},
            "mean_rank": {"before": listed[index]["mean_rank"], "after": each and each.mean_rank},
            "values": {},
        }
        for index, each in found
    ]


def _rows(row: asyncpg.Record) -> tuple[Rows, Rows, Ranking]:
    return orjson.loads(row["content"]), orjson.loads(row["unranked"] or b"[]"), row["ranking"]


def _rule(row: asyncpg.Record) -> SeriesRule:
    return SeriesRule(row["series"], row["other_judges"], row["published"])


def _choice(row: asyncpg.Record) -> SeriesChoice:
    return SeriesChoice(
        series=BoardSeries(**_rule(row).stored()), known=row["known"], service=row["service"]
    )


def _check_known(rule: SeriesRule, row: asyncpg.Record) -> None:
    if rule.current is not None and rule.current not in {*row["known"], row["series"]}:
        raise NotFound(
            f"the board knows no judge version {rule.current!r}.",
            fix="'medvid admin series' lists those of a board, and the one that judges now.",
            code="judge_version_not_found",
        )


def _being_ranked() -> Conflict:
    return Conflict(
        "the board has changed and is being ranked.",
        fix="Try again in a moment.",
        code="board_being_ranked",
    )
