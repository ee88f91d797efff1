"""Whatever happened, pruning changes nothing that somebody can see: random histories of a board.

Before and after, every address is asked: boards, snapshots, entries with their histories, what is
kept of those that left, exports, evidence; and what administrators see of verdicts.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import orjson
import pytest

from services.ranker.consume import rank_board
from services.ranker.store import BoardStore
from shared.runtime import retention
from shared.runtime.retention import RULES, Pruner, RetentionSettings
from shared.storage.database import Database
from tests.acceptance.gateway_harness import running_gateway
from tests.depth import is_deep
from tests.rows import accept_submission

_STEPS: Final = 50
_JUDGE: Final = "ab" * 32
_ADMIN: Final = "an-administrator's-key-of-this-test"
_REQUEST: Final = re.compile(rb'"request_id":"[^"]*"')
_SEEDS: Final = range(12) if is_deep() else range(1)
_LEFT_OVER: Final = (
    "SELECT (SELECT count(*) FROM judge_texts_due) + (SELECT count(*) FROM judge_pairs"
    " WHERE NOT EXISTS (SELECT FROM judge_run_pairs WHERE pair = sha256))"
)
_UPLOADS: Final = (
    "SELECT count(*) FROM payloads JOIN entries USING (submission_id) WHERE entries.id = ANY($1)"
)
_AGES: Final = {
    "snapshots": "created_at = created_at",
    "rank_history": "since = since {0}, until = until",
    "entries": "removed_at = removed_at",
    "judge_runs": "created_at = created_at {0}, changed_at = changed_at",
    "judge_verdicts": "judged_at = judged_at",
    "rescore_jobs": "created_at = created_at {0}, changed_at = changed_at",
    "submissions": "created_at = created_at {0}, changed_at = changed_at",
}


@dataclass(slots=True)
class History:
    """A board's life: each step is one thing that happens to it, some days after the one before."""

    database: Database
    drawn: random.Random
    on_board: list[UUID] = field(default_factory=list)
    disputed: set[UUID] = field(default_factory=set)
    entries: list[UUID] = field(default_factory=list)

    async def live(self) -> None:
        await self.database.pool.execute(
            "INSERT INTO judge_versions VALUES ($1, '{}', false)", _JUDGE
        )
        for step in (self.join, self.judge, self.join, self.join):
            await step()
        await self.object(self.entries[0])
        await self.leave(self.entries[0])  # judged and objected to, and away all the time
        for _ in range(_STEPS):
            step = self.drawn.choice(
                (
                    self.join,
                    self.join,
                    self.change,
                    self.change,
                    self.leave,
                    self.judge,
                    self.judge,
                    self.job,
                    self.object,
                )
            )
            await step()
            async with self.database.transaction() as transaction:
                await rank_board(BoardStore(transaction, "community"), None)
            await self.wait(self.drawn.choice((0.2, 1, 10, 60)))

    async def wait(self, days: float) -> None:
        back = f"- interval '{days} days'"
        for table, columns in _AGES.items():
            shift = columns.format(back)
            await self.database.pool.execute(
                f"UPDATE {table} SET {shift} {back}"  # noqa: S608 - ours
            )

    async def join(self) -> None:
        made = await accept_submission(self.database, f"Model {len(self.entries)}", b"packed")
        self.entries.append(made.entry_id)
        self.on_board.append(made.entry_id)
        await self.database.pool.execute(
            "INSERT INTO scores (entry_id, metric, compat, strict) VALUES ($1, 'cvs_acc', $2, $2)",
            made.entry_id,
            self.drawn.random(),
        )
        await self.changed("UPDATE entries SET listed = true WHERE id = $1", made.entry_id)
        await self.state(made.entry_id, "scored")

    async def change(self) -> None:
        await self.changed(
            f"UPDATE scores SET compat = {self.drawn.random()} WHERE entry_id = $1",  # noqa: S608 - ours
            self.drawn.choice(self.on_board),
        )

    async def leave(self, entry: UUID | None = None) -> None:
        if len(self.on_board) > 2:
            entry = entry or self.drawn.choice(self.on_board)
            self.on_board.remove(entry)
            await self.changed("UPDATE entries SET removed_at = now() WHERE id = $1", entry)
            if self.drawn.random() < 0.5:
                await self.state(entry, "withdrawn', withdrawn_by = 'owner")

    async def judge(self) -> None:
        """A run ends whose pairs other runs have, too."""
        run, entry = uuid4(), self.drawn.choice(self.entries)
        pairs = [number.to_bytes(32, "big") for number in self.drawn.sample(range(60), 6)]
        pool = self.database.pool
        await pool.execute(
            "INSERT INTO judge_pairs SELECT pair, pair, 'a reference'"
            " FROM unnest($1::bytea[]) AS pair ON CONFLICT DO NOTHING",
            pairs,
        )
        await pool.execute(
            "INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, raw_reply, rationale,"
            " attempts) SELECT $1, pair, 0, '{1,2,3,4,5}', 'R2: '::bytea || pair, 'as it is', 1"
            " FROM unnest($2::bytea[]) AS pair ON CONFLICT DO NOTHING",
            _JUDGE,
            pairs,
        )
        await pool.execute(
            "INSERT INTO judge_runs (id, submission_id, judge_version, state, reason, requested_by,"
            " plan, items, items_done) SELECT $1, submission_id, $2, $4, $5, 'owner', '', 6, 6"
            " FROM entries WHERE id = $3",
            run,
            _JUDGE,
            entry,
            *self.drawn.choice((("completed", None), ("completed", None), ("failed", "x"))),
        )
        await pool.execute(
            "INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses, terminal)"
            " SELECT $1, place, 0, pair, '{dvc_llm}', 1, true"
            " FROM unnest($2::bytea[]) WITH ORDINALITY AS item (pair, place)",
            run,
            pairs,
        )

    async def job(self) -> None:
        await self.database.pool.execute(
            "WITH job AS (INSERT INTO rescore_jobs (id, ground_truth_version, state, requested_by,"
            " why) SELECT gen_random_uuid(), version, 'discarded', 'administrator', 'x'"
            " FROM ground_truths WHERE active RETURNING id)"
            " INSERT INTO rescore_items (job_id, entry_id, submission_id)"
            " SELECT job.id, entries.id, submission_id FROM job, entries"
        )

    async def object(self, entry: UUID | None = None) -> None:
        """Somebody objects to an entry; some of it is settled at once."""
        state = "open" if entry else self.drawn.choice(("open", "published", "refused"))
        entry = entry or self.drawn.choice(self.on_board)
        await self.database.pool.execute(
            "INSERT INTO notes (kind, state, entry_id, account, text, published_at, ended_at,"
            " ended_by) VALUES ('objection', $2, $1, 'key:' || gen_random_uuid(), 'It is not so.',"
            " CASE WHEN $2 = 'published' THEN now() END, CASE WHEN $2 = 'refused' THEN now() END,"
            " CASE WHEN $2 = 'refused' THEN 'administrator' END)",
            entry,
            state,
        )
        if state != "refused":
            self.disputed.add(entry)

    async def changed(self, statement: str, entry: UUID) -> None:
        await self.database.pool.execute(statement, entry)
        await self.database.pool.execute(
            "UPDATE boards SET revision = revision + 1 WHERE board = 'community'"
        )

    async def state(self, entry: UUID, state: str) -> None:
        await self.database.pool.execute(
            f"UPDATE submissions SET state = '{state}'"  # noqa: S608 - ours
            " FROM entries WHERE submission_id = submissions.id AND entries.id = $1",
            entry,
        )


async def answers(database: Database, history: History) -> dict[str, tuple[int, bytes]]:
    """Ask every address that tells of this board, of a gateway that has nothing in memory."""
    kept = await database.pool.fetch("SELECT id FROM snapshots ORDER BY id")
    board = "/api/v1/leaderboards/community"
    addresses = [
        *(f"{board}{rest}" for rest in ("", "?scoring=strict", "?format=csv", "/withdrawn")),
        *(f"{board}/history", f"{board}/best-over-time", "/api/v1/results"),
        *(f"{board}/entries/{entry}" for entry in history.entries),
        *(f"/api/v1/snapshots/{row['id']}" for row in kept),
        *(f"/boards/community/snapshots/{row['id']}" for row in kept),
        *(f"{board}/evidence?snapshot={row['id']}" for row in kept),
    ]
    owned = "SELECT submission_id FROM entries WHERE id = ANY($1)"
    shown = [
        f"/api/v1/admin/submissions/{row['submission_id']}/verdicts"
        for row in await database.pool.fetch(owned, [*history.on_board, *history.disputed])
    ]
    found = {}
    async with running_gateway(database, load=False, admin_key=_ADMIN) as gateway:
        for path in addresses:
            status, _, body = await gateway.get(path)
            found[path] = status, _REQUEST.sub(b"", body)
        for path in shown:
            status, _, body = await gateway.get(path, Authorization=f"Bearer {_ADMIN}")
            assert status in {200, 404}, body  # 404: never judged
            found[path] = status, _REQUEST.sub(b"", body)
    return found


def pruner(database: Database, **days: float) -> Pruner:
    for_ever = {"keep_rank_history_days": 0.0, "keep_raw_reply_days": 0.0}
    given = {rule.setting: 20.0 for rule in RULES} | for_ever | days
    return Pruner(database, RetentionSettings.model_validate(given))


async def ranks_in_snapshots(database: Database) -> list[tuple[object, ...]]:
    """Return each entry's rank in each kept snapshot, by the history."""
    rows = await database.pool.fetch(
        "SELECT s.id, h.entry_id, h.rank FROM snapshots s JOIN rank_history h ON h.board = s.board"
        " AND h.scoring = s.scoring AND h.since_snapshot <= s.id"
        " AND (h.until_snapshot IS NULL OR h.until_snapshot > s.id) ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("seed", _SEEDS)
async def test_pruning_changes_nothing_that_is_shown(
    database: Database, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for snapshots that are thinned out, whose addresses go with them."""
    history = History(database, random.Random(seed))  # noqa: S311 - not for secrets
    await history.live()
    before, verdicts = await answers(database, history), await texts(database)
    monkeypatch.setattr(retention, "_BATCH", 3)  # many batches, and packs of three texts
    monkeypatch.setattr(retention, "_PAUSE_SECONDS", 0)

    gone = await pruner(database).prune()
    some = ("snapshots", "texts", "run_pairs", "captions", "jobs")
    assert {rule: gone[rule] for rule in some if not gone[rule]} == {}
    second = await pruner(database).prune()
    assert {rule: rows for rule, rows in second.items() if rows} == {}
    assert await database.pool.fetchval(_LEFT_OVER) == 0
    assert await database.pool.fetchval(_UPLOADS, history.disputed) == len(history.disputed)
    after = await answers(database, history)
    assert {path for path, answer in after.items() if answer != before[path]} == set()
    assert {status for status, _ in after.values()} >= {200, 410}
    assert await texts(database) == verdicts

    ranks = await ranks_in_snapshots(database)
    assert (await pruner(database, keep_rank_history_days=20).prune())["rank_history"] > 0
    assert await ranks_in_snapshots(database) == ranks
    thinned = await answers(database, history)
    assert {without_steps(path, answer) for path, answer in thinned.items()} == {
        without_steps(path, answer) for path, answer in after.items()
    }


def without_steps(path: str, answer: tuple[int, bytes]) -> tuple[str, int, bytes]:
    """Leave out the steps of histories, which are fewer where ranks are thinned."""
    status, body = answer
    if path.endswith("/history"):
        return path, status, b""
    if "/entries/" in path and status == 200:
        return path, status, orjson.dumps({**orjson.loads(body), "history": []})
    return path, status, body


async def texts(database: Database) -> list[tuple[object, ...]]:
    rows = await database.pool.fetch("SELECT * FROM judge_verdict_texts ORDER BY 1, 2, 3")
    return [tuple(row) for row in rows]
