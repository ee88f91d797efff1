"""What is told of an entry, and the feeds of new ones: with ranks that the real ranker wrote."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4
from xml.etree import ElementTree

import orjson
import pytest

from shared.storage.database import Database
from shared.storage.queries import load_queries
from tests.acceptance.gateway_harness import Gateway, running_gateway
from tests.rows import accept_submission, add_listed_entry, add_replicates, load_demo_ground_truth

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(
        database, load=False, board_poll_seconds=0.02, public_url="https://board.example/"
    ) as running:
        yield running


async def read(gateway: Gateway, path: str) -> dict[str, Any]:
    status, _, body = await gateway.get(path)
    assert status == 200, body
    answer: dict[str, Any] = orjson.loads(body)
    return answer


async def text_of(gateway: Gateway, path: str) -> str:
    status, _, body = await gateway.get(path)
    assert status == 200, body
    return body.decode()


def address(entry_id: UUID, board: str = "community") -> str:
    return f"/api/v1/leaderboards/{board}/entries/{entry_id}"


async def test_an_entry_with_all_that_its_scores_rest_on(gateway: Gateway) -> None:
    entry_id = await add_listed_entry(gateway.database, "Ours", {"cvs_acc": 0.123456})
    version = await load_demo_ground_truth(gateway.database)
    await gateway.database.pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,"
        " ground_truth_version, metric_version, file_sha256)"
        " VALUES ($1, 'nap_acc', 0.5, 0.25, 30, 40, $2::text::jsonb, $3, '1', repeat('a', 64))",
        entry_id,
        '{"AVOS": {"compat": 0.5, "strict": null, "answered": 30, "expected": 40}}',
        version,
    )
    await gateway.database.pool.execute(
        "INSERT INTO similarities (entry_id, metric, value, pairs, distinct_pairs, by_source,"
        " ground_truth_version, similarity_version, file_sha256)"
        " VALUES ($1, 'rc_similarity', 0.6349, 40, 30, $2::text::jsonb, $3, '1', repeat('a', 64))",
        entry_id,
        '{"AVOS": {"value": 0.6349, "pairs": 40}}',
        version,
    )
    await gateway.rank_listed()
    entry = await read(gateway, address(entry_id))
    assert entry["similarities"] == {
        "vs_similarity": None,
        "rc_similarity": {
            "value": 0.63, "pairs": 40, "distinct_pairs": 30, "withheld": None,
            "by_source": {"AVOS": {"value": 0.63, "pairs": 40, "withheld": None}},
        },
        "dvc_similarity": None,
    }  # fmt: skip
    assert (entry["model_name"], entry["submission_id"], entry["judge"]) == ("Ours", None, None)
    cvs, nap = entry["scores"]
    assert (cvs["metric"], cvs["compat"], cvs["coverage"]) == ("cvs_acc", 0.1235, None)
    assert cvs["provenance"] is None
    assert (nap["compat"], nap["strict"], nap["coverage"]) == (0.5, 0.25, 0.75)
    assert nap["by_source"]["AVOS"] == {
        "compat": 0.5, "strict": None, "answered": 30, "expected": 40, "withheld": None,
        "intervals": {"compat": None, "strict": None},
    }  # fmt: skip
    assert nap["intervals"] == cvs["intervals"] == {"compat": None, "strict": None}
    assert nap["provenance"] == {
        "ground_truth_version": version,
        "metric_version": "1",
        "judge_version": None,
        "file_sha256": "a" * 64,
    }
    assert [(place["scoring"], place["rank"], place["of"]) for place in entry["places"]] == [
        ("compat", 1, 1),
        ("strict", 1, 1),
    ]
    status, _, page = await gateway.get(entry["page"])
    assert (status, b"Similarity of captions" in page, b"0.63<" in page) == (200, True, True)
    assert "contact" not in entry
    status, headers, _ = await gateway.get(address(entry_id))
    again = await gateway.get(address(entry_id), If_None_Match=headers["ETag"])
    assert (status, again[0]) == (200, 304)


async def test_intervals_are_told_rounded_and_never_of_what_is_withheld(gateway: Gateway) -> None:
    entry_id = await add_listed_entry(gateway.database, "Ours", {"cvs_acc": 0.5})
    version = await load_demo_ground_truth(gateway.database)
    shown, few = ({"compat": 0.5, "answered": n, "expected": 40} for n in (30, 29))
    sources = {"shown": shown, "three videos": shown, "few": few, "also few": few}
    for metric, answered in (("nap_acc", 120), ("stg_miou", 29)):
        await gateway.database.pool.execute(
            "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, by_source,"
            " ground_truth_version, metric_version, file_sha256)"
            " VALUES ($1, $2, 0.5, 0.25, $3, 160, $4::text::jsonb, $5, '1', repeat('a', 64))",
            entry_id, metric, answered, orjson.dumps(sources).decode(), version,
        )  # fmt: skip
        told = {"se": 0.123456, "low": 0.25, "high": 0.98761, "undefined": 1, "few_videos": True}
        by_source = {
            source: {**told, "clusters": 3 if source == "three videos" else 4} for source in sources
        }
        draws = [0.33333, 0.66666] * 500
        await add_replicates(
            gateway.database, entry_id, metric, draws, scorings=("compat",), by_source=by_source
        )
    await gateway.rank_listed()
    entry = await read(gateway, address(entry_id))
    _, nap, stg = entry["scores"]
    assert nap["intervals"] == {
        "compat": {
            "se": 0.1667, "low": 0.3333, "high": 0.6667, "clusters": 40, "undefined": 0,
            "few_videos": False,
        },
        "strict": None,
    }  # fmt: skip
    parts = {source: part["intervals"] for source, part in nap["by_source"].items()}
    rounded = {**told, "se": 0.1235, "high": 0.9876, "clusters": 4}
    assert parts["shown"] == {"compat": rounded, "strict": None}
    hidden = {"se": None, "low": None, "high": None, "clusters": 3}
    assert parts["three videos"] == {"compat": {**rounded, **hidden}, "strict": None}
    assert parts["few"] == parts["also few"] == {"compat": None, "strict": None}
    assert stg["withheld"]
    everywhere = [stg["intervals"], *(part["intervals"] for part in stg["by_source"].values())]
    assert everywhere == [{"compat": None, "strict": None}] * 5
    _, _, page = await gateway.get(entry["page"])
    assert page.count(b"0.333\xe2\x80\x930.667") == 1
    assert page.count(b"0.250\xe2\x80\x930.988*") == 1
    await gateway.database.pool.execute("UPDATE replicates SET statistics_version = 'older'")
    entry = await read(gateway, address(entry_id))
    assert entry["scores"][1]["intervals"] == {"compat": None, "strict": None}


async def test_a_judged_score_names_its_judge(gateway: Gateway) -> None:
    stored = await accept_submission(gateway.database, "Judged")
    version = await load_demo_ground_truth(gateway.database)
    pool = gateway.database.pool
    await pool.execute("UPDATE entries SET listed = true WHERE id = $1", stored.entry_id)
    await pool.execute(
        "INSERT INTO judge_versions VALUES ('abcdef0123', $1::text::jsonb, true)", '{"model": "m"}'
    )
    run_id = uuid4()
    await pool.execute(
        "INSERT INTO judge_runs (id, submission_id, judge_version, requested_by, plan)"
        " VALUES ($1, $2, 'abcdef0123', 'owner', '')",
        run_id,
        stored.submission_id,
    )
    await pool.execute(
        "INSERT INTO judge_results VALUES ($1, $2, 'abcdef0123', $3::text::jsonb)",
        run_id,
        stored.submission_id,
        '{"pairs": 7}',
    )
    await pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, answered, expected, by_source,"
        " ground_truth_version, metric_version, file_sha256, judge_version)"
        " VALUES ($1, 'vs_llm', 3.5, 36, 37, $2::text::jsonb, $3, '1', repeat('b', 64),"
        " 'abcdef0123')",
        stored.entry_id,
        '{"NurViD": {"compat": 3.5, "pairs": 37, "scored": 36}}',
        version,
    )
    await pool.execute("UPDATE boards SET revision = revision + 1 WHERE board = 'community'")
    await gateway.rank_listed()
    entry = await read(gateway, address(stored.entry_id))
    assert entry["submission_id"] == str(stored.submission_id)
    (score,) = entry["scores"]
    assert score["provenance"]["judge_version"] == "abcdef0123"
    assert score["by_source"]["NurViD"] == {
        "compat": 3.5, "strict": 3.5, "answered": 36, "expected": 37, "withheld": None,
        "intervals": {"compat": None, "strict": None},
    }  # fmt: skip
    judge = entry["judge"]
    assert (judge["judge_version"], judge["stub"], judge["judge"], judge["facts"]) == (
        "abcdef0123", True, {"model": "m"}, {"pairs": 7},
    )  # fmt: skip
    assert judge["calibration"] is None
    page = f"/boards/community/entries/{stored.entry_id}"
    assert "Not held against people yet." in await text_of(gateway, page)
    for number, alpha in ((1, 0.9), (2, 0.71)):
        report = {
            "outcome": "failed", "passed": False, "failed": ["R8 alpha"],
            "overall": {
                "pairs": 150, "alpha": alpha, "alpha_low": alpha - 0.05, "alpha_high": alpha + 0.04
            },
        }  # fmt: skip
        await pool.execute(
            "INSERT INTO judge_calibrations (judge_version, report, created_at)"
            " VALUES ('abcdef0123', $1::text::jsonb, make_timestamptz(2026, $2, 3, 0, 0, 0))",
            orjson.dumps(report).decode(),
            number,
        )
    judge = (await read(gateway, address(stored.entry_id)))["judge"]
    assert judge["calibration"]["overall"]["alpha"] == 0.71
    shown = await text_of(gateway, page)
    assert "Held against people 2026-02-03: failed (R8 alpha); 150 pairs, alpha 0.71 " in shown
    assert "(95 %: 0.66 to 0.75)." in shown
    assert address(stored.entry_id) in shown


async def test_where_an_entry_stood(gateway: Gateway) -> None:
    ours = await add_listed_entry(gateway.database, "Ours", {"cvs_acc": 0.5})
    await gateway.rank_listed()
    for name, value in (("Worse", 0.1), ("Better", 0.9)):
        await add_listed_entry(gateway.database, name, {"cvs_acc": value})
        await gateway.rank_listed()
    history = [
        span
        for span in (await read(gateway, address(ours)))["history"]
        if span["scoring"] == "compat"
    ]
    assert [span["rank"] for span in history] == [2, 1]
    assert history[0]["until"] is None
    assert history[1]["until"] == history[0]["since"]
    for span in history:
        board = await read(gateway, span["snapshot"])
        (row,) = [entry for entry in board["entries"] if entry["model_name"] == "Ours"]
        assert row["rank"] == span["rank"]


async def test_an_entry_without_any_value_in_a_scoring_is_not_ranked_in_it(
    gateway: Gateway,
) -> None:
    """As published numbers are imported: compat values only."""
    imported = await add_listed_entry(gateway.database, "Imported", {"cvs_acc": 0.5})
    await gateway.rank_listed()
    compat, strict = (await read(gateway, address(imported)))["places"]
    assert (compat["rank"], compat["of"]) == (1, 1)
    assert strict == {
        "scoring": "strict", "rank": None, "of": 0, "mean_rank": None, "ranks": {},
        "not_ranked": {},
    }  # fmt: skip
    board = await read(gateway, "/api/v1/leaderboards/community?scoring=strict")
    (row,) = board["entries"]
    assert [row[name] for name in ("rank", "mean_rank", "ranks")] == [None, None, {}]
    assert board["total"] == 1
    for path, words in (
        (f"/boards/community/entries/{imported}", "Strict: not ranked, no strict scores."),
        ("/community?scoring=strict", "Not ranked: no strict scores."),
        ("/community?scoring=strict&sort=-model&q=imp", "Not ranked: no strict scores."),
        (f"/compare?board=community&scoring=strict&models={imported}", "Without a rank: no strict"),
        ("/compare?board=community&scoring=strict", "No model is chosen."),
        (f"/boards/community/snapshots/{board['snapshot']}", "Not ranked: no strict scores."),
    ):
        status, _, body = await gateway.get(path)
        page = body.decode()
        assert (status, words in page) == (200, True), path
        assert "None" not in page, path
        assert " medal, rank" not in page, path


async def test_entries_that_are_not_there(gateway: Gateway) -> None:
    entry_id = await add_listed_entry(gateway.database, "Ours", {"cvs_acc": 0.5})
    await gateway.rank_listed()
    removed = await add_listed_entry(gateway.database, "Removed", {"cvs_acc": 0.5})
    await gateway.database.pool.execute(
        "UPDATE entries SET removed_at = now() WHERE id = $1", removed
    )
    for path, code in {
        address(uuid4()): "entry_not_found",
        address(removed): "entry_not_found",
        address(entry_id, "official"): "entry_not_found",
        address(entry_id, "other"): "board_not_found",
        f"/api/v1/leaderboards/community/entries/{{{entry_id}}}": "entry_not_found",
    }.items():
        status, _, body = await gateway.get(path)
        assert (path, status, orjson.loads(body)["code"]) == (path, 404, code)


def feed(text: bytes) -> tuple[ElementTree.Element, list[ElementTree.Element]]:
    """Parse a feed and hold it against what RFC 4287 demands of one."""
    root = ElementTree.fromstring(text)  # noqa: S314 - our own
    assert root.tag == f"{ATOM}feed"
    entries = root.findall(f"{ATOM}entry")
    for element in (root, *entries):
        for name in ("id", "title", "updated"):
            (only,) = element.findall(f"{ATOM}{name}")
            assert only.text
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", element.findtext(f"{ATOM}updated") or ""
        )
        assert (element.findtext(f"{ATOM}id") or "").startswith("urn:uuid:")
        assert element.find(f"{ATOM}link[@rel='alternate']") is not None
    for entry in entries:
        assert entry.findtext(f"{ATOM}author/{ATOM}name")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries]
    assert len(set(ids)) == len(ids)
    return root, entries


def link(element: ElementTree.Element, relation: str) -> str:
    found = element.find(f"{ATOM}link[@rel='{relation}']")
    assert found is not None
    return found.attrib["href"]


async def test_feeds_tell_of_new_entries_once(gateway: Gateway) -> None:
    _, headers, body = await gateway.get("/feed.atom")
    assert headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert feed(body)[1] == []
    hostile = '<script>alert("x")</script> & co \uffff'
    await add_listed_entry(gateway.database, hostile, {"cvs_acc": 0.5})
    await gateway.rank_listed()
    await add_listed_entry(gateway.database, "Second", {"cvs_acc": 0.6})
    await gateway.rank_listed()  # moves the first one, which is no news
    await add_listed_entry(gateway.database, "Official one", {"cvs_acc": 0.6}, "official")
    await gateway.rank_listed("official")
    titles = {
        "/feed.atom": ["Official one (Us)", "Second (Us)", f"{hostile[:-1]}\ufffd (Us)"],
        "/official/feed.atom": ["Official one (Us)"],
        "/community/feed.atom": ["Second (Us)", f"{hostile[:-1]}\ufffd (Us)"],
    }
    for path, expected in titles.items():
        status, headers, body = await gateway.get(path)
        root, entries = feed(body)
        assert (status, [entry.findtext(f"{ATOM}title") for entry in entries]) == (200, expected)
        assert link(root, "self") == f"https://board.example{path}"
        page = link(entries[0], "alternate").removeprefix("https://board.example")
        assert (await gateway.get(page))[0] == 200
        again = await gateway.get(path, If_None_Match=headers["ETag"])
        assert again[0] == 304
    assert (await gateway.get("/other/feed.atom"))[0] == 404


async def test_a_feed_finds_entries_by_their_ids(database: Database) -> None:
    """Also while there are no statistics, as just after an import: not a board for each entry."""
    sql = load_queries("services.gateway.boards")["entries_newest"]
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        asked = sql.replace("$1", "'{community}'").replace("$2", "50")
        plan = await connection.fetchval(f"EXPLAIN (FORMAT json) {asked}")
    assert "entries_pkey" in plan
    assert "entries_unique_name" not in plan
