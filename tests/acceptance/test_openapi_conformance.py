"""The gateway held against its own description by schemathesis: every check, with state.

No answer may be a 5xx, have a status, code, header or field that is not described, or take what the
description forbids and refuse what it allows.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from shared.storage.database import Database
from tests.acceptance.conformance_seeds import seeds_of
from tests.acceptance.gateway_harness import Gateway, public_test_set, records, running_gateway
from tests.depth import is_deep
from tests.ranking import ranking
from tests.rows import add_listed_entry

_HERE: Final = Path(__file__).parent
_ROOT: Final = Path(__file__).parents[2]
_ADMIN_KEY: Final = "the-administrators-key-of-this-test"
# Quotas are tested elsewhere; here they would only hide what is behind them.
_PLENTY: Final = 100_000
_SETTINGS: Final = {
    "admin_key": _ADMIN_KEY,
    "registration": "open",
    "registrations_per_day": _PLENTY,
    "address_submissions_per_day": _PLENTY,
    "key_submissions_per_day": _PLENTY,
    "key_validations_per_day": _PLENTY,
    "board_poll_seconds": 0.5,
    "judge_estimate_seconds": 0,
    "patrol_seconds": 0.05,
    "event_poll_seconds": 0.5,
    "webhook_private_networks": True,
    "webhook_poll_seconds": 0.5,
    "webhook_retry_seconds": 0.02,
    "webhook_attempts": 1,
}
# Bodies are described down to types and lengths. What a text may hold beyond that (no invisible
# characters, a name that is free, a file that fits the test set) is refused as 422.
_CONFIGURATION: Final = """\
workers = 1
request-timeout = 300
max-stream-events = 1
continue-on-failure = true
hooks = "{hooks}"

[generation]
deterministic = true
database = "none"
max-examples = {examples}
no-shrink = true

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "304", 401, 403, 404, 409, 422, 429, 503]

# Each bound of each parameter is four requests in five. These operations need them to be done at
# all: there are few keys, entries and messages that a request can be about.
[[operations]]
exclude-path-regex = "/(dead-letters|keys|entries)/.*(edit|rename|revoke|quotas|replay|discard|me)$"
phases.coverage.enabled = {bounds}

# Streams stay open for as long as they are read.
[[operations]]
include-path-regex = "/events$"
request-timeout = 10

# More ids than a request's head holds are refused before they are read.
[[operations]]
include-path = "/api/v1/admin/successions/estimate"
checks.negative_data_rejection.expected-statuses = [400, 401, 403, 404, 406, 429, 431]

# A dry run refuses no form: what is wrong with it is the answer.
[[operations]]
include-path = "/api/v1/validate"
checks.negative_data_rejection.enabled = false

[auth.openapi.apiKey]
bearer = "{admin_key}"

[auth.openapi.ownerToken]
bearer = "{owner_token}"
"""


@pytest.mark.timeout(1800)  # some 600 requests; 3,500 in a deep run
async def test_the_gateway_does_what_its_description_says(
    database: Database, tmp_path: Path
) -> None:
    published = tmp_path / "test_set.json"
    published.write_bytes(public_test_set())
    truths = tmp_path / "truths"
    truths.mkdir()
    sign_in = tmp_path / "sign-in.toml"
    sign_in.write_text('[providers.orcid]\nclient_id = "us"\nclient_secret_env = "PATH"\n')
    challenges = tmp_path / "challenges.toml"
    over = '[tracks.over]\nname = "Over"\nopens = 2020-01-01\ncloses = 2020-01-02\n'
    challenges.write_text((_ROOT / "deploy" / "challenges.toml").read_text() + over)
    async with (
        running_gateway(
            database,
            **_SETTINGS,
            test_set=published,
            ground_truth_dir=truths,
            challenges=challenges,
            sign_in=sign_in,
            public_url="http://127.0.0.1",
        ) as gateway,
        AsyncExitStack() as stack,
    ):
        environment = await _prepared(gateway, tmp_path)
        # Boards are ranked as they change: some operations want one that is.
        await stack.enter_async_context(ranking(database, gateway.bus))
        child = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")),
            "--config-file",
            "schemathesis.toml",
            "run",
            "openapi.json",
            f"--url={gateway.url}",
            "--no-color",
            "--report-ndjson-path=report",
            *os.environ.get("ARGS", "").split(),
            stdout=PIPE,
            stderr=STDOUT,
            cwd=tmp_path,
            env=os.environ | environment,
        )
        output, _ = await child.communicate()
    assert child.returncode == 0, output.decode()
    assert b"Stateful" in output
    never = _never_done(tmp_path / "report")
    assert never - _JOBS == set()
    assert not never >= _JOBS  # one of them is done: only one job may be unfinished


_JOBS: Final = {f"POST /api/v1/admin/{kind}" for kind in ("rescores", "rereads", "successions")}


def _never_done(report: Path) -> set[str]:
    """Return the operations that refused whatever was asked of them."""
    known, done = set[str](), set[str]()
    for line in report.read_bytes().splitlines():
        recorder = orjson.loads(line).get("ScenarioFinished", {}).get("recorder")
        if recorder is None or " /" not in recorder["label"]:
            continue
        label = recorder["label"]
        known.add(label)
        for exchange in recorder.get("interactions", {}).values():
            asked, answer = exchange["request"], exchange.get("response")
            if answer and answer["status_code"] < 400 and asked["method"] == label.split()[0]:
                done.add(label)
    return known - done


async def _prepared(gateway: Gateway, folder: Path) -> dict[str, str]:
    """Put something onto a board and write schemathesis' files; returns what its hooks need."""
    for name, value in (("A model", 0.5), ("Another model", 0.25)):
        await add_listed_entry(gateway.database, name, {"cvs_acc": value, "nap_acc": 1 - value})
    await gateway.rank_listed()
    _, _, page = await gateway.get("/api/v1/leaderboards/community?limit=1")
    predictions = orjson.dumps(records())
    status, receipt = await gateway.submit(predictions)
    assert status == 202
    _, _, document = await gateway.get("/api/v1/openapi.json")
    seeds = await seeds_of(gateway, predictions, _ADMIN_KEY, folder / "truths")
    (folder / "seeds.json").write_bytes(orjson.dumps(seeds))
    (folder / "predictions.json").write_bytes(predictions)
    (folder / "openapi.json").write_bytes(orjson.dumps(_closed(orjson.loads(document))))
    (folder / "schemathesis.toml").write_text(
        _CONFIGURATION.format(
            hooks=_HERE / "schemathesis_hooks.py",
            admin_key=_ADMIN_KEY,
            owner_token=receipt["owner_token"],
            bounds="true" if is_deep() else "false",
            examples=4 if is_deep() else 1,
        )
    )
    return {
        "PYTHONPATH": str(_HERE.parents[1]),
        "PREDICTIONS": str(folder / "predictions.json"),
        "SEEDS": str(folder / "seeds.json"),
        "ADMIN_KEY": _ADMIN_KEY,
        "OWNER_TOKEN": receipt["owner_token"],
        "BOARD_CURSOR": orjson.loads(page)["next"].rpartition("cursor=")[2],
    }


def _closed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with no room in answers for fields that it does not name."""
    schemas = document["components"]["schemas"]
    answered = set(_models_in([path["responses"] for path in _operations(document)], schemas))
    for name in answered:
        if "properties" in schemas[name]:
            schemas[name].setdefault("additionalProperties", False)
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def _models_in(part: Any, schemas: dict[str, Any]) -> Iterator[str]:
    """Yield the models that a part of the document refers to, and those that they refer to."""
    waiting, seen = [part], set[str]()
    while waiting:
        for name in re.findall(rb"#/components/schemas/(\w+)", orjson.dumps(waiting.pop())):
            if (known := name.decode()) not in seen:
                seen.add(known)
                waiting.append(schemas[known])
                yield known
