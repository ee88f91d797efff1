"""What administrators do to entries and boards, through the API, on both buses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import orjson
import pytest

from medvid.benchmark.tasks import METRIC_KEYS, RULE_METRIC_KEYS
from services.gateway.admin import entries_api, operations_api
from shared.contracts.messages import BoardChanged
from shared.storage.database import Database
from tests.acceptance.administration_harness import KEY, WHY, Site, running_site
from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.rows import accept_submission, add_listed_entry

VALUES = dict.fromkeys(METRIC_KEYS, 0.5)


@pytest.fixture(params=["local", pytest.param("rabbit", marks=deep)])
async def site(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Site]:
    url = request.getfixturevalue("rabbit_url") if request.param == "rabbit" else None
    async with running_site(database, url) as site:
        yield site


@pytest.fixture
async def local(database: Database) -> AsyncIterator[Site]:
    async with running_site(database) as site:
        yield site


def a_row(name: str = "By hand", **changes: Any) -> dict[str, Any]:
    return {"model_name": name, "organization": "Lab", "date": "2026-04-15", **VALUES, **changes}


async def test_an_entry_goes_through_every_action_and_leaves_its_lines(site: Site) -> None:
    entry = await add_listed_entry(site.database, "Model A", VALUES)
    path = f"/entries/{entry}"

    done = await site.done(f"{path}/promote", verified_on="2026-05-01", note="ran it ourselves")
    assert done["changed"]
    assert (await site.board("official"))["Model A"]["verified_on"] == "2026-05-01"
    assert not await site.board("community")

    await site.done(f"{path}/rename", model_name="Model B")
    assert set(await site.board("official")) == {"Model B"}

    await site.done(f"{path}/edit", organization="Another lab", model_url="https://example.org/b")
    shown = (await site.board("official"))["Model B"]
    assert (shown["organization"], shown["model_url"]) == ("Another lab", "https://example.org/b")
    await site.done(f"{path}/edit", model_url=None)
    assert (await site.board("official"))["Model B"]["model_url"] is None

    await site.done(f"{path}/demote")
    assert (await site.board("community"))["Model B"]["verified_on"] is None
    assert not await site.board("official")

    await site.done(f"{path}/remove")
    assert not await site.board("community")
    await site.done(f"{path}/restore")
    assert set(await site.board("community")) == {"Model B"}

    lines = await site.audit(subject_kind="entry", subject=str(entry))
    assert [line["action"] for line in reversed(lines)] == [
        "promote", "rename", "edit", "edit", "demote", "remove", "restore",
    ]  # fmt: skip
    first = lines[-1]
    assert (first["who"], first["why"]) == ("administrator", WHY)
    assert first["request_id"]
    assert first["before"]["board"] == "community"
    assert first["after"] | {"board": "official", "verified_on": "2026-05-01"} == first["after"]
    assert lines[-2]["before"]["model_name"] == "Model A"


async def test_a_board_ranks_as_an_administrator_chooses(site: Site) -> None:
    for name, value in (("A", 0.9), ("B", 0.5), ("C", 0.5), ("D", 0.1)):
        await add_listed_entry(site.database, name, {"cvs_acc": value})
    path = "/boards/community/ranking"
    assert (await site.done(path, ranking="dense"))["changed"]
    assert (await site.board("community"))["D"]["ranks"]["cvs_acc"] == 3
    _, shown = await site.ask("GET", "/leaderboards/community", key=None)
    assert shown["ranking"] == "dense"
    dense = shown["permalink"].removeprefix("/api/v1")
    assert not (await site.done(path, ranking="dense"))["changed"]

    assert (await site.done(path, ranking="competition"))["changed"]
    assert (await site.board("community"))["D"]["ranks"]["cvs_acc"] == 4
    _, past = await site.ask("GET", dense, key=None)
    assert (past["ranking"], past["entries"][-1]["ranks"]["cvs_acc"]) == ("dense", 3)
    assert (
        past["ranking_rule"]
        != (await site.ask("GET", "/leaderboards/community"))[1]["ranking_rule"]
    )

    last, first = await site.audit(subject_kind="board", subject="community")
    assert (first["action"], first["why"]) == ("set_ranking", WHY)
    assert first["before"] == last["after"] == {"ranking": "competition"}
    assert first["after"] == last["before"] == {"ranking": "dense"}
    assert await site.refused("/boards/private/ranking", ranking="dense") == (
        404, "board_not_found",
    )  # fmt: skip
    assert await site.refused(path, ranking="olympic") == (422, "invalid_body")
    assert await site.refused(path, ranking="dense", why=" ") == (422, "reason_required")


async def test_after_an_upgrade_boards_are_ranked_again_by_themselves(site: Site) -> None:
    """What the version before ranked is noticed by the ranker's reaper, on either bus."""
    await add_listed_entry(site.database, "Imported", VALUES)
    async with site.database.transaction() as transaction:
        await transaction.emit(BoardChanged(board="community"))
    await site.board("community")
    old = await site.database.pool.fetch("UPDATE snapshots SET ranking = NULL RETURNING id")
    async with asyncio.timeout(HANG_SECONDS):
        while await site.database.pool.fetchval(NEWEST_ARE_OLD):
            await asyncio.sleep(0.05)
    count = await site.database.pool.fetchval("SELECT count(*) FROM snapshots")
    assert count == 2 * len(old) == 4


NEWEST_ARE_OLD = (
    "SELECT bool_or(ranking IS NULL) FROM snapshots"
    " WHERE id IN (SELECT max(id) FROM snapshots GROUP BY board, scoring)"
)


async def test_an_action_repeated_changes_nothing_more(local: Site) -> None:
    entry = await add_listed_entry(local.database, "Model A", VALUES)
    for action, body in (
        ("promote", {"verified_on": "2026-05-01", "note": "checked"}),
        ("rename", {"model_name": "Another"}),
        ("edit", {"team": "T", "track": "Challenge"}),
        ("remove", {}),
    ):
        first = await local.done(f"/entries/{entry}/{action}", **body)
        again = await local.done(f"/entries/{entry}/{action}", **body)
        assert (first["changed"], again["changed"]) == (True, False)
        assert first["entry"] == again["entry"]
        assert len(await local.audit(action=action)) == 1


async def test_a_taken_name_is_refused_wherever_it_would_come(local: Site) -> None:
    await add_listed_entry(local.database, "Model A", VALUES, board="official")
    twin = await add_listed_entry(local.database, "MODEL a", VALUES)
    other = await add_listed_entry(local.database, "Other", VALUES)
    taken = (409, "model_name_taken")
    assert await local.refused(f"/entries/{twin}/promote") == taken
    assert await local.refused(f"/entries/{other}/rename", model_name="mOdEl A") == taken
    assert await local.refused("/entries", board="official", entry=a_row("model a")) == taken
    await local.done(f"/entries/{twin}/remove")
    await local.done(f"/entries/{other}/rename", model_name="Model A")
    assert await local.refused(f"/entries/{twin}/restore") == taken
    assert {line["action"] for line in await local.audit()} == {"remove", "rename"}


async def test_what_is_not_scored_or_judged_by_the_stand_in_is_never_official(local: Site) -> None:
    pool = local.database.pool
    unscored = await accept_submission(local.database, "Unscored")
    assert await local.refused(f"/entries/{unscored.entry_id}/promote") == (409, "not_scored_yet")
    await pool.execute("UPDATE entries SET listed = true WHERE id = $1", unscored.entry_id)
    await pool.execute(
        "INSERT INTO judge_versions (hash, facts, is_stub) VALUES ('aaaaaaaa', '{}', true)"
    )
    await pool.execute(
        "INSERT INTO scores (entry_id, metric, compat, strict, answered, expected, metric_version,"
        " ground_truth_version, file_sha256, judge_version)"
        " SELECT $1, 'vs_llm', 3, 3, 1, 1, '1', ground_truth_version, file_sha256, 'aaaaaaaa'"
        " FROM submissions",
        unscored.entry_id,
    )
    assert await local.refused(f"/entries/{unscored.entry_id}/promote") == (
        409,
        "stub_not_official",
    )
    assert await pool.fetchval("SELECT board FROM entries") == "community"
    assert not await local.audit()


async def test_an_entry_is_added_by_hand_with_its_scores(site: Site) -> None:
    strict = {"strict": {"cvs_acc": 0.25}}
    added = await site.done("/entries", board="official", entry=a_row(**strict, team="T"))
    assert added["kind"] == "added"
    shown = (await site.board("official"))["By hand"]
    assert (shown["values"]["cvs_acc"], shown["team"]) == (0.5, "T")
    assert shown["verified_on"] == "2026-04-15"
    assert (await site.done("/entries", board="official", entry=a_row(**strict, team="T")))[
        "kind"
    ] == "unchanged"
    (line,) = await site.audit(action="add")
    assert line["after"]["strict"]["cvs_acc"] == 0.25


BAD_ROWS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"cvs_acc": 1.5}, "$.entry.cvs_acc"),
    ({"vs_llm": "4"}, "$.entry.vs_llm"),
    ({"model_name": "a\u202eb"}, "$.entry.model_name"),
    ({"organization": ""}, "$.entry.organization"),
    ({"model_url": "javascript:alert(1)"}, "$.entry.model_url"),
    ({"date": "15.04.2026"}, "$.entry.date"),
    ({"cvs_accc": 0.5}, "$.entry.cvs_accc"),
    ({"badges": ["stub judge"]}, "$.entry.badges"),
    ({"strict": {"cvs_acc": -1}}, "$.entry.strict.cvs_acc"),
    ({"verification_note": "a\0b"}, "$.entry.verification_note"),
)


async def test_a_row_with_a_problem_is_refused_with_its_place(local: Site) -> None:
    for changes, path in BAD_ROWS:
        body = {"why": WHY, "board": "official", "entry": a_row(**changes)}
        status, answer = await local.ask("POST", "/admin/entries", body)
        assert (status, answer["code"]) == (422, "invalid_body"), changes
        assert [problem["path"] for problem in answer["errors"]] == [path]
    assert await local.database.pool.fetchval("SELECT count(*) FROM entries") == 0


async def fill(site: Site) -> None:
    """Two boards with everything that a row can hold."""
    hostile = a_row("=1+1", organization="'quoted", team="@team", authors='-A; B, "C"', track="+t")
    await site.done("/entries", board="community", entry=hostile | {"cvs_acc": None})
    full = a_row("Official one", badges=["x", "y z"], verified_on="2026-06-01",
                 verification_note="=cmd()", strict=dict.fromkeys(RULE_METRIC_KEYS, 1 / 3),
                 nap_acc=0.1 + 0.2)  # fmt: skip
    await site.done("/entries", board="official", entry=full)
    await add_listed_entry(site.database, "Unlike the others", {"cvs_acc": 1e-7})


@pytest.mark.parametrize("form", [pytest.param("json", marks=deep), "csv"])
async def test_an_export_imported_again_is_the_same(local: Site, form: str) -> None:
    await fill(local)
    _, exported = await local.ask("GET", f"/admin/boards/export?format={form}")
    if form == "csv":
        cells = [cell for line in exported.splitlines()[1:] for cell in line.split(",")]
        assert not [cell for cell in cells if cell.strip('"')[:1] in tuple("=+-@\t")]
    content = {"csv": exported} if form == "csv" else {"boards": exported}

    same = await local.done("/boards/import", **content, existing="update")
    assert same["counts"] == {"added": 0, "changed": 0, "unchanged": 3, "kept": 0}

    for entry in (await local.ask("GET", "/admin/entries"))[1]["entries"]:
        await local.done(f"/entries/{entry['id']}/remove")
    lines = len(await local.audit())
    dry = await local.done("/boards/import", **content, dry_run=True)
    assert dry["counts"]["added"] == 3
    assert not await local.board("community")
    assert len(await local.audit()) == lines
    await local.done("/boards/import", **content)
    assert (await local.ask("GET", f"/admin/boards/export?format={form}"))[1] == exported
    assert set(await local.board("community")) == {"=1+1", "Unlike the others"}


async def test_a_dry_run_shows_what_would_change(local: Site) -> None:
    await local.done("/entries", board="official", entry=a_row())
    changed = {"official": [a_row(team="New team", cvs_acc=0.75), a_row("Second")]}
    kept = await local.done("/boards/import", boards=changed, dry_run=True)
    assert [row["kind"] for row in kept["rows"]] == ["kept", "added"]
    told = await local.done("/boards/import", boards=changed, dry_run=True, existing="update")
    assert told["rows"][0]["fields"] == {
        "team": {"before": None, "after": "New team"},
        "cvs_acc": {"before": 0.5, "after": 0.75},
    }
    await local.done("/boards/import", boards=changed, existing="update")
    board = await local.board("official")
    assert (board["By hand"]["values"]["cvs_acc"], board["By hand"]["team"]) == (0.75, "New team")
    (line, _) = await local.audit()
    assert line["before"]["changed"] == {"By hand": {"team": None, "cvs_acc": 0.5}}


async def test_the_scores_of_a_submission_are_not_imported_over(local: Site) -> None:
    stored = await accept_submission(local.database, "Scored")
    await local.database.pool.execute("UPDATE entries SET listed = true")
    await local.database.pool.execute(
        "INSERT INTO scores (entry_id, metric, compat) VALUES ($1, 'cvs_acc', 0.5)", stored.entry_id
    )
    _, exported = await local.ask("GET", "/admin/boards/export?board=community")
    exported["community"][0] |= {"cvs_acc": 0.9, "team": "Better"}
    body = {"why": WHY, "boards": exported, "existing": "update"}
    status, answer = await local.ask("POST", "/admin/boards/import", body)
    assert status == 422
    assert [problem["path"] for problem in answer["errors"]] == ["$.community[0].cvs_acc"]
    exported["community"][0]["cvs_acc"] = 0.5
    assert (await local.done("/boards/import", boards=exported, existing="update"))["counts"][
        "changed"
    ] == 1


NO_BOARDS: tuple[dict[str, Any], ...] = (
    {}, {"boards": {}}, {"boards": {"private": []}}, {"boards": {"official": 3}},
     {"boards": {"official": [1]}}, {"csv": "x"}, {"csv": "board,board\na,b"},
     {"csv": 'board,model_name\nofficial,"unclosed'}, {"csv": "board,model_name\nofficial"},
     {"boards": {"official": []}, "csv": "board"},
     {"boards": {"official": [a_row("A"), a_row("a")]}},
)  # fmt: skip


async def test_what_is_no_board_is_refused_whole(local: Site) -> None:
    for content in NO_BOARDS:
        found = await local.refused("/boards/import", **content)
        assert found == (422, "invalid_body"), content


async def test_every_address_asks_who_it_is_and_why(local: Site) -> None:
    entry = await add_listed_entry(local.database, "Model A", VALUES)
    endpoints = [*entries_api.router.declared, *operations_api.router.declared]
    assert len(endpoints) >= 20
    for endpoint in endpoints:
        assert endpoint.path.startswith("/admin/")
        address = endpoint.path.replace("{id}", str(entry))
        for key, expected in ((None, 401), ("mvb_wrong", 401), ("mvk_wrong", 401)):
            status, _ = await local.ask(endpoint.method, address, {"why": WHY}, key=key)
            assert status == expected, (endpoint.method, address, key)
    for why in (None, "", " \n", "x" * 1001, "a\0b"):
        body = {} if why is None else {"why": why}
        status, answer = await local.ask("POST", f"/admin/entries/{entry}/remove", body)
        assert (status, answer["code"]) in ((422, "reason_required"), (422, "invalid_body"))
    assert await local.database.pool.fetchval("SELECT removed_at FROM entries") is None


async def test_without_a_key_administration_is_off_and_says_so(database: Database) -> None:
    async with running_site(database, admin_key=None) as site:
        status, answer = await site.ask("GET", "/admin/audit", key=KEY)
        assert (status, answer["code"]) == (403, "administration_off")
        assert "MEDVID_ADMIN_KEY" in answer["fix"]


async def test_an_unknown_entry_is_not_found(local: Site) -> None:
    for path in (f"/entries/{uuid4()}/remove", "/entries/17/remove"):
        assert await local.refused(path) == (404, "entry_not_found")


async def test_entries_are_listed_page_by_page(local: Site) -> None:
    for name in ("c", "A", "b"):
        await add_listed_entry(local.database, name, VALUES)
    names: list[str] = []
    cursor = ""
    while True:
        status, page = await local.ask("GET", f"/admin/entries?limit=1{cursor}")
        assert status == 200
        names += [entry["model_name"] for entry in page["entries"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert names == ["A", "b", "c"]
    status, page = await local.ask("GET", "/admin/entries?model_name=B")
    assert [entry["model_name"] for entry in page["entries"]] == ["b"]
    assert orjson.dumps(page)
