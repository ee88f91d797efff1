"""Facts of models, over HTTP: stated, changed with a history, shown, filtered by."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import orjson
import pytest

from services.gateway.accounts import credentials
from services.gateway.submissions.facts import CHANGES_A_DAY
from shared.storage.database import Database
from tests.acceptance.administration_harness import Site, running_site
from tests.acceptance.gateway_harness import Gateway, owner, records, row, running_gateway, send
from tests.acceptance.test_dry_run_api import validate
from tests.acceptance.test_lifecycle_api import (
    FILE,
    ROOT,
    board,
    ranked,
    ranked_gateway,
    reaches,
    withdraw,
)
from tests.depth import deep
from tests.ranking import score
from tests.rows import accept_submission

TOKEN = "mvb_" + "t" * 43
BOARD = "/api/v1/leaderboards/community"
BADGE = "trained on test videos"


@pytest.fixture(params=["local", pytest.param("rabbit", marks=deep)])
async def site(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Site]:
    url = request.getfixturevalue("rabbit_url") if request.param == "rabbit" else None
    async with running_site(database, url) as site:
        yield site


async def test_owners_and_administrators_state_facts_and_everybody_sees_who_changed_what(
    site: Site,
) -> None:
    submission = await accept_submission(site.database, "Model A")
    await site.database.pool.execute(
        "UPDATE submissions SET owner_token_sha256 = $1", credentials.sha256(TOKEN)
    )
    entry = await score(site.database, str(submission.submission_id), {"cvs_acc": 0.5})
    before = await site.board("community")
    assert before["Model A"]["facts"] is None

    path = f"/submissions/{submission.submission_id}/facts"
    stated = {"parameters": 7e9, "open_weights": True, "prompt": "Watch.\n{question}"}
    status, answer = await site.ask("PATCH", path, stated, key=TOKEN)
    assert (status, answer["changed"]) == (200, True)
    assert answer["facts"]["open_weights"] is True
    assert not (await site.ask("PATCH", path, stated, key=TOKEN))[1]["changed"]
    shown = (await site.board("community"))["Model A"]
    assert shown["facts"]["parameters"] == 7_000_000_000
    assert shown["facts"]["licence"] is None
    assert "prompt" not in shown["facts"]  # the entry has it: boards stay small
    assert (shown["rank"], shown["badges"]) == (before["Model A"]["rank"], [])

    done = await site.done(
        f"/entries/{entry}/facts", facts={"uses_test_videos": True, "prompt": None}
    )
    assert done["entry"]["facts"]["uses_test_videos"] is True
    assert (await site.board("community"))["Model A"]["badges"] == [BADGE]
    _, details = await site.ask("GET", f"/leaderboards/community/entries/{entry}", key=None)
    assert details["badges"] == [BADGE]
    assert details["facts"]["prompt"] is None
    newest, first = details["fact_changes"]
    assert (newest["by"], first["by"]) == ("administrator", "owner")
    assert newest["before"] == {"uses_test_videos": None, "prompt": stated["prompt"]}
    assert newest["after"] == {"uses_test_videos": True, "prompt": None}
    assert first["before"] == dict.fromkeys(stated)
    (line,) = await site.audit(subject_kind="entry", subject=str(entry))
    assert (line["action"], line["after"]["uses_test_videos"]) == ("facts", True)

    # The board of before shows what was stated then.
    _, past = await site.ask("GET", f"/snapshots/{1}", key=None)
    assert past["entries"][0]["facts"] is None
    await site.done(f"/entries/{entry}/remove")
    await site.done(f"/entries/{entry}/erase")
    assert await site.database.pool.fetchval("SELECT count(*) FROM fact_changes") == 0
    assert await site.database.pool.fetchval("SELECT facts::text FROM entries") == "{}"


async def test_boards_carry_facts_out_and_in_and_what_a_file_does_not_say_stays(
    database: Database,
) -> None:
    async with running_site(database) as site:
        rows = [
            {"model_name": "A", "organization": "Lab", "date": "2026-04-15", "cvs_acc": 0.5,
             "facts": {"parameters": 7e9, "trained_on": [], "prompt": "one\ntwo"}},
            {"model_name": "B", "organization": "Lab", "date": "2026-04-15", "cvs_acc": 0.4},
        ]  # fmt: skip
        await site.done("/boards/import", boards={"official": rows})
        assert (await site.board("official"))["A"]["facts"]["trained_on"] == []
        _, exported = await site.ask("GET", "/admin/boards/export?board=official")
        _, table = await site.ask("GET", "/admin/boards/export?board=official&format=csv")
        for again in ({"boards": exported}, {"csv": table}):
            same = await site.done("/boards/import", existing="update", **again)
            assert same["counts"] == {"added": 0, "changed": 0, "unchanged": 2, "kept": 0}, same
        silent = [{**rows[0], "cvs_acc": 0.6}]
        del silent[0]["facts"]
        await site.done("/boards/import", existing="update", boards={"official": silent})
        assert (await site.board("official"))["A"]["facts"]["parameters"] == 7_000_000_000
        named = [{**rows[0], "facts": {"licence": "MIT"}}]
        found = await site.done("/boards/import", existing="update", boards={"official": named})
        (changed,) = [each for each in found["rows"] if each["kind"] == "changed"]
        assert changed["fields"]["facts.parameters"] == {"before": 7_000_000_000, "after": None}
        wrong = [{**rows[0], "facts": {"parameters": -1, "size": 7}}]
        _, refused = await site.ask(
            "POST", "/admin/boards/import", {"why": "a test", "boards": {"official": wrong}}
        )
        assert {each["path"] for each in refused["errors"]} == {
            "$.official[0].facts.parameters", "$.official[0].facts.size",
        }  # fmt: skip


async def test_a_form_states_facts_and_a_new_version_keeps_them(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        form = {"parameters": "7e9", "open_weights": "yes", "trained_on": "AVOS;CoPESD",
                "uses_test_videos": "yes"}  # fmt: skip
        first = await ranked(gateway, "Model", 0.4, **form, licence="", access="local")
        status = await gateway.status(first["id"], first["owner_token"])
        assert status["facts"]["parameters"] == 7_000_000_000
        assert status["facts"]["licence"] is None
        assert "facts" not in await gateway.status(first["id"])
        newer = {
            "replaces": first["id"],
            "parameters": "8e9",
            "access": "",
            "uses_test_videos": "no",
        }
        code, second = await gateway.submit(FILE, headers=owner(first), model_name="", **newer)
        assert code == 202, second
        # While it waits it follows what the version before says, but not where it says otherwise.
        path = f"/submissions/{first['id']}/facts"
        changed = {"licence": "MIT", "parameters": 9e9}
        assert (await send(gateway, "PATCH", path, changed, **owner(first)))[0] == 200
        await score(database, second["id"], {"cvs_acc": 0.6})
        await reaches(gateway, second, "ranked")
        facts = (await board(gateway, "Model"))["entries"][0]["facts"]
        assert (facts["parameters"], facts["access"]) == (8_000_000_000, "local")
        assert facts["trained_on"] == ["AVOS", "CoPESD"]
        assert (facts["licence"], facts["uses_test_videos"]) == ("MIT", False)
        # The badge of test videos did not go in silence: the history is that of all versions.
        entry = (await board(gateway, "Model"))["entries"][0]["entry_id"]
        _, _, body = await gateway.get(f"{BOARD}/entries/{entry}")
        changes = [each["after"] for each in orjson.loads(body)["fact_changes"]]
        assert changes[0] == {"parameters": 9e9, "licence": "MIT"}
        assert changes[1] == {"parameters": 8e9, "uses_test_videos": False}
        assert changes[2]["uses_test_videos"] is True
        assert len(changes) == 3

        wrong = {
            "active_parameters": "9e9",
            "parameters": "7e9",
            "trained_on": "AVOS,x",
            "frames": "a",
        }
        code, refused = await gateway.submit(FILE, **wrong)
        assert (code, refused["code"]) == (422, "invalid_submission")
        found = {each["path"]: each["location"] for each in refused["errors"]}
        assert found == {
            "$.active_parameters": "form", "$.trained_on[1]": "form", "$.frames": "form",
        }  # fmt: skip
        _, checked = await validate(gateway, orjson.dumps(records()), **wrong)
        assert {each["path"] for each in checked["errors"]} == set(found)


async def test_who_may_not_change_facts_or_not_so_is_refused(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        receipt = await ranked(gateway, "Model", 0.4, parameters="7e9")
        other = await ranked(gateway, "Other", 0.3)
        path = f"/submissions/{receipt['id']}/facts"

        async def change(body: object, **headers: str) -> tuple[int, str]:
            status, answer = await send(gateway, "PATCH", path, body, **headers)
            return status, answer.get("code", "")

        own = owner(receipt)
        assert await change({}) == (401, "token_required")
        assert await change({"licence": "MIT"}, **owner(other)) == (401, "invalid_token")
        assert await change({"licence": "MIT"}, **ROOT) == (422, "reason_required")
        for wrong in ({"size": 1}, {"open_weights": "yes"}, {"active_parameters": 8e9}, []):
            assert await change(wrong, **own) == (422, "invalid_body"), wrong
        for number in range(1, CHANGES_A_DAY):  # the first was with the submission
            assert await change({"frames": number}, **own) == (200, ""), number
        assert await change({"frames": 1_000}, **own) == (429, "facts_quota")
        assert await change({"frames": CHANGES_A_DAY - 1}, **own) == (200, "")  # changes nothing
        assert await withdraw(gateway, receipt) == (204, None)
        assert await change({"licence": "MIT"}, **own) == (409, "entry_removed")


async def test_what_an_administrator_set_is_held_until_it_is_released(database: Database) -> None:
    """Its owner cannot change it, nor by a new version; may say the same; the rest stays free."""
    async with running_site(database) as site:
        submission = (await accept_submission(database, "Model A")).submission_id
        await database.pool.execute(
            "UPDATE submissions SET owner_token_sha256 = $1", credentials.sha256(TOKEN)
        )
        entry = await score(database, str(submission), {"cvs_acc": 0.5})
        path = f"/submissions/{submission}/facts"

        async def change(**facts: object) -> tuple[int, dict[str, Any]]:
            return await site.ask("PATCH", path, facts, key=TOKEN)

        assert (await change(parameters=7e9, licence="MIT"))[0] == 200
        held = {"licence": "Apache-2.0", "base_model": None}
        await site.done(f"/entries/{entry}/facts", facts=held)  # nobody stated a base model
        done = await site.done(f"/entries/{entry}/facts", facts={"uses_test_videos": True})
        assert done["entry"]["facts_held"] == ["licence", "uses_test_videos"]
        for wrong in ({"licence": "MIT"}, {"uses_test_videos": None, "frames": 8}):
            status, refused = await change(**wrong)
            assert (status, refused["code"]) == (409, "fact_held"), wrong
            assert "ask the maintainers to release them" in refused["fix"]
        assert "Trained on test videos." in refused["detail"]
        assert "Licence" not in refused["detail"]
        status, answer = await change(licence="Apache-2.0", frames=8, base_model="Qwen")
        assert (status, answer["changed"]) == (200, True)
        _, status_of = await site.ask("GET", f"/submissions/{submission}", key=TOKEN)
        _, shown = await site.ask("GET", f"/leaderboards/community/entries/{entry}", key=None)
        assert status_of["facts_held"] == shown["facts_held"] == ["licence", "uses_test_videos"]
        assert [each["by"] for each in shown["fact_changes"]] == [
            "owner", "administrator", "administrator", "owner",
        ]  # fmt: skip

        # One is released as it is, another one corrected and left to the owner.
        await site.done(f"/entries/{entry}/facts", facts={}, release=["licence"])
        done = await site.done(f"/entries/{entry}/facts", facts={"frames": 16}, release=["frames"])
        assert done["entry"]["facts_held"] == ["uses_test_videos"]
        assert (await change(licence="MIT", frames=32))[0] == 200
        assert (await change(uses_test_videos=False))[1]["code"] == "fact_held"
        status, refused = await site.ask(
            "POST", f"/admin/entries/{entry}/facts", {"why": "a", "facts": {}, "release": ["size"]}
        )
        assert (status, refused["code"]) == (422, "invalid_body")
        lines = await site.audit(subject_kind="entry", subject=str(entry))
        changes = [line["after"].get("facts_held") for line in lines]
        assert changes.count(["uses_test_videos"]) == 1, "releasing is in the audit log, too"


async def test_a_new_version_keeps_what_is_held(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        first = await ranked(gateway, "Model", 0.4, parameters="7e9")
        await database.pool.execute("UPDATE entries SET facts_held = '{parameters}'")
        code, refused = await gateway.submit(
            FILE, headers=owner(first), model_name="", replaces=first["id"], parameters="8e9"
        )
        assert (code, refused["code"]) == (409, "fact_held")
        code, second = await gateway.submit(
            FILE, headers=owner(first), model_name="", replaces=first["id"], licence="MIT"
        )
        assert code == 202, second
        status = await gateway.status(second["id"], second["owner_token"])
        assert (status["facts"]["parameters"], status["facts_held"]) == (7 * 10**9, ["parameters"])
        page = await gateway.client.get(f"/submissions/{second['id']}", headers=owner(second))
        html = await page.text()
        assert "held: Parameters." in html
        assert re.search(r'name="parameters"[^>]* disabled', html)
        assert not re.search(r'name="licence"[^>]* disabled', html)


def stated(rank: int, **facts: Any) -> dict[str, Any]:
    return row(rank, facts=facts) if facts else row(rank)


async def read(gateway: Gateway, query: str) -> tuple[list[str], dict[str, Any]]:
    status, _, body = await gateway.get(f"{BOARD}?{query}")
    answer: dict[str, Any] = orjson.loads(body)
    assert status == 200, answer
    return [each["model_name"].removeprefix("Model ") for each in answer["entries"]], answer


async def test_filters_narrow_a_board_in_every_form(database: Database) -> None:
    async with running_gateway(database, load=False, board_poll_seconds=0.02) as gateway:
        rows = [
            stated(1, parameters=70 * 10**9, open_weights=False, access="api"),
            stated(2),
            stated(3, parameters=8 * 10**9, open_weights=True, licence="MIT", trained_on=["AVOS"]),
            stated(4, open_weights=True, released_on="2025-03-01", uses_test_videos=False),
            stated(5, parameters=10**9, open_weights=True, licence="mit", access="local"),
        ]
        first = await gateway.shown("community", await gateway.rank("community", rows, hint=True))
        for query, expected in {
            "open_weights=true&max_params=8e9": "35",
            "open_weights=true": "345",
            "open_weights=false": "1",
            "min_params=8e9": "13",
            "licence=MIT": "35",
            "access=api": "1",
            "trained_on_source=AVOS": "3",
            "uses_test_videos=true": "",
            "uses_test_videos=false": "4",
            "released_after=2025-03-01": "4",
        }.items():
            found, answer = await read(gateway, query)
            assert "".join(found) == expected, query
            assert [each["rank"] for each in answer["entries"]] == [*map(int, expected)]
            assert (answer["view"], answer["total"]) == (None, len(expected))
            assert {each["view_rank"] for each in answer["entries"]} <= {None}
        asked = "open_weights=true&max_params=8e9&rerank=true"
        found, answer = await read(gateway, asked)
        assert answer["view"]["by"] == "filters"
        assert answer["filters"] == {"open_weights": True, "max_params": 8e9}
        assert [(each["view_rank"], each["rank"]) for each in answer["entries"]] == [(1, 3), (2, 5)]

        # Its tag is its own, and stays while the board does; the past has its own facts.
        status, headers, _ = await gateway.get(f"{BOARD}?{asked}")
        again = await gateway.get(f"{BOARD}?{asked}", If_None_Match=headers["ETag"])
        assert (status, again[0]) == (200, 304)
        assert (await gateway.get(BOARD))[1]["ETag"] != headers["ETag"]
        page, one = await read(gateway, f"{asked}&limit=1")
        rows[4]["facts"]["open_weights"] = False
        await gateway.shown("community", await gateway.rank("community", rows, hint=True))
        assert (await read(gateway, asked))[0] == ["3"]
        _, _, body = await gateway.get(one["next"])
        assert page + [each["model_name"][-1] for each in orjson.loads(body)["entries"]] == found
        assert (await read(gateway, f"{asked}&as_of={first['snapshot']}"))[0] == found
        then = f"/api/v1/snapshots/{first['snapshot']}"
        for path in (then, f"{BOARD}?as_of={first['snapshot']}"):
            _, _, body = await gateway.get(f"{path}{'&' if '?' in path else '?'}{asked}")
            kept = orjson.loads(body)
            assert [each["model_name"][-1] for each in kept["entries"]] == found, path
            assert (kept["filters"], kept["view"]["by"]) == (answer["filters"], "filters"), path
        assert (await gateway.get(f"{then}?max_params=8B"))[0] == 400
        # Its page, too, goes by the facts of then, says so, and hands out what it shows.
        _, _, html = await gateway.get(f"/boards/community/snapshots/{first['snapshot']}?{asked}")
        assert html.count(b'<tr id="entry-') == 2
        assert b"stated when this board was ranked" in html
        shown = re.search(rb'<a href="([^"]*format=csv[^"]*)">CSV', html)
        assert shown is not None
        _, _, table = await gateway.get(unescape(shown[1].decode()))
        top, last = csv.DictReader(io.StringIO(table.decode()))
        assert (top["parameters"], top["open_weights"], top["trained_on"]) == (
            "8000000000", "true", "AVOS",
        )  # fmt: skip
        assert (last["view_rank"], last["rank"], last["trained_on"]) == ("2", "5", "")
        # The page shows the same models, without scripts.
        _, _, html = await gateway.get("/community?open_weights=true&access=")
        assert html.count(b'<tr id="entry-') == 2
        for wrong in ("max_params=8B", "open_weights=true&open_weights=false", "max_params=nan"):
            status, _, html = await gateway.get(f"/community?{wrong}")
            assert status == 400, wrong
            assert b"8B" in html or b"twice" in html or b"nan" in html
        for wrong in ("max_params=8B", "open_weight=true", "open_weights=maybe",
                      "rerank=true&weights=cvs_acc:2"):  # fmt: skip
            status, _, body = await gateway.get(f"{BOARD}?{wrong}")
            assert (status, orjson.loads(body)["code"]) == (400, "invalid_query"), wrong
        assert (await gateway.get("/community?max_params=8B", Accept="text/html"))[0] == 400
