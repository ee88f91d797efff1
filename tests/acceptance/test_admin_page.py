"""The administrators' pages: every section, and what their forms do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import orjson
import pytest
from prometheus_client import REGISTRY

from medvid.benchmark.tasks import METRIC_KEYS
from services.gateway.submissions.lifecycle import Lifecycle
from shared.storage.database import Database
from tests.acceptance.admin_browser import HOSTILE, TOKEN, Browser, signed_in
from tests.acceptance.administration_harness import WHY, Site, running_site
from tests.depth import deep
from tests.rows import accept_submission, add_listed_entry

VALUES = dict.fromkeys(METRIC_KEYS, 0.5)


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    async with running_site(database) as site:
        yield site


async def test_an_endpoint_of_the_pool_is_drained_by_a_form(site: Site) -> None:
    browser = await signed_in(site)
    assert "pool" not in (await browser.get("/admin"))[1]
    await site.database.pool.execute(
        "INSERT INTO judge_pool_endpoints (name, judge_version) VALUES ('us-east', 'abc123')"
    )
    _, text = await browser.do("/admin", "drain", name="us-east")
    assert "Changed." in text
    assert re.search(r"<td>drained</td>", text)
    _, text = await browser.do("/admin", "restore", name="us-east")
    assert re.search(r"<td>serving</td>", text)
    _, text = await browser.do("/admin", "drain", name="none")
    assert "an endpoint of this name" in text


async def test_costs_are_shown_and_downloaded_by_administrators_alone(site: Site) -> None:
    await site.database.pool.execute(
        "INSERT INTO judge_costs VALUES ($1, 'abc123', 'us-east', '2026-04-15', 1500001)", uuid4()
    )
    browser = await signed_in(site)
    query = "by=day&since=&until=2026-04-15"
    status, text = await browser.get(f"/admin/costs?{query}")
    assert (status, text.count("1.500001")) == (200, 2)
    _, text = await browser.get(f"/admin/costs.csv?{query}")
    assert text.splitlines()[1] == "2026-04-15,,1.500001,,1,2026-04-15,2026-04-15"
    assert (await browser.get("/admin/costs?since=yesterday"))[0] == 400
    _, text = await Browser(site).get("/admin/costs.csv")
    assert "1.5" not in text


SECTIONS = ("", "/submissions", "/entries", "/boards", "/rescores", "/ground-truths",
            "/dead-letters", "/keys", "/audit", "/notes")  # fmt: skip


async def test_every_page_asks_who_it_is_and_none_trusts_a_text(site: Site) -> None:
    stored = await accept_submission(site.database, f"A {HOSTILE}")
    await site.database.pool.execute(
        "UPDATE entries SET listed = true, organization = $1, team = $1", HOSTILE
    )
    await site.database.pool.execute("UPDATE submissions SET contact = $1", HOSTILE)
    await site.database.pool.execute(
        "INSERT INTO dead_letters (queue, message_id, type, reason, detail, attempts, body)"
        " VALUES ($1, $2, $1, $1, $1, 1, 'x')",
        HOSTILE, uuid4(),
    )  # fmt: skip
    await site.done("/rescores", why=HOSTILE)
    body = {"label": HOSTILE, "owner": HOSTILE, "scopes": ["submit"], "why": HOSTILE}
    assert (await site.ask("POST", "/keys", body))[0] == 201
    await site.done(f"/entries/{stored.entry_id}/notes", why=HOSTILE, text=HOSTILE)
    job = await site.database.pool.fetchval("SELECT id FROM rescore_jobs")
    paths = [f"/admin{each}" for each in SECTIONS]
    paths += [f"/admin/entries/{stored.entry_id}", f"/admin/rescores/{job}"]
    stranger, browser = Browser(site), await signed_in(site)
    for path in [*paths, "/admin/boards/export"]:
        status, text = await stranger.get(path)
        assert "Sign in to administer" in text, path
        assert "alert(1)" not in text
    shown = 0
    for path in paths:
        status, text = await browser.get(path)
        assert status == 200, (path, text)
        assert "<script>alert" not in text
        shown += "alert(1)" in text
        assert len(re.findall(r"<h1\b", text)) == 1
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), path
        for target in re.findall(r'(?:for|aria-labelledby|aria-describedby)="([^"]+)"', text):
            assert target in ids, (path, target)
        forms = text.count('method="post"')
        assert forms == len(TOKEN.findall(text)), "every form has its token"
    assert shown >= 7, "the hostile text is on the pages, escaped"
    assert (await browser.get("/admin/boards/export?format=csv"))[0] == 200
    assert (await browser.get("/admin/rescores/17"))[0] == 404


WAS = '{"frames": "8", "prompt": "a\\nb"}'


async def test_the_forms_do_what_they_say_without_a_script(site: Site) -> None:
    browser = await signed_in(site)
    row = dict.fromkeys(METRIC_KEYS[:3], "0.5")
    status, text = await browser.do(
        "/admin/entries", "add", board="official", model_name="By hand", organization="Lab",
        date="2026-04-15", **row,
    )  # fmt: skip
    assert (status, "By hand is on the official board" in text) == (200, True)
    entry = await site.database.pool.fetchval("SELECT id FROM entries")
    path = f"/admin/entries/{entry}"
    for action, fields, told in (
        ("demote", {}, "on the community board"),
        ("promote", {"verified_on": "2026-05-01", "note": "ran it"}, "is official"),
        ("rename", {"model_name": "Renamed"}, "It is named Renamed"),
        ("edit", {"organization": "Other", "team": ""}, "Changed."),
        ("facts", {"parameters": "7e9", "trained_on": "none", "frames": "8"}, "Changed."),
        # A form that was loaded before: only what it changes is changed, also to unknown.
        ("facts", {"licence": "MIT", "frames": "", "prompt": "a\r\nb", "was": WAS}, "Changed."),
        ("remove", {}, "its name is free"),
        ("restore", {}, "official board again"),
    ):
        status, text = await browser.do(path, action, **fields)
        assert (status, told in text) == (200, True), (action, text)
    shown = (await site.board("official"))["Renamed"]
    assert (shown["organization"], shown["verified_on"]) == ("Other", "2026-05-01")
    assert (shown["facts"]["parameters"], shown["facts"]["trained_on"]) == (7_000_000_000, [])
    assert (shown["facts"]["licence"], shown["facts"]["frames"]) == ("MIT", None)
    stored = await site.database.pool.fetchval("SELECT facts::text FROM entries")
    assert "prompt" not in orjson.loads(stored)  # its line ends alone differ from what was shown

    status, text = await browser.do("/admin/boards", "rank", board="community", ranking="dense")
    assert (status, "The community board&#39;s ranking is dense." in text) == (200, True)
    assert "Community board: dense." in text

    assert "Judging is paused." in (await browser.do("/admin", "pause"))[1]
    assert "Judging continues." in (await browser.do("/admin", "resume"))[1]
    status, text = await browser.do(
        "/admin/keys", "make", label="CI", owner="Lab", scopes="submit", submissions_per_day="3"
    )
    key = re.search(r"mvk_[\w-]+", text)
    assert key, text
    assert (await site.ask("GET", "/keys/me", key=key[0]))[0] == 200
    assert key[0] not in (await browser.get("/admin/keys"))[1], "shown once"
    lines = await site.audit()
    assert lines[-1]["action"] == "sign_in"
    assert all(line["who"] == "administrator" for line in lines)


async def test_a_submission_is_withdrawn_from_its_entrys_page(site: Site) -> None:
    browser, stored = await signed_in(site), await accept_submission(site.database, "A")
    path = f"/admin/entries/{stored.entry_id}"
    submission = re.search(r'name="submission" value="([^"]+)"', (await browser.get(path))[1])
    assert submission is not None
    assert submission[1] == str(stored.submission_id)
    status, text = await browser.do(path, "withdraw", submission=submission[1])
    assert (status, "The submission is withdrawn." in text) == (200, True), text
    (line,) = [each for each in await site.audit() if each["action"] == "withdraw_submission"]
    assert (line["who"], line["why"]) == ("administrator", WHY)
    assert 'value="withdraw"' not in (await browser.get(path))[1], "once is enough"


async def test_a_board_file_is_checked_and_then_imported(site: Site) -> None:
    browser = await signed_in(site)
    row = {"model_name": "From a file", "organization": "Lab", "date": "2026-04-15"}

    async def send(action: str, **fields: str) -> str:
        sent = {"csrf": await browser.token(), "action": action, "why": WHY, **fields}
        form = aiohttp.FormData(sent)
        content = orjson.dumps({"official": [row]})
        form.add_field("file", content, filename="boards.json")
        status, text = await browser.send("POST", "/admin/boards", form)
        assert status == 200, text
        return text

    assert "Would be: 1 added" in await send("check")
    assert await site.board("official") == {}
    assert "Rows: 1 added" in await send("import")
    row["organization"] = "Another lab"
    assert "0 changed" in await send("import")
    text = await send("import", update="yes")
    assert "1 changed" in text
    assert "From a file: changed, organization Lab → Another lab" in text


async def test_what_a_signed_in_key_does_has_its_name(site: Site) -> None:
    made = {"label": "Ops", "owner": "Lab", "scopes": ["admin"], "why": WHY}
    _, key = await site.ask("POST", "/keys", made)
    browser = Browser(site)
    assert await browser.sign_in(key["key"]) == 303
    _, text = await browser.do("/admin/keys", "make", label="CI", owner="Lab", scopes="submit")
    assert "The key, shown once" in text
    other = await site.database.pool.fetchval("SELECT id FROM api_keys WHERE label = 'CI'")
    for action, fields, told in (
        ("quotas", {"submissions_per_day": "7"}, "Its quotas are set."),
        ("revoke", {}, "The key is revoked."),
    ):
        status, text = await browser.do("/admin/keys", action, key=str(other), **fields)
        assert (status, told in text) == (200, True), text
    row = await site.database.pool.fetchrow("SELECT * FROM api_keys WHERE id = $1", other)
    assert row is not None
    assert (row["submissions_per_day"], row["revoked_at"] is None) == (7, False)
    assert row["created_by"] == f"key:{key['id']}"
    done = [line["who"] for line in await site.audit() if line["subject"] == str(other)]
    assert done == [f"key:{key['id']}"] * 3


async def test_a_key_is_changed_from_its_row(site: Site) -> None:
    browser = await signed_in(site)
    _, text = await browser.do("/admin/keys", "make", label="CI", owner="Lab", scopes="submit")
    link = re.search(r'href="(\?key=[^"#]+)', text)
    assert link, text
    assert 'value="revoke"' not in text, "of which key?"
    path = f"/admin/keys{link[1]}"
    _, text = await browser.get(path)
    hidden = re.search(r'type="hidden" name="key" value="([^"]+)"', text)
    assert hidden, text
    _, text = await browser.do(path, "quotas", key=hidden[1], submissions_per_day="7")
    assert "Its quotas are set." in text
    assert re.search(r'name="submissions_per_day" type="number" value="7"', text), "as it is now"
    _, text = await browser.do(path, "revoke", key=hidden[1])
    assert "The key is revoked." in text
    assert "?key=" not in text, "once is enough"


async def test_lists_say_what_they_show_and_what_may_be_asked(site: Site) -> None:
    await add_listed_entry(site.database, "A model", VALUES)
    browser = await signed_in(site)
    _, text = await browser.get("/admin/entries?board=&model_name=")
    assert "A model" in text
    assert '<option value="">both boards</option>' in text
    assert "selected" not in text
    _, text = await browser.get("/admin/entries?board=official&model_name=")
    assert ("A model" in text, "<option selected>official</option>" in text) == (False, True)
    _, text = await browser.get("/admin/audit?who=&action=sign_in&subject_kind=&subject=")
    assert "<option selected>sign_in</option>" in text
    assert "<option>administrator</option>" in text


async def test_the_overview_counts_what_happened_in_a_day(site: Site) -> None:
    await accept_submission(site.database, "Today")
    older = await accept_submission(site.database, "Yesterday")
    await site.database.pool.execute(
        "UPDATE submission_history SET at = at - interval '30 hours' WHERE submission_id = $1",
        older.submission_id,
    )
    _, text = await (await signed_in(site)).get("/admin")
    row = r'submissions accepted</th><td class="num">1</td><td class="num">1</td>'
    assert re.search(row, text), text


PROBLEMS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("/admin/boards", "rank", {"board": "official", "ranking": "olympic"}, "invalid_body"),
    ("/admin/entries", "add", {"board": "official", "model_name": "x"}, "invalid_body"),
    ("/admin/entries", "add", {"board": "private"}, "invalid_body"),
    ("/admin/entries", "", {}, "invalid_input"),
    ("/admin", "pause", {"why": " "}, "reason_required"),
    ("/admin/rescores", "start", {}, "ground_truth_not_found"),
    ("/admin/dead-letters", "replay", {}, "invalid_body"),
    ("/admin/ground-truths", "reload", {"file": "x"}, "no_ground_truth_folder"),
    ("/admin/keys", "revoke", {"key": "17"}, "key_not_found"),
    ("/admin/boards", "import", {"file": b"{}"}, "invalid_body"),
)


async def test_what_does_not_work_is_shown_on_the_page(site: Site) -> None:
    browser = await signed_in(site)
    token = await browser.token()
    for path, action, fields, code in PROBLEMS:
        form = aiohttp.FormData({"csrf": token, "action": action, "why": WHY} | {
            name: value for name, value in fields.items() if isinstance(value, str)
        })  # fmt: skip
        if isinstance(fields.get("file"), bytes):
            form.add_field("file", fields["file"], filename="boards.json")
        status, text = await browser.send("POST", path, form)
        assert 400 <= status < 500, path
        assert 'role="alert"' in text
        assert f"code {code}" in text, text
    assert await site.database.pool.fetchval("SELECT count(*) FROM entries") == 0


@deep
async def test_accounts_that_may_search_the_test_set_are_shown(site: Site) -> None:
    browser = await signed_in(site)
    _, text = await browser.get("/admin")
    assert "may search the test set" not in text
    report = '{"samples": 100, "tasks": [{"parsed": 20}, {"parsed": 29}]}'
    await uses(site, "address:<b>", 10, report=report)
    await uses(site, "key:withdraws", 10, state="withdrawn", withdrawn_by="owner")
    await uses(site, "key:tries", 9, report=report)
    await uses(site, "key:both", 5, report=report)
    await uses(site, "key:both", 5, state="replaced")
    await uses(site, "key:evaluates", 100)
    padded = """{"samples": 100, "tasks": [{"unit": "texts", "samples": 60, "parsed": 60},
                                           {"unit": "boxes", "samples": 40, "parsed": 1}]}"""
    await uses(site, "key:pads", 10, report=padded)
    await uses(site, "key:honest", 20)
    _, text = await browser.get("/admin")
    assert "may search the test set" in text
    assert "address:&lt;b&gt;" in text
    assert "key:withdraws" in text
    assert "key:both" in text
    assert "key:evaluates" in text
    assert "key:pads" in text, "any letter is a text"
    assert "key:tries" not in text
    assert "key:honest" not in text
    await Lifecycle(site.database).count_searching()
    assert REGISTRY.get_sample_value("medvid_accounts_searching") == 5


async def uses(site: Site, account: str, number: int, **changes: str) -> None:
    """Store so many submissions of an account, 60 of 100 samples being read in each."""
    row = {"state": "accepted", "withdrawn_by": None,
           "report": '{"samples": 100, "tasks": [{"parsed": 60}]}'} | changes  # fmt: skip
    steps = ("scored", "ranked", "replaced") if row["state"] == "replaced" else (row["state"],)
    for place in range(number):
        stored = await accept_submission(site.database, f"{account} {row['state']} {place}")
        for state in steps:
            await site.database.pool.execute(
                "UPDATE submissions SET state = $2, report = $3::text::jsonb, withdrawn_by = $4"
                " WHERE id = $1",
                stored.submission_id, state, row["report"], row["withdrawn_by"],
            )  # fmt: skip
        await site.database.pool.execute(
            "INSERT INTO quota_uses (account, kind, submission_id) VALUES ($1, 'submission', $2)",
            account, stored.submission_id,
        )  # fmt: skip
