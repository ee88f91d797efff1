"""Second opinions on a board's order over HTTP: JSON, CSV, the page, and a reader's weights."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest

from medvid.benchmark.ranking import rank
from medvid.benchmark.statistics.second_opinions import majority, sensitivity, weighted_mean_ranks
from medvid.benchmark.tasks import METRIC_KEYS
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, row, running_gateway

PATH = "/api/v1/leaderboards/community/second-opinions"
VALUES = {
    "one": [0.9, 0.1, 0.5, 0.4, 0.9, 0.2, 0.7, 3.0, 2.0, 1.0],
    "two": [0.8, 0.3, 0.4, 0.6, 0.7, 0.3, 0.6, 2.0, 3.0, 2.0],
    "three": [0.1, 0.9, 0.6, None, 0.2, 0.9, None, None, None, None],
}


def rows() -> list[dict[str, Any]]:
    return [
        {"model_name": name, **dict(zip(METRIC_KEYS, values, strict=True))}
        for name, values in VALUES.items()
    ]


async def show(gateway: Gateway) -> None:
    """Have the community board show the models, ranked by the rule."""
    ranked, _ = rank(rows())
    revision = await gateway.rank(
        "community",
        [
            row(each.rank, model_name=each.model_name, values=each.values, ranks=each.ranks,
                mean_rank=each.mean_rank)
            for each in ranked
        ],
        hint=True,
    )  # fmt: skip
    await gateway.shown("community", revision)


async def test_they_are_those_of_the_pure_rules(database: Database) -> None:
    async with running_gateway(database) as gateway:
        await show(gateway)
        status, _, body = await gateway.get(PATH)
        assert status == 200
        found = orjson.loads(body)
        ranked, _ = rank(rows())
        assert [each["model_name"] for each in found["entries"]] == [
            each.model_name for each in ranked
        ]
        for shown, moved, won in zip(
            found["entries"], sensitivity(ranked), majority(ranked), strict=True
        ):
            assert tuple(shown["one_entry_out"]) == moved.one_entry_out
            assert tuple(shown["one_metric_out"]) == moved.one_metric_out
            assert (shown["copeland"], shown["majority_place"]) == (
                won.copeland, won.majority_place,
            )  # fmt: skip
            assert (shown["fair"], shown["weighted_mean_rank"]) == (None, None)
        _, _, body = await gateway.get(f"{PATH}?weights=cvs_acc:3,dvc_llm:0")
        weighted = orjson.loads(body)
        weights = dict.fromkeys(METRIC_KEYS, 1.0) | {"cvs_acc": 3.0, "dvc_llm": 0.0}
        assert weighted["weights"] == weights
        means = weighted_mean_ranks(ranked, weights)
        assert [each["weighted_mean_rank"] for each in weighted["entries"]] == [
            pytest.approx(mean, abs=1e-4) for mean in means
        ]
        assert sorted(each["weighted_place"] for each in weighted["entries"]) == [1, 2, 3]
        _, _, body = await gateway.get(f"{PATH}?format=csv")
        lines = list(csv.DictReader(io.StringIO(body.decode())))
        assert [line["model_name"] for line in lines] == [each.model_name for each in ranked]
        assert lines[0]["weighted_place"] == ""


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ("cvs", "no metric"),
        ("", "no metric"),
        ("cvs_acc:2,cvs_acc:3", "two weights"),
        ("cvs_acc:-1", "no number from 0"),
        ("cvs_acc:nan", "no number from 0"),
        ("cvs_acc:1e999", "no number from 0"),
        ("cvs_acc:", "no number from 0"),
        (",".join(f"{key}:0" for key in METRIC_KEYS), "All weights are 0"),
    ],
)
async def test_weights_that_are_none_are_named(database: Database, weights: str, says: str) -> None:
    async with running_gateway(database) as gateway:
        status, _, body = await gateway.get(f"{PATH}?weights={weights}")
        problem = orjson.loads(body)
        assert (status, problem["code"]) == (422, "invalid_weights")
        assert says in problem["detail"]
        assert problem["fix"]


async def test_the_page_shows_the_same_and_takes_weights_without_scripts(
    database: Database,
) -> None:
    async with running_gateway(database) as gateway:
        page = "/boards/community/second-opinions"
        status, _, body = await gateway.get(page)
        assert (status, b"No model yet" in body) == (200, True)
        await show(gateway)
        _, _, body = await gateway.get(page)
        assert all(name.encode() in body for name in VALUES)
        async with gateway.client.get(
            f"{page}?cvs_acc=2&dvc_f1=1&dvc_llm=0", allow_redirects=False
        ) as sent:
            assert sent.status == 303
            assert sent.headers["Location"] == f"{page}?weights=cvs_acc%3A2%2Cdvc_llm%3A0"
        _, _, body = await gateway.get(sent.headers["Location"])
        assert b"Your weights" in body
        assert (await gateway.get(f"{page}?weights=none"))[0] == 422
        _, _, board = await gateway.get("/community")
        assert page.encode() in board


async def test_a_reader_orders_a_board_by_weights(database: Database) -> None:
    board = "/api/v1/leaderboards/community"
    weights = "weights=nap_acc:9,stg_miou:0"
    async with running_gateway(database) as gateway:
        await show(gateway)
        plain = orjson.loads((await gateway.get(board))[2])
        status, headers, body = await gateway.get(f"{board}?{weights}")
        assert status == 200
        mine = orjson.loads(body)
        ranked, _ = rank(rows())
        asked = {"nap_acc": 9.0, "stg_miou": 0.0}
        means = dict(
            zip(
                [each.model_name for each in ranked],
                weighted_mean_ranks(ranked, asked),
                strict=True,
            )
        )
        assert plain["view"] is None
        assert mine["view"]["by"] == "weights"
        assert asked.items() <= mine["view"]["weights"].items()
        assert [each["model_name"] for each in mine["entries"]] == sorted(
            means, key=means.__getitem__
        )
        assert [each["view_rank"] for each in mine["entries"]] == [1, 2, 3]
        for each in mine["entries"]:
            assert each["view_mean_rank"] == round(means[each["model_name"]], 4)
        own = {each["model_name"]: each["rank"] for each in plain["entries"]}
        assert {each["model_name"]: each["rank"] for each in mine["entries"]} == own

        names: list[str] = []
        address: str | None = f"{board}?{weights}&limit=2"
        while address:
            page = orjson.loads((await gateway.get(address))[2])
            assert page["view"] == mine["view"]
            names += [each["model_name"] for each in page["entries"]]
            address = page["next"]
        assert names == [each["model_name"] for each in mine["entries"]]

        _, _, text = await gateway.get(f"{board}.csv?{weights}")
        lines = list(csv.DictReader(io.StringIO(text.decode())))
        assert [line["view_rank"] for line in lines] == ["1", "2", "3"]
        assert "view_rank" not in (await gateway.get(f"{board}.csv"))[2].decode()
        assert (await gateway.get(f"{board}?{weights}", If_None_Match=headers["ETag"]))[0] == 304
        assert (await gateway.get(f"{board}?weights=nap_acc:8"))[1]["ETag"] != headers["ETag"]
        for wrong in ("x:1", "nap_acc:nan", "nap_acc:-1", "nap_acc:1,nap_acc:1", ""):
            assert (await gateway.get(f"{board}?weights={wrong}"))[0] == 422
            assert (await gateway.get(f"/community?weights={wrong}"))[0] == 422
        status, headers, _ = await gateway.get("/community?weights=nap_acc:2")
        assert (status, headers["Location"]) == (
            303,
            "/boards/community/second-opinions?weights=nap_acc%3A2.0",
        )
