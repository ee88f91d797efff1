"""Things for the operations that need one to be there, each its own, for the conformance test.

`schemathesis_hooks.py` puts them into requests: by operation what stands in the path, who asks, and
a body where none that is made up is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import orjson

from medvid.benchmark.tasks import BOARDS
from medvid.benchmark.versions import METRIC_VERSION
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin.rescore_models import Wanted
from services.gateway.admin.rescoring import Rescoring
from services.judge.store import announce_judge
from services.ranker.rescoring import preview
from services.scorer.store import OVERDUE
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, ground_truth
from tests.fakes.grader import version
from tests.judging import FIGURES
from tests.reaping import reap
from tests.rows import add_listed_entry, add_replicates

Seeds = dict[str, list[dict[str, str]]]
"""By operation; `body` is JSON text, of a request that is meant to be right."""

_OWNED: Final = (
    "GET /api/v1/submissions/{id}", "GET /api/v1/submissions/{id}/events",
    "GET /api/v1/submissions/{id}/verdicts", "GET /api/v1/submissions/{id}/webhook",
    "POST /api/v1/submissions/{id}/webhook/redeliver", "POST /api/v1/submissions/{id}/judge",
    "POST /api/v1/submissions/{id}/withdraw", "GET /api/v1/submissions/{id}/file",
    "GET /api/v1/submissions/{id}/predictions", "PATCH /api/v1/submissions/{id}/facts",
)  # fmt: skip
_ENTRY_ACTIONS: Final = (
    "rename", "edit", "facts", "promote", "demote", "remove", "restore", "erase",
    "notes",
)  # fmt: skip
_ACTION: Final = AdminAction.of("administrator", "a seed of the conformance test", "req-1")
_WHY: Final = {"why": "to see that it is taken"}


async def seeds_of(gateway: Gateway, predictions: bytes, admin_key: str, truths: Path) -> Seeds:
    """Make them. `truths`: the gateway's own folder of ground truths."""
    database = gateway.database
    await announce_judge(database, version(), 1, figures=FIGURES)
    seeds: Seeds = {}
    for label in _OWNED:
        seeds[label] = [await _submitted(gateway, predictions) for _ in range(3)]
    await _judge(database, seeds["GET /api/v1/submissions/{id}/verdicts"])
    for last, action in (("queued", "pause"), ("paused", "resume")):
        runs = [await _submitted(gateway, predictions) for _ in range(2)]
        for run in runs:
            await _add_run(database, run["id"], last)
            del run["bearer"]
        seeds[f"POST /api/v1/submissions/{{id}}/judge/{action}"] = runs
    listed = await database.pool.fetch("SELECT id::text FROM entries WHERE listed")
    for of_entry in ("", "/export"):
        seeds[f"GET /api/v1/leaderboards/{{board}}/entries/{{id}}{of_entry}"] = [
            {"id": row["id"], "board": "community"} for row in listed
        ]
    scored = await database.pool.fetch(
        "SELECT id::text FROM entries WHERE listed AND board = 'community'"
        " AND EXISTS (SELECT FROM scores WHERE entry_id = entries.id)"
    )
    seeds["GET /api/v1/leaderboards/{board}/comparisons"] = [
        {"board": "community", "a": row["id"], "b": scored[0]["id"]} for row in scored
    ]
    seeds["GET /api/v1/leaderboards/{board}/side-by-side"] = [
        {"board": "community", "models": f"{row['id']},{scored[0]['id']}"} for row in scored
    ]
    await database.pool.execute(
        "INSERT INTO judge_pool_endpoints (name, judge_version)"
        " SELECT name, $1 FROM unnest('{us-east,eu}'::text[]) AS name",
        version().hash,
    )
    seeds["POST /api/v1/admin/snapshots/{id}/sealed-evidence"] = [{"id": await _sealable(gateway)}]
    seeds |= await _of_objections(gateway, predictions)
    seeds |= await _of_people(database)
    seeds |= await _of_administrators(gateway, admin_key, truths)
    seeds |= await _rescored(database, (await _submitted(gateway, predictions))["id"])
    return seeds


async def _submitted(gateway: Gateway, predictions: bytes) -> dict[str, str]:
    status, receipt = await gateway.submit(predictions, webhook_url=f"{gateway.url}/nowhere")
    assert status == 202, receipt
    for state in ("scored", "ranked"):
        await gateway.set_state(receipt["id"], state)
    return {"id": receipt["id"], "bearer": receipt["owner_token"]}


async def _add_run(database: Database, submission_id: str, state: str) -> UUID:
    run_id = uuid4()
    await database.pool.execute(
        "INSERT INTO judge_runs (id, submission_id, requested_by, repeats, state, reason)"
        " VALUES ($1, $2, 'owner', 1, $3, CASE WHEN $3 = 'paused' THEN 'administrator' END)",
        run_id, UUID(submission_id), state,
    )  # fmt: skip
    return run_id


async def _judge(database: Database, submissions: list[dict[str, str]]) -> None:
    """Give each submission a run with two pairs, of which one is judged."""
    pool, judge = database.pool, version().hash
    await pool.execute(
        "INSERT INTO judge_versions VALUES ($1, '{}', false) ON CONFLICT DO NOTHING", judge
    )
    pairs = [bytes([number] * 32) for number in range(2)]
    for pair in pairs:
        await pool.execute("INSERT INTO judge_pairs VALUES ($1, 'a caption', 'another')", pair)
    await pool.execute(
        "INSERT INTO judge_verdicts (judge_version, pair, repeat, scores, model, attempts)"
        " VALUES ($1, $2, 0, '{1,2,3,4,5}', 'a model', 1)",
        judge, pairs[0],
    )  # fmt: skip
    for submission in submissions:
        run_id = await _add_run(database, submission["id"], "queued")
        await pool.execute(
            "UPDATE judge_runs SET state = 'running', judge_version = $2, plan = 'plan',"
            " items = 2 WHERE id = $1",
            run_id, judge,
        )  # fmt: skip
        await pool.executemany(
            "INSERT INTO judge_run_pairs (run_id, ordinal, repeat, pair, metrics, uses)"
            " VALUES ($1, $2, 0, $3, '{dvc_llm}', 1)",
            [(run_id, ordinal, pair) for ordinal, pair in enumerate(pairs)],
        )


async def _sealable(gateway: Gateway) -> str:
    """Return the number of a snapshot of the official board, on which one entry has replicates."""
    database = gateway.database
    entry_id = await add_listed_entry(database, "Measured", {}, "official")
    await database.pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected,"
        " ground_truth_version, metric_version, file_sha256)"
        " SELECT $1, 'cvs_acc', 0.5, 0.5, 40, 40, version, $2, repeat('a', 64)"
        " FROM ground_truths LIMIT 1",
        entry_id, METRIC_VERSION,
    )  # fmt: skip
    await add_replicates(database, entry_id, "cvs_acc", [0.4, 0.6] * 500)
    await gateway.rank_listed("official")
    return str(await database.pool.fetchval("SELECT max(id) FROM snapshots"))


async def _of_objections(gateway: Gateway, predictions: bytes) -> Seeds:
    """File objections in both states with a key of its own, and let a board have two snapshots."""
    database, secret = gateway.database, "mvk_of-the-objections"
    key = await database.pool.fetchval(
        "INSERT INTO api_keys (id, label, owner, key_sha256, scopes, created_by)"
        " VALUES ($1, 'a reader', 'ada', sha256($2), '{submit}', 'administrator') RETURNING id",
        uuid4(), secret.encode(),
    )  # fmt: skip
    owner = await _submitted(gateway, predictions)

    async def objection(state: str, account: str = f"key:{key}") -> str:
        return str(
            await database.pool.fetchval(
                "INSERT INTO notes (kind, state, entry_id, account, text, published_at)"
                " SELECT 'objection', $3, id, $2, 'a seed',"
                " CASE WHEN $3 = 'published' THEN now() END"
                " FROM entries WHERE submission_id = $1 RETURNING id",
                UUID(owner["id"]), account, state,
            )
        )  # fmt: skip

    async def open_ones() -> list[str]:  # one at a time with one key to an entry
        return [await objection("open", f"key:{uuid4()}") for _ in range(3)]

    listed = await database.pool.fetch(
        "SELECT id::text FROM entries WHERE listed AND board = 'community'"
    )
    mine = await objection("open")
    published = [await objection("published")]
    published += [await objection("published", f"key:{uuid4()}") for _ in range(3)]
    await add_listed_entry(database, "Corrected", {"cvs_acc": 0.25}, "official")
    await gateway.rank_listed("official")
    faulty, right = await database.pool.fetchrow(
        "SELECT min(id), max(id) FROM snapshots WHERE board = 'official' AND scoring = 'compat'"
    )
    admin = "POST /api/v1/admin"
    correction = {**_WHY, "text": "A label was wrong.", "corrected_by": right}
    return {
        "POST /api/v1/leaderboards/{board}/entries/{id}/objections": [
            {"board": "community", "id": row["id"], "bearer": secret} for row in listed
        ],
        "GET /api/v1/objections": [{"bearer": secret}],
        "GET /api/v1/objections/{id}": [{"id": each} for each in published],
        "POST /api/v1/objections/{id}/withdraw": [
            {"id": each, "bearer": secret} for each in (mine, *published[:1])
        ],
        "POST /api/v1/objections/{id}/answer": [
            {"id": each, "bearer": owner["bearer"]} for each in published[2:]
        ],
        f"{admin}/notes/{{id}}/publish": [{"id": each} for each in await open_ones()],
        f"{admin}/notes/{{id}}/refuse": [{"id": each} for each in await open_ones()],
        f"{admin}/notes/{{id}}/resolve": [{"id": each} for each in published[1:2]],
        f"{admin}/notes/{{id}}/withdraw": [{"id": await objection("published")}],
        f"{admin}/snapshots/{{id}}/errata": [
            {"id": str(faulty), "body": orjson.dumps(correction).decode()}
        ],
    }


async def _of_people(database: Database) -> Seeds:
    """Let somebody be signed in, with programs that have a key and such as may fetch theirs."""
    account = await database.pool.fetchval(
        "INSERT INTO api_keys (id, label, owner, key_sha256, scopes, created_by)"
        " VALUES ($1, 'an account', 'ada', $2, '{submit,judge}', 'sign_in:one') RETURNING id",
        uuid4(), bytes(range(32)),
    )  # fmt: skip
    await database.pool.execute(
        "INSERT INTO identities (key_id, issuer, subject, provider, name)"
        " VALUES ($1, 'https://one.example', '1', 'One', 'ada')",
        account,
    )
    keys, codes = [f"mvk_{number}" for number in range(9)], [f"code {n}" for n in range(9)]
    await database.pool.executemany(
        "INSERT INTO sign_ins (token_sha256, key_id, kind, label)"
        " VALUES (sha256($2), $1, 'program', 'a program')",
        [(account, key.encode()) for key in keys],
    )
    await database.pool.executemany(
        "INSERT INTO device_codes (device_sha256, user_code, label, address, key_id, expires_at)"
        " VALUES (sha256($2), $3, 'a program', '192.0.2.1', $1, now() + interval '1 hour')",
        [(account, code.encode(), code) for code in codes],
    )
    return {
        "POST /api/v1/sign-in/end": [{"bearer": key} for key in keys],
        "POST /api/v1/sign-in/device/key": [
            {"body": orjson.dumps({"device_code": code}).decode()} for code in codes
        ],
    }


async def _of_administrators(gateway: Gateway, admin_key: str, truths: Path) -> Seeds:
    headers = {"Authorization": f"Bearer {admin_key}"}

    async def asked(method: str, path: str, **body: Any) -> dict[str, Any]:
        async with gateway.client.request(method, path, headers=headers, **body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status < 300, answer
            return answer

    made = {"label": "CI", "owner": "lab@example.org"}
    key, *others = [await asked("POST", "/api/v1/keys", json=made) for _ in range(4)]
    boards = await asked("GET", "/api/v1/admin/boards/export?format=json")
    (truths / "truth.json").write_bytes(ground_truth())
    admin = "POST /api/v1/admin"
    seeds = {
        "GET /api/v1/keys/me": [{"bearer": key["key"]}],
        "POST /api/v1/keys/{id}/revoke": [{"id": each["id"]} for each in others],
        "PUT /api/v1/keys/{id}/quotas": [{"id": key["id"]}],
        f"{admin}/boards/import": [_body(boards=boards)],
        f"{admin}/ground-truths": [{"body": ground_truth().decode()}],
        f"{admin}/ground-truths/reload": [_body(file="truth.json")],
        f"{admin}/rescores": [_body()],
        "GET /api/v1/admin/boards/{board}/series": [
            {"board": board, "current": version().hash} for board in BOARDS
        ],
    }
    for action in _ENTRY_ACTIONS:
        seeds[f"{admin}/entries/{{id}}/{action}"] = [
            {"id": str(await add_listed_entry(gateway.database, f"To {action} {number}",
                                              {"cvs_acc": 0.1}))}
            for number in range(3)
        ]  # fmt: skip
    gone = [UUID(each["id"]) for each in seeds[f"{admin}/entries/{{id}}/erase"]]
    await gateway.database.pool.execute(
        "UPDATE entries SET removed_at = now() WHERE id = ANY ($1)", gone
    )
    return seeds


def _body(**fields: object) -> dict[str, str]:
    return {"body": orjson.dumps({**_WHY, **fields}).decode()}


async def _rescored(database: Database, submission_id: str) -> Seeds:
    """Score a submission anew, in a job that is applied and in one that is discarded.

    Only one may be unfinished, which is the one that the test itself starts.
    """
    rescoring = Rescoring(database)
    entry_id: UUID = await database.pool.fetchval(
        "UPDATE entries SET listed = true WHERE submission_id = $1 RETURNING id",
        UUID(submission_id),
    )

    async def started() -> UUID:
        job = await rescoring.start(_ACTION, version=None, board=None, entry_ids=[entry_id])
        return job.id

    applied = await started()
    await database.pool.execute(
        "UPDATE rescore_items SET state = 'scored', metric_version = $1", METRIC_VERSION
    )
    await database.pool.execute(
        "INSERT INTO shadow_scores VALUES ($1, $2, 'cvs_acc', 0.75, 0.75, 1, 1, '{}')",
        applied, entry_id,
    )  # fmt: skip
    await reap(database, OVERDUE, 3600)
    async with database.transaction() as transaction:
        await preview(transaction, applied)
    assert await rescoring.apply(applied, _ACTION, Wanted(preview=1))
    discarded = await started()
    assert await rescoring.discard(discarded, _ACTION)
    jobs: dict[str, list[UUID]] = {}
    for kind in ("rescores", "rereads", "successions"):  # one machinery, so one job serves all
        path = f"/api/v1/admin/{kind}/{{id}}"
        jobs |= {f"GET {path}": [applied, discarded], f"POST {path}/apply": [applied],
                 f"POST {path}/discard": [discarded]}  # fmt: skip
    return {label: [{"id": str(job)} for job in those] for label, those in jobs.items()}
