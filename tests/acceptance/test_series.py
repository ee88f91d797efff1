"""A board of two judges: two series, one rank; a change is shown first, and the past stays."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.storage.database import Database
from tests.acceptance.admin_browser import signed_in
from tests.acceptance.administration_harness import Site, running_site
from tests.acceptance.test_admin_operations import medvid
from tests.rows import add_listed_entry

A, B = "a" * 16, "b" * 16


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    async with running_site(database) as site:
        yield site


async def add_judged(database: Database, name: str, value: float, judge: str) -> None:
    """Add an entry whose judged values are of a judge."""
    entry = await add_listed_entry(database, name, {"cvs_acc": 0.5, "vs_llm": value})
    truth = "f" * 64
    async with database.transaction() as transaction:
        connection = transaction.connection
        await connection.execute(
            "INSERT INTO judge_versions (hash, facts, is_stub) VALUES ($1, '{}', false)"
            " ON CONFLICT DO NOTHING",
            judge,
        )
        await connection.execute(
            "INSERT INTO ground_truths (version, content, samples, active)"
            " VALUES ($1, '', 1, false) ON CONFLICT DO NOTHING",
            truth,
        )
        await connection.execute(
            "UPDATE scores SET judge_version = $2, metric_version = '1', answered = 40,"
            " expected = 40, ground_truth_version = $3, file_sha256 = $3"
            " WHERE entry_id = $1 AND metric = 'vs_llm'",
            entry, judge, truth,
        )  # fmt: skip
        await connection.execute("UPDATE boards SET revision = revision + 1")


async def past(site: Site, board: dict[str, Any]) -> str:
    _, text = await site.ask("GET", f"/leaderboards/community?as_of={board['snapshot']}", key=None)
    return str(text)


async def whole(site: Site) -> dict[str, Any]:
    await site.board("community")
    _, found = await site.ask("GET", "/leaderboards/community", key=None)
    return dict(found)


async def test_a_board_with_two_judges(site: Site) -> None:
    for name, value, judge in (("One", 3.0, A), ("Two", 3.5, A), ("Three", 4.9, B)):
        await add_judged(site.database, name, value, judge)
    before = await whole(site)
    assert before["series"] == {"current": A, "other_judges": "missing", "published": "ranked"}
    rows = {row["model_name"]: row for row in before["entries"]}
    assert {row["series"]["vs_llm"] for row in rows.values()} == {A, B}
    assert [rows[name]["ranks"]["vs_llm"] for name in ("Two", "One", "Three")] == [1, 2, 3]
    assert (rows["Three"]["values"]["vs_llm"], rows["Three"]["not_ranked"]) == (
        4.9, {"vs_llm": "other_judge"},
    )  # fmt: skip
    await check_places_that_name_it(site, rows)
    stays = await past(site, before)

    status, shown = await site.ask("GET", f"/admin/boards/community/series?current={B}")
    assert status == 200, shown
    moves = {row["model_name"]: row["rank"] for row in shown["scorings"]["compat"]}
    assert moves["Three"] == {"before": 3, "after": 1}
    path = "/boards/community/series"
    refused = await site.refused(path, current=B, revision=shown["revision"] - 1)
    assert refused == (409, "preview_outdated")
    assert await site.refused(path, current="c" * 16, revision=shown["revision"]) == (
        404, "judge_version_not_found",
    )  # fmt: skip
    assert (await site.done(path, current=B, revision=shown["revision"]))["changed"]
    assert not (await site.done(path, current=B, revision=0))["changed"]

    after = await whole(site)
    assert after["series"]["current"] == B
    assert {row["model_name"]: row["rank"] for row in after["entries"]} == {
        name: place["after"] for name, place in moves.items()
    }
    assert await past(site, before) == stays, "byte for byte"
    (line,) = await site.audit(action="set_series")
    assert (line["before"]["current"], line["after"]["current"]) == (A, B)
    _, entry = await site.ask(
        "GET", f"/leaderboards/community/entries/{rows['One']['entry_id']}", key=None
    )
    assert [(each["before"], each["after"]) for each in entry["breaks"]] == [(A, B), (None, A)]


async def check_places_that_name_it(site: Site, rows: dict[str, Any]) -> None:
    """The pages, CSV, feed and comparison name the series, and claim no difference."""
    pair = f"a={rows['One']['entry_id']}&b={rows['Three']['entry_id']}"
    _, found = await site.ask("GET", f"/leaderboards/community/comparisons?{pair}", key=None)
    assert found["not_compared"] == {"vs_llm": {"reason": "different_judges", "a": A, "b": B}}
    assert "vs_llm" not in found["metrics"]
    for address, words in (
        ("/community", (A, f"judge {B}; not ranked", "counts as missing")),
        (f"/boards/community/entries/{rows['Three']['entry_id']}", (A, "count as missing")),
        (f"/compare?board=community&models={rows['One']['entry_id']},{rows['Three']['entry_id']}",
         (f"Judge: {A}", "no difference is claimed")),
        ("/api/v1/leaderboards/community?format=csv", (f"vs_llm={B}", "not_ranked")),
        ("/community/feed.atom", (f"judge {A}",)),
    ):  # fmt: skip
        async with site.client.get(address) as response:
            text = await response.text()
            assert response.status == 200, (address, text[:300])
            for each in words:
                assert each in text, (address, each)


async def test_a_series_is_looked_at_and_chosen_on_the_page_and_by_command(site: Site) -> None:
    for name, value, judge in (("One", 3.0, A), ("Two", 3.5, A), ("Three", 4.9, B)):
        await add_judged(site.database, name, value, judge)
    await whole(site)
    page = await signed_in(site)
    _, text = await page.get("/admin/boards")
    assert f"Community board: judge <code>{A}</code>" in text
    _, text = await page.get(f"/admin/boards?board=community&current={B}")
    assert f"Community board, compat: ranks by judge {B}" in text
    given = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
    assert (given["board"], given["current"], given["published"]) == ("community", B, "ranked")
    fields = {name: given[name] for name in given.keys() - {"csrf", "action"}}
    status, text = await page.do("/admin/boards", "series", **fields | {"current": "c" * 16})
    assert (status, "knows no judge version" in text) == (404, True)
    status, text = await page.do("/admin/boards", "series", **fields)
    assert (status, "series is set." in text) == (200, True)
    assert (await whole(site))["series"]["current"] == B

    status, out, _ = await medvid(site, "series", "community")
    assert (status, out.splitlines()[0]) == (
        0,
        f"community board: judge {B}; values of other judges are missing, published ones ranked.",
    )
    back = ("series", "community", "--judge", A, "--why", "back")
    status, _, said = await medvid(site, *back)
    assert status == 1, "nobody agreed"
    assert re.search(r"compat: [1-3] of 3 entries move[.].*Three", said, re.DOTALL), said
    status, out, _ = await medvid(site, *back, "--yes")
    assert (status, out) == (0, f"The community board ranks by judge {A}.\n")
    assert len(await site.audit(action="set_series")) == 2
