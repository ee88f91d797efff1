"""Final results of tracks: frozen once, when all that counts is in; what left the board since.

A track is final by its rows in the database. Storing a submission to it takes the lock of the track
shared and looks for these; freezing it takes the lock alone. So nothing comes in afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from medvid.benchmark.tasks import Scoring
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.tracks.rules import TrackRules, Tracks
from shared.runtime.errors import NotFound
from shared.storage.database import Connection, Database, Transaction, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_WHY: Final = "the track closed, and every submission to it is scored and judged"
_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class FrozenResults:
    """A track's final results: the snapshots of the community board that they are read from."""

    name: str
    frozen_at: datetime
    snapshots: Mapping[Scoring, int]


@dataclass(frozen=True, slots=True)
class TrackService:
    """The tracks with their final results. Methods raise Transient.

    Final results wait for uploads that came in time and are still checked: `settling` long.
    """

    database: Database
    tracks: Tracks
    settling: timedelta
    now: Callable[[], datetime] = utc_now

    def find(self, track_id: str) -> TrackRules:
        """Return the track of this id; raises NotFound."""
        track = self.tracks.find(track_id)
        if track is None:
            ids = ", ".join(each.id for each in self.tracks.all)
            raise NotFound(
                f"there is no track {track_id[:60]!r}.",
                fix=f"Tracks are {ids}." if ids else "This server has no tracks.",
                code="track_not_found",
            )
        return track

    async def finals(self) -> Mapping[str, FrozenResults]:
        """Return the final results by the track's id."""
        async with transient_errors():
            rows = await self.database.pool.fetch(_SQL["finals"])
        found: dict[str, FrozenResults] = {}
        for row in rows:
            before = found.get(row["track"])
            snapshots = {**(before.snapshots if before else {}), row["scoring"]: row["snapshot_id"]}
            found[row["track"]] = FrozenResults(row["name"], row["frozen_at"], snapshots)
        return found

    async def final(self, track: TrackRules) -> FrozenResults:
        """Return a track's final results; raises NotFound before there are any."""
        found = (await self.finals()).get(track.id)
        if found is None:
            raise NotFound(
                f"the results of the track {track.name} are not final.",
                fix="They are frozen after its end, once every submission is scored and judged; "
                "the track names its board of today.",
                code="track_not_final",
            )
        return found

    async def left_since(self, entries: Sequence[UUID]) -> Sequence[Mapping[str, Any]]:
        """Return which of the entries left the board, when and why."""
        async with transient_errors():
            rows = await self.database.pool.fetch(_SQL["left_since"], entries)
        return [dict(row) for row in rows]

    async def freeze_due(self) -> None:
        """Freeze the results of tracks that have ended, as far as all that counts is in."""
        now = self.now()
        ended = [each for each in self.tracks.all if now >= each.ends_at + self.settling]
        if not ended:
            return
        known = await self.finals()
        for track in ended:
            if track.id not in known:
                await self._freeze(track)

    async def _freeze(self, track: TrackRules) -> None:
        async with transient_errors(), self.database.transaction() as transaction:
            await transaction.connection.execute(_SQL["track_lock"], track.id)
            rows = await transaction.connection.fetch(
                _SQL["freeze"], track.id, track.name, track.ends_at
            )
            if not rows:
                return
            await _note(transaction, track, {row["scoring"]: row["snapshot_id"] for row in rows})
        _log.info("track_frozen", track=track.id)


async def _note(transaction: Transaction, track: TrackRules, snapshots: Mapping[str, int]) -> None:
    action = AdminAction.of("server", _WHY, "-")
    after = {"name": track.name, "snapshots": snapshots}
    await record(transaction, action, "freeze_track", Subject("track", track.id), after=after)


async def is_frozen(connection: Connection, track: TrackRules) -> bool:
    """Tell whether a track is final; until the transaction ends it becomes so for nobody."""
    await connection.execute(_SQL["track_lock_shared"], track.id)
    frozen: bool = await connection.fetchval(_SQL["is_frozen"], track.id)
    return frozen
