"""Every metric that a process exports, named once; alerts, dashboards and tests go by this list.

Two kinds. What a process counts about itself: add it up over processes. What is sampled about the
whole system (`SAMPLED`, see `shared.runtime.figures`): every process exports the same value, so
take the largest. A sample that grew old is left out: no value is better than a wrong one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Figures = Mapping[str, Mapping[str, float]]
"""Values by the name of the metric, then by label ('' where it has none)."""

_SECONDS: Final = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600)

# ------------------------------------------------------------------ messages
MESSAGES_HANDLED: Final = Counter(
    "medvid_messages_handled_total", "Deliveries by how they ended", ["queue", "type", "outcome"]
)
MESSAGE_HANDLING_SECONDS: Final = Histogram(
    "medvid_message_handling_seconds", "Time a handler took", ["queue", "type"]
)
STAGE_SECONDS: Final = Histogram(
    "medvid_stage_seconds",
    "From a message's emission to the commit of its work, waiting included",
    ["queue", "type"],
    buckets=_SECONDS,
)

# ------------------------------------------------------------------ the judge
JUDGE_CALLS: Final = Counter(
    "medvid_judge_calls_total", "Calls to the model by how they ended", ["outcome"]
)
JUDGE_CALL_SECONDS: Final = Histogram("medvid_judge_call_seconds", "Time of answered calls")
JUDGE_CONCURRENCY: Final = Gauge("medvid_judge_concurrency", "Calls under way")
JUDGE_CONCURRENCY_LIMIT: Final = Gauge(
    "medvid_judge_concurrency_limit", "Calls allowed at the same time"
)
JUDGE_PAIRS: Final = Counter(
    "medvid_judge_pairs_total", "Verdicts stored: scored, or why not", ["outcome"]
)
JUDGE_ENDPOINT_PAIRS: Final = Counter(
    "medvid_judge_endpoint_pairs_total",
    "Pairs that an endpoint of a pool was asked for: verdict, or refused (another was asked)",
    ["endpoint", "outcome"],
)
JUDGE_RATE_LIMITED: Final = Counter(
    "medvid_judge_rate_limited_total", "Calls that the provider refused as too many"
)
JUDGE_TOKENS: Final = Counter("medvid_judge_tokens_total", "Tokens that answers used", ["kind"])
JUDGE_SPENT: Final = Counter(
    "medvid_judge_spent_usd_total", "Money that calls of this process cost"
)
JUDGE_WASTED: Final = Counter(
    "medvid_judge_wasted_calls_total", "Billed calls to the model that gave no verdict"
)
JUDGE_BUDGET_WARNINGS: Final = Counter(
    "medvid_judge_budget_warnings_total", "Thresholds of caps passed", ["scope", "percent"]
)
JUDGE_BUDGET_RATIO: Final = Gauge(
    "medvid_judge_budget_ratio", "Spent share of the cap, half a minute ago at most", ["scope"]
)

# ------------------------------------------------------------------ the door
HTTP_RESPONSES: Final = Counter(
    "medvid_http_responses_total", "Answers by the class of their status, such as 5xx", ["status"]
)
KEY_GUESSES: Final = Counter(
    "medvid_key_guesses_total",
    "Administrators' and API keys that do not exist: wrong, or refused after too many",
    ["outcome"],
)

ACCOUNTS_SEARCHING: Final = Gauge(
    "medvid_accounts_searching",
    "Accounts that look like a search of the test set, 50 at most; counted once an hour",
)

# ------------------------------------------------------------------ the process
EVENT_LOOP_LAG: Final = Gauge(
    "medvid_event_loop_lag_seconds", "Longest time that the event loop was late, of late"
)

PRUNED_ROWS: Final = Counter(
    "medvid_pruned_rows_total", "Rows deleted or packed because they are old", ["rule"]
)
TASK_FAILURES: Final = Counter(
    "medvid_task_failures_total", "Failures of background tasks; each goes on", ["task"]
)


@dataclass(frozen=True, slots=True)
class Sampled:
    """A gauge about the whole system; `label` is the name of its one label, if it has any."""

    help: str
    label: str | None = None


SAMPLED: Final[Mapping[str, Sampled]] = {
    "medvid_submissions_unfinished": Sampled("Submissions in a state that is not final", "state"),
    "medvid_submissions_oldest_seconds": Sampled("How long the oldest is in that state", "state"),
    "medvid_judge_runs_unfinished": Sampled("Runs in a state that is not final", "state"),
    "medvid_judge_runs_oldest_seconds": Sampled(
        "How long the oldest waits; for running ones, without any progress", "state"
    ),
    "medvid_judge_pairs_open": Sampled("Caption pairs that unfinished runs still wait for"),
    "medvid_queue_depth": Sampled("Messages that wait, retries and dead ones included", "queue"),
    "medvid_queue_age_seconds": Sampled("How long the oldest work of a queue waits", "queue"),
    "medvid_outbox_waiting": Sampled("Messages that are not on the bus yet"),
    "medvid_outbox_lag_seconds": Sampled(
        "How long the oldest of them waits; for refused ones, since their next attempt was due"
    ),
    "medvid_dead_letters": Sampled("Dead letters that are neither replayed nor discarded", "queue"),
    "medvid_table_bytes": Sampled(
        "Bytes of each of the ten largest tables, its indexes and long values included", "table"
    ),
    "medvid_board_age_seconds": Sampled("Since the newest snapshot was written", "board"),
    "medvid_board_behind_seconds": Sampled(
        "How long the snapshots lack a change; 0 when up to date", "board"
    ),
    "medvid_judge_configured": Sampled("Whether there is a judge: 1, or 0 where judging is off"),
    "medvid_judge_ends_seconds": Sampled(
        "Until the day on which the judge's model ends, where that is known; negative after it"
    ),
    "medvid_judge_member_down": Sampled(
        "Whether a panel's judge does not answer: 1, while runs go on with the others", "judge"
    ),
    "medvid_judge_provider_batches": Sampled("The judge's batches at its provider", "state"),
    "medvid_judge_provider_batches_failing": Sampled("Of these, whose last step failed"),
    "medvid_judge_provider_batches_oldest_seconds": Sampled("How long the oldest of them is there"),
    "medvid_judge_pairs_at_provider": Sampled("Caption pairs in them that have no verdict yet"),
    "medvid_judge_replicas": Sampled("Judges that are alive"),
    "medvid_judge_backlog_seconds": Sampled(
        "What the pairs that may be asked for now would take one judge: of runs that are not "
        "paused, as far as the month's budget goes"
    ),
    "medvid_judge_replicas_useful": Sampled(
        "How many judges the accounts' rates keep busy, where they have limits"
    ),
    "medvid_judge_budget_left_usd": Sampled(
        "What the month's cap leaves, without what is set aside, where there is a cap"
    ),
    "medvid_judge_endpoint_serving": Sampled(
        "Whether an endpoint of the judge's pool is used: 1, or 0: drained, down, of another model",
        "endpoint",
    ),
    "medvid_judge_runs_paused": Sampled("Paused runs by the reason of their pause", "reason"),
    "medvid_stage_typical_seconds": Sampled(
        "Median of what a stage took lately, waiting included", "stage"
    ),
    "medvid_stage_per_minute": Sampled(
        "Work that a stage finished a minute: submissions; for judging, caption pairs", "stage"
    ),
}

POOL_GAUGES: Final[Mapping[str, str]] = {
    "medvid_pool_size": "Open database connections of this process",
    "medvid_pool_in_use": "Of these, at work",
    "medvid_pool_waiting": "Callers that wait for a connection",
}
SAMPLE_AGE: Final = "medvid_sample_age_seconds"


class PoolFigures(Protocol):
    """A database pool, as far as its figures go."""

    def get_size(self) -> int:
        """Return how many connections are open."""

    def get_idle_size(self) -> int:
        """Return how many of them are idle."""

    @property
    def waiting(self) -> int:
        """How many callers wait for a connection."""


class SystemCollector(Collector):
    """Exports the newest sample while it is fresh, and the figures of this process's pools."""

    def __init__(self) -> None:
        self.pools: WeakSet[PoolFigures] = WeakSet()
        self._figures: Figures = {}
        self._sampled_at = 0.0
        self._fresh_until = 0.0

    def update(self, figures: Figures, *, age: float, fresh_seconds: float) -> None:
        """Take over a sample `age` seconds old; at `fresh_seconds` it is dropped."""
        self._figures = figures
        self._sampled_at = time.monotonic() - age
        self._fresh_until = self._sampled_at + fresh_seconds

    def collect(self) -> Iterator[Metric]:
        """Return the gauges as they are now."""
        pools = list(self.pools)
        size = sum(pool.get_size() for pool in pools)
        counts = (
            size,
            size - sum(pool.get_idle_size() for pool in pools),
            sum(pool.waiting for pool in pools),
        )
        for (name, text), value in zip(POOL_GAUGES.items(), counts, strict=True):
            yield GaugeMetricFamily(name, text, value=value)
        if time.monotonic() > self._fresh_until:
            return
        yield GaugeMetricFamily(
            SAMPLE_AGE,
            "Age of the figures about the whole system",
            value=time.monotonic() - self._sampled_at,
        )
        for name, sampled in SAMPLED.items():
            yield _family(name, sampled, self._figures.get(name, {}))


def _family(name: str, sampled: Sampled, values: Mapping[str, float]) -> GaugeMetricFamily:
    labels = [sampled.label] if sampled.label else []
    family = GaugeMetricFamily(name, sampled.help, labels=labels)
    for label, value in values.items():
        family.add_metric([label] if sampled.label else [], value)
    return family


SYSTEM: Final = SystemCollector()
REGISTRY.register(SYSTEM)


def series_names() -> frozenset[str]:
    """Return the names of all series that Prometheus may see; alerts use these alone."""
    names = {SAMPLE_AGE, *SAMPLED, *POOL_GAUGES}
    for metric in (value for value in globals().values() if isinstance(value, _OWN)):
        for described in metric.describe():
            suffixes = _SUFFIXES[described.type]
            names |= {f"{described.name}{suffix}" for suffix in suffixes}
    return frozenset(names)


_OWN: Final = (Counter, Gauge, Histogram)
_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
}
