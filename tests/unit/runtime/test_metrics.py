"""The list of metrics: what is exported is on it, stale figures are not exported."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from prometheus_client import REGISTRY
from prometheus_client.core import Metric

from services.judge.verdict import UNSCORED
from shared.runtime.figures import watch_loop_lag
from shared.runtime.metrics import EVENT_LOOP_LAG, SAMPLED, SystemCollector, series_names


def exported(collector: SystemCollector) -> dict[tuple[str, str], float]:
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }


def test_every_exported_series_is_on_the_list() -> None:
    ours = {name for metric in REGISTRY.collect() for name in _series(metric)}
    assert ours >= {"medvid_stage_seconds_bucket", "medvid_event_loop_lag_seconds"}
    assert ours <= series_names()


def _series(metric: Metric) -> set[str]:
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
    if not metric.name.startswith("medvid_"):
        return set()
    return {f"{metric.name}{suffix}" for suffix in suffixes.get(metric.type, [""])}


def test_a_fresh_sample_is_exported_with_its_age() -> None:
    collector = SystemCollector()
    figures = {"medvid_queue_depth": {"scorer.submissions": 3.0}, "medvid_outbox_waiting": {"": 2}}
    collector.update(figures, age=4, fresh_seconds=60)
    found = exported(collector)
    assert found["medvid_queue_depth", "scorer.submissions"] == 3
    assert found["medvid_outbox_waiting", ""] == 2
    assert 4 <= found["medvid_sample_age_seconds", ""] < 30


def test_a_stale_sample_is_not_exported() -> None:
    collector = SystemCollector()
    collector.update({"medvid_outbox_waiting": {"": 2}}, age=61, fresh_seconds=60)
    assert not set(SAMPLED) & {name for name, _ in exported(collector)}


def test_figures_of_pools_are_added_up() -> None:
    class Pool:
        waiting = 3

        def get_size(self) -> int:
            return 10

        def get_idle_size(self) -> int:
            return 4

    collector = SystemCollector()
    pools = [Pool(), Pool()]
    for pool in pools:
        collector.pools.add(pool)
    found = exported(collector)
    assert found["medvid_pool_size", ""] == 20
    assert found["medvid_pool_in_use", ""] == 12
    assert found["medvid_pool_waiting", ""] == 6
    pools.clear()
    del pool
    assert exported(collector)["medvid_pool_size", ""] == 0


async def test_the_longest_lag_of_late_is_exported() -> None:
    now = 0.0
    slept = 0

    async def sleep(seconds: float) -> None:
        nonlocal now, slept
        slept += 1
        if slept == 200:
            raise asyncio.CancelledError
        now += seconds + (1.5 if slept == 60 else 0.01)
        if slept == 150:
            assert EVENT_LOOP_LAG._value.get() == 1.5  # noqa: SLF001 - no public way to read it

    try:
        await watch_loop_lag(sleep, lambda: now)
    except asyncio.CancelledError:
        pass
    assert 0 < EVENT_LOOP_LAG._value.get() < 0.1  # noqa: SLF001 - as above


def test_what_alerts_count_rises_from_zero() -> None:
    """A counter that appears with its first burst has no increase, and nobody is called."""
    script = (
        "import services.gateway.accounts.guesses, services.gateway.web.middleware,"
        " services.judge.verdict_cache\n"
        "from prometheus_client import REGISTRY\n"
        "for metric in REGISTRY.collect():\n"
        "    for sample in metric.samples:\n"
        "        print(sample.name, *sample.labels.values())"
    )
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    wanted = {
        "medvid_key_guesses_total": ["wrong", "refused"],
        "medvid_http_responses_total": ["2xx", "5xx"],
        "medvid_judge_pairs_total": ["scored", *UNSCORED],
    }
    there = done.stdout.splitlines()
    for name, labels in wanted.items():
        assert [label for label in labels if f"{name} {label}" not in there] == []
