"""The judge service reads once a day when its model ends, one replica for all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from medvid.judging.calls import CallFailed
from medvid.judging.rubric import load_rubric
from medvid.judging.versions import JudgeVersion
from services.judge.app import run
from services.judge.ends import EndWatch, model_end
from services.judge.settings import JudgeSettings
from services.judge.store import announce_judge
from shared.messaging.local import LocalBus
from shared.runtime.figures import Sampler, read_sample
from shared.runtime.infrastructure import infrastructure
from shared.storage.database import Database
from shared.storage.judge_service import judge_in_force

DAY = 86_400
SOON = datetime.now(UTC).date() + timedelta(days=30)


def version(model: str = "model-1") -> JudgeVersion:
    return JudgeVersion.of(
        load_rubric("v1"), provider="openai", model=model, temperature=0.0, max_tokens=200,
        seed=None, max_caption_characters=8000,
    )  # fmt: skip


def watch_of(database: Database, ends: date | None, provider: Provider | None) -> EndWatch:
    judge = version()
    lists = [(judge.model, provider.models)] if provider is not None else []
    return EndWatch(database, judge.hash, ends, lists)


class Provider:
    """A list of models, which counts how often it is read."""

    def __init__(self, **models: date | None) -> None:
        self.listed = {name.replace("_", "-"): end for name, end in models.items()}
        self.asked = 0
        self.is_down = False

    async def models(self) -> dict[str, date | None]:
        self.asked += 1
        if self.is_down:
            raise CallFailed("failing", "500", "the provider fails")
        return self.listed


async def seconds_left(database: Database) -> float | None:
    await Sampler(database, LocalBus(database), 0).refresh()
    figures = (await read_sample(database)).figures
    return figures.get("medvid_judge_ends_seconds", {}).get("")


async def a_day_passes(database: Database) -> None:
    await database.pool.execute(
        "UPDATE judge_service SET ends_read_at = ends_read_at - interval '25 hours'"
    )


async def half_an_hour_passes(database: Database) -> None:
    await database.pool.execute(
        "UPDATE judge_ends_said SET said_at = said_at - interval '31 minutes'"
    )


async def test_replicas_read_the_list_once_a_day(database: Database) -> None:
    provider = Provider(model_1=SOON)
    await announce_judge(database, version(), 1)
    assert await seconds_left(database) is None
    replicas = [watch_of(database, None, provider) for _ in range(2)]
    for replica in replicas * 2:
        await replica.look()
    assert provider.asked == 1
    assert await seconds_left(database) == pytest.approx(29.5 * DAY, abs=DAY)
    await a_day_passes(database)
    provider.listed = {"model-1": None}
    await replicas[1].look()
    assert provider.asked == 2
    assert await seconds_left(database) is None, "the provider took it back"


async def test_a_known_end_stays_while_the_list_names_none(database: Database) -> None:
    provider = Provider(model_1=SOON)
    await announce_judge(database, version(), 1)
    watch = watch_of(database, None, provider)
    await watch.look()
    await a_day_passes(database)
    provider.is_down = True
    await watch.look()
    await watch.look()
    assert provider.asked == 2, "a list that fails is asked for again after an hour"
    await a_day_passes(database)
    provider.is_down, provider.listed = False, {"other": None}
    await watch.look()
    assert provider.asked == 3
    assert await seconds_left(database) is not None


async def test_a_judge_of_a_panel_whose_list_fails_hides_no_other_s_end(
    database: Database,
) -> None:
    await announce_judge(database, version(), 1)
    first, second = Provider(model_1=None), Provider(model_2=SOON)
    lists = [("model-1", first.models), ("model-2", second.models)]
    watch = EndWatch(database, version().hash, None, lists)
    first.is_down = True
    await watch.look()
    assert await model_end(database, version()) == SOON
    first.is_down, second.listed = False, {"model-2": SOON + timedelta(days=20)}
    first.listed, second.is_down = {"model-1": SOON + timedelta(days=9)}, True
    await a_day_passes(database)
    await watch.look()
    assert await model_end(database, version()) == SOON, "what is known of the other stays"
    second.is_down = False
    await a_day_passes(database)
    await watch.look()
    assert await model_end(database, version()) == SOON + timedelta(days=9)


async def test_the_setting_counts_where_it_is_earlier(database: Database) -> None:
    await announce_judge(database, version(), 1)
    await watch_of(database, SOON, None).say()
    assert await seconds_left(database) == pytest.approx(29.5 * DAY, abs=DAY)
    provider = Provider(model_1=SOON - timedelta(days=20))
    await watch_of(database, SOON, provider).look()
    assert await seconds_left(database) == pytest.approx(9.5 * DAY, abs=DAY)


async def test_replicas_with_other_settings_agree_on_the_earliest_day(database: Database) -> None:
    await announce_judge(database, version(), 1)
    late, soon, silent = (
        watch_of(database, day, None) for day in (SOON + timedelta(days=60), SOON, None)
    )
    for order in ((late, soon, silent), (silent, soon, late), (soon, silent, late)):
        for replica in order:
            await replica.say()
        assert await model_end(database, version()) == SOON
    # The one with the wrong day was corrected: what no replica repeats is forgotten.
    await database.pool.execute(
        "UPDATE judge_ends_said SET said_at = now() - interval '31 minutes'"
    )
    await late.say()
    assert await model_end(database, version()) == late.ends
    await database.pool.execute(
        "UPDATE judge_ends_said SET said_at = now() - interval '31 minutes'"
    )
    await silent.say()
    assert await model_end(database, version()) is None


async def test_another_judge_does_not_inherit_the_end(database: Database) -> None:
    await announce_judge(database, version(), 1)
    await watch_of(database, SOON, Provider(model_1=SOON)).look()
    await announce_judge(database, version("model-2"), 1)
    assert await seconds_left(database) is None
    old = Provider(model_1=SOON)
    await watch_of(database, SOON, old).look()
    assert old.asked == 0, "a replica of the old judge says nothing of the new one"
    await announce_judge(database, None, 1, off="no_model")
    assert await seconds_left(database) is None, "nobody judges"
    found = await judge_in_force(database.pool)
    assert (found.judge_version, found.off, found.ends) == (None, "no_model", None)
    assert found.says == "Judging is off: no model is set for the judge."


async def test_a_judge_without_a_model_says_so_and_serves(postgres_url: str) -> None:
    settings = JudgeSettings.model_validate(
        {"database_url": postgres_url, "judge_provider": "openai", "judge_api_key": "a-key"}
    )
    async with infrastructure(settings, name="judge") as base, run(base, settings):
        found = await judge_in_force(base.database.pool)
        assert (found.off, found.judge_version) == ("no_model", None)
        assert not base.failed.done()


async def test_who_judges_and_until_when_is_known_to_the_gateway(database: Database) -> None:
    assert (await judge_in_force(database.pool)).off == "no_provider"
    await announce_judge(database, version(), 1)
    await watch_of(database, SOON, None).say()
    found = await judge_in_force(database.pool)
    assert (found.model, found.ends, found.off, found.fix) == ("model-1", SOON, None, None)
    assert found.says == f"model-1 judges. Its provider takes it away on {SOON}, in 30 days."
