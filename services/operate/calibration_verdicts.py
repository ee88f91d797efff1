"""The judge's verdicts for a calibration: what is known, what the rest costs, asking for it.

Verdicts are kept in the permanent cache like those of a run, each as soon as it is there: a
calibration that was stopped goes on where it ended, and a second one is free.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID, uuid4

from medvid.benchmark.tasks import ASPECTS, task_of
from medvid.judging.estimates import RunEstimate, estimate
from medvid.judging.off import off
from medvid.judging.plans import pair_sha256
from services.judge.open_judge import call_figures, open_judge
from services.judge.runs import Item, ItemKey
from services.judge.settings import JudgeSettings
from services.judge.verdict import BadReplies, BudgetExhausted, Grader, Pair, ProviderDown, TryLater
from services.judge.verdict_cache import VerdictCache
from services.judge.versions import add_version
from services.operate.calibration import PROBES, LabelledPair, Probe, Scores
from shared.messaging.local import LocalBus
from shared.runtime.errors import InvalidInput, Misconfigured
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.ops import Readiness
from shared.storage.database import Database
from shared.storage.judge_service import tokens_measured
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "calibration.sql")
_JUDGE_SQL: Final = load_queries("services.judge")
_TRIES: Final = 10

Question = tuple[int, Probe | None]
"""A pair by its place, as it stands or changed as a probe says."""


def questions(pairs: Sequence[LabelledPair], probed: int) -> dict[Question, Item]:
    """Return what the judge is asked: pairs without scores, and the probes of the first of them."""
    asked: dict[Question, Item] = {}
    open_pairs = [(place, pair) for place, pair in enumerate(pairs) if pair.judge is None]
    for count, (place, pair) in enumerate(open_pairs):
        asked[place, None] = _item(pair, pair.prediction, 0)
        for probe, change in PROBES.items() if count < probed else ():
            text = change(pair.prediction)
            if text is not None:
                asked[place, probe] = _item(pair, text, int(probe == "retest"))
    return asked


def _item(pair: LabelledPair, prediction: str, repeat: int) -> Item:
    task = task_of(pair.qa_type)
    assert task is not None  # noqa: S101 - checked when read
    sha256 = pair_sha256(prediction.encode(), pair.reference.encode())
    return Item(0, repeat, sha256, Pair(prediction, pair.reference, task), 0)


def with_scores(
    pairs: Sequence[LabelledPair],
    asked: Mapping[Question, Item],
    known: Mapping[ItemKey, Scores],
) -> list[LabelledPair]:
    """Return the pairs with what is known of the judge's scores."""
    judged = list(pairs)
    for (place, probe), item in asked.items():
        scores, pair = known.get(item.key), judged[place]
        if scores is None:
            continue
        if probe is None:
            judged[place] = replace(pair, judge=scores)
        else:
            judged[place] = replace(pair, probes={**(pair.probes or {}), probe: scores})
    return judged


async def read_verdicts(
    database: Database, version: str, items: Sequence[Item]
) -> dict[ItemKey, Scores]:
    """Return the scores that a judge version gave to these, as far as it did."""
    rows = await database.pool.fetch(
        _SQL["verdicts"], version, [item.sha256 for item in items], [item.repeat for item in items]
    )
    return {
        (row["pair"], row["repeat"]): dict(zip(ASPECTS, row["scores"], strict=True)) for row in rows
    }


async def find_version(database: Database, start: str) -> str:
    """Return the judge version whose hash begins so; raises InvalidInput unless it is one."""
    found = [row["hash"] for row in await database.pool.fetch(_SQL["versions_like"], start)]
    if len(found) != 1:
        reason = "begin" if found else "does not begin"
        raise InvalidInput(
            f"{start} {reason} {'several judge versions' if found else 'any judge version'}.",
            fix="Give more of the hash, as 'medvid verdicts' and the entry's page show it.",
        )
    return str(found[0])


@dataclass(slots=True)
class Asking:
    """Asks the configured judge for a calibration. `stopped` says why it did not ask on."""

    database: Database
    grader: Grader
    settings: JudgeSettings
    cache: VerdictCache
    cost_microusd: int = 0
    unscored: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    _run_id: UUID = field(default_factory=uuid4)

    async def estimate(self, items: Sequence[Item]) -> RunEstimate:
        """Return what asking for these takes: online, as a calibration is, by verdicts so far."""
        measured = await tokens_measured(self.database.pool, self.grader.version.hash)
        figures = call_figures(self.settings).after(measured)
        lengths = [len(item.pair.prediction.encode()) + len(item.pair.reference.encode())
                   for item in items]  # fmt: skip
        return estimate(lengths, 1, 0, figures, fast=True)

    async def ask(self, items: Sequence[Item], advance: Callable[[], None]) -> None:
        """Ask, and keep each verdict; `advance` is called after each. One failure ends nothing."""
        async with self.database.transaction() as transaction:
            await add_version(transaction, self.grader.version)
            texts = sorted({(item.sha256, item.pair.prediction.encode(),
                             item.pair.reference.encode()) for item in items})  # fmt: skip
            await transaction.connection.execute(
                _JUDGE_SQL["pairs_add"], *(list(column) for column in zip(*texts, strict=True))
            )
        waiting = iter(items)

        async def work() -> None:
            for item in waiting:
                if self.stopped is None:
                    await self._ask(item)
                    advance()

        async with asyncio.TaskGroup() as group:
            for _ in range(self.settings.judge_concurrency):
                group.create_task(work())

    async def _ask(self, item: Item) -> None:
        version = self.grader.version.hash
        for _ in range(_TRIES):
            claims = await self.cache.claim(version, [item])
            if claims.known:
                return
            if claims.busy:  # a run asks for the same just now
                await asyncio.sleep(self.settings.judge_claim_seconds / 4)
                continue
            try:
                verdict = await self.grader.judge(item.pair, item.repeat, run_id=self._run_id)
            except TryLater as refusal:
                await self.cache.release(version, [item])
                await asyncio.sleep(refusal.seconds)
            except (BudgetExhausted, ProviderDown, BadReplies) as refusal:
                await self.cache.release(version, [item])
                self.stopped = refusal.detail
                return
            except BaseException:
                await asyncio.shield(self.cache.release(version, [item]))
                raise
            else:
                await self.cache.save(version, item, verdict)
                self.cost_microusd += verdict.cost_microusd
                if verdict.scores is None:
                    self.unscored[verdict.unscored_reason or "unknown"] += 1
                return
        self.unscored["no_answer"] += 1


@asynccontextmanager
async def asking(database: Database, settings: JudgeSettings) -> AsyncIterator[Asking]:
    """Open the configured judge; raises Misconfigured where there is none."""
    base = Infrastructure(database, LocalBus(database), Readiness())
    try:
        async with open_judge(base, settings) as judge:
            if judge is None:
                why = off(settings.why_off)
                raise Misconfigured(why.says, fix=why.fix)
            cache = VerdictCache(database, claim_seconds=settings.judge_claim_seconds)
            base.background("judge_claims", cache.keep_claims)
            yield Asking(database, judge.grader, settings, cache)
    finally:
        await base.close()
