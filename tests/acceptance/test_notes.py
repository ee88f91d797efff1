"""Objections, notes and errata over HTTP: who files, publishes and answers; who sees what when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from typer.testing import CliRunner

from medvid.api import AsyncClient
from medvid.cli.main import app
from services.gateway.objections.rules import OBJECTIONS_A_DAY
from shared.storage.database import Database
from tests.acceptance.admin_browser import Browser
from tests.acceptance.gateway_harness import Gateway, owner, send
from tests.acceptance.test_lifecycle_api import ADMIN, ROOT, board, ranked, ranked_gateway, withdraw
from tests.patience import HANG_SECONDS

BOARD = "/leaderboards/community"
TEXT = "The prompt holds answers: see https://example.org/proof"
WHY = {"why": "a test asked for it"}


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with ranked_gateway(database, board_poll_seconds=0.05) as gateway:
        yield gateway


async def key_of(gateway: Gateway, label: str) -> dict[str, str]:
    body = {"label": label, "owner": "a test", **WHY}
    status, made = await send(gateway, "POST", "/keys", body, **ROOT)
    assert status == 201, made
    return {"Authorization": f"Bearer {made['key']}"}


async def act(gateway: Gateway, path: str, **body: object) -> dict[str, Any]:
    status, answer = await send(gateway, "POST", f"/admin{path}", {**WHY, **body}, **ROOT)
    assert status == 200, answer
    return answer


async def entry_of(gateway: Gateway, receipt: dict[str, Any]) -> str:
    found = await gateway.status(receipt["id"], receipt["owner_token"])
    named: str = found["entry"]["id"]
    return named


async def public(gateway: Gateway, entry: str) -> list[tuple[str, bytes]]:
    """Everything public that could tell of an objection: entity tags and bytes."""
    paths = (
        f"/api/v1{BOARD}", f"/api/v1{BOARD}/entries/{entry}", "/api/v1/changes", "/changes",
        "/changes/feed.atom", f"/boards/community/entries/{entry}", "/community", "/feed.atom",
        f"/api/v1{BOARD}/withdrawn",
    )  # fmt: skip
    found = [await gateway.get(path) for path in paths]
    return [(headers.get("ETag", ""), body) for _, headers, body in found]


async def badges(gateway: Gateway, name: str, wanted: list[str]) -> dict[str, Any]:
    """Wait until the row of a model has these badges, and return it."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            _, found = await send(gateway, "GET", BOARD)
            (row,) = [each for each in found["entries"] if each["model_name"] == name]
            if row["badges"] == wanted:
                return row
            await asyncio.sleep(0.02)


async def test_an_objection_is_filed_published_answered_and_resolved(gateway: Gateway) -> None:
    receipt = await ranked(gateway, "Model", 0.5, webhook_url="https://example.org/hook")
    await board(gateway, "Model")
    entry = await entry_of(gateway, receipt)
    reader, other = await key_of(gateway, "reader"), await key_of(gateway, "other")
    path = f"{BOARD}/entries/{entry}/objections"
    before = await public(gateway, entry)

    assert (await send(gateway, "POST", path, {"text": TEXT}))[1]["code"] == "key_required"
    status, filed = await send(gateway, "POST", path, {"text": TEXT}, **reader)
    assert (status, filed["state"], filed["name"]) == (201, "open", None)
    one = f"/objections/{filed['id']}"
    again = await send(gateway, "POST", path, {"text": TEXT}, **reader)
    assert again[1]["id"] == filed["id"], "sent twice, filed once"
    status, refused = await send(gateway, "POST", path, {"text": "And more"}, **reader)
    assert (status, refused["code"]) == (409, "objection_open")

    # Until it is published, only its author and administrators know of it.
    assert await public(gateway, entry) == before
    hidden = "objection_not_found"
    for stranger, answering, withdrawing in (
        ({}, "token_required", "key_required"),
        (other, hidden, hidden),
        (owner(receipt), hidden, "key_required"),
    ):
        for method, where, body, code in (
            ("GET", one, None, hidden), ("POST", f"{one}/answer", {"text": "No."}, answering),
            ("POST", f"{one}/withdraw", None, withdrawing),
        ):  # fmt: skip
            _, refused = await send(gateway, method, where, body, **stranger)
            assert refused["code"] == code, (stranger, where)
    assert (await send(gateway, "GET", one, **reader))[1]["text"] == TEXT
    _, mine = await send(gateway, "GET", "/objections", **other)
    assert mine == {"objections": []}
    _, waiting = await send(gateway, "GET", "/admin/notes?state=open", **ROOT)
    assert [each["id"] for each in waiting["notes"]] == [filed["id"]]

    done = await act(gateway, f"/notes/{filed['id']}/publish")
    assert done["changed"]
    assert not (await act(gateway, f"/notes/{filed['id']}/publish"))["changed"]
    row = await badges(gateway, "Model", ["objection"])
    assert row["rank"] == 1, "a mark moves nothing"
    _, details = await send(gateway, "GET", f"{BOARD}/entries/{entry}")
    (shown,) = details["notes"]
    assert (shown["text"], shown["name"], shown["by"]) == (TEXT, None, "participant")
    assert details["badges"] == ["objection"]
    assert "account" not in shown
    assert filed["id"] not in str((await send(gateway, "GET", "/changes"))[1])
    told = await gateway.database.pool.fetch(
        "SELECT kind, data ->> 'objection_id' AS id FROM webhook_deliveries"
        " WHERE kind LIKE 'objection%'"
    )
    assert [tuple(each) for each in told] == [("objection.published", filed["id"])]

    answer = f"{one}/answer"
    assert (await send(gateway, "POST", answer, {"text": "No."}, **other))[0] == 403
    status, answered = await send(gateway, "POST", answer, {"text": "No."}, **owner(receipt))
    assert (status, answered["answer"]["text"]) == (200, "No.")
    _, twice = await send(gateway, "POST", answer, {"text": "Never."}, **owner(receipt))
    assert twice["code"] == "already_answered"
    await act(gateway, f"/notes/{filed['id']}/resolve", resolution="We looked: it holds none.")
    await badges(gateway, "Model", ["objection resolved"])
    _, _, page = await gateway.get(f"/boards/community/entries/{entry}")
    text = page.decode()
    assert '<a href="https://example.org/proof" rel="nofollow noopener ugc">' in text
    assert "We looked: it holds none." in text
    _, late = await send(gateway, "POST", f"{one}/withdraw", **reader)
    assert late["code"] == "objection_settled"
    lines = (await send(gateway, "GET", "/admin/audit?subject_kind=note", **ROOT))[1]["lines"]
    assert [line["action"] for line in lines] == ["resolve_objection", "publish_objection"]
    assert TEXT not in str(lines), "the log forgets nothing, so it has no texts"

    # What left its board keeps what was held against it, until its names are erased.
    await withdraw(gateway, receipt)
    await board(gateway)
    status, _, body = await gateway.get(f"/api/v1{BOARD}/entries/{entry}")
    (kept,) = orjson.loads(body)["entry"]["notes"]
    assert (status, kept["text"], kept["answer"]["text"]) == (410, TEXT, "No.")
    _, _, page = await gateway.get(f"/boards/community/entries/{entry}")
    assert "We looked: it holds none." in page.decode()
    await act(gateway, f"/entries/{entry}/erase")
    _, _, body = await gateway.get(f"/api/v1{BOARD}/entries/{entry}")
    (kept,) = orjson.loads(body)["entry"]["notes"]
    assert (kept["text"], kept["state"], kept["answer"]["text"]) == (None, "resolved", None)


async def test_a_published_objection_that_is_withdrawn_says_nothing_more(gateway: Gateway) -> None:
    receipt = await ranked(gateway, "Model", 0.5)
    await board(gateway, "Model")
    entry, reader = await entry_of(gateway, receipt), await key_of(gateway, "reader")
    path = f"{BOARD}/entries/{entry}/objections"
    for end in ("refuse", "withdraw"):  # never published: it leaves no trace
        before = await public(gateway, entry)
        _, filed = await send(gateway, "POST", path, {"text": f"to {end}"}, **reader)
        if end == "refuse":
            await act(gateway, f"/notes/{filed['id']}/refuse")
        else:
            assert (await send(gateway, "POST", f"/objections/{filed['id']}/withdraw", **reader))[
                1
            ]["state"] == "withdrawn"
        assert await public(gateway, entry) == before
        assert (await send(gateway, "GET", f"/objections/{filed['id']}"))[0] == 404

    _, filed = await send(gateway, "POST", path, {"text": TEXT, "name": "A. Reader"}, **reader)
    await act(gateway, f"/notes/{filed['id']}/publish")
    await badges(gateway, "Model", ["objection"])
    _, shown = await send(gateway, "GET", f"/objections/{filed['id']}")
    assert shown["name"] == "A. Reader"
    await send(gateway, "POST", f"/objections/{filed['id']}/answer", {"text": "a secret answer"},
               **owner(receipt))  # fmt: skip
    assert (await send(gateway, "POST", f"/objections/{filed['id']}/withdraw", **reader))[0] == 200
    await badges(gateway, "Model", [])
    _, read = await send(gateway, "GET", f"/objections/{filed['id']}")
    assert (read["state"], read["text"], read["name"]) == ("withdrawn", None, None)
    for _, body in await public(gateway, entry):
        for secret in (TEXT.encode(), b"A. Reader", b"a secret answer"):
            assert secret not in body
    _, _, page = await gateway.get(f"/boards/community/entries/{entry}")
    assert "no longer shown" in page.decode()
    assert (await send(gateway, "GET", f"/objections/{filed['id']}", **reader))[1]["text"] == TEXT


async def test_a_new_version_keeps_what_is_held_against_the_model(gateway: Gateway) -> None:
    first = await ranked(gateway, "Model", 0.5)
    await board(gateway, "Model")
    entry, reader = await entry_of(gateway, first), await key_of(gateway, "reader")
    path = f"{BOARD}/entries/{entry}/objections"
    _, filed = await send(gateway, "POST", path, {"text": TEXT}, **reader)
    await act(gateway, f"/notes/{filed['id']}/publish")
    await badges(gateway, "Model", ["objection"])
    second = await ranked(gateway, "Model", 0.6, headers=owner(first), replaces=first["id"])
    newer = await entry_of(gateway, second)
    row = await badges(gateway, "Model", ["objection"])
    assert row["entry_id"] == newer != entry
    _, details = await send(gateway, "GET", f"{BOARD}/entries/{newer}")
    assert [each["id"] for each in details["notes"]] == [filed["id"]]
    status, answered = await send(
        gateway, "POST", f"/objections/{filed['id']}/answer", {"text": "Fixed."}, **owner(second)
    )
    assert (status, answered["entry_id"]) == (200, newer)


async def test_objections_are_bounded_and_carry_no_markup(gateway: Gateway) -> None:
    receipts = [await ranked(gateway, f"Model {n}", 0.5 - n / 100) for n in range(2)]
    entries = [await entry_of(gateway, each) for each in receipts]
    reader = await key_of(gateway, "reader")
    paths = [f"{BOARD}/entries/{entry}/objections" for entry in entries]
    for text in ("", "x" * 4_001, "a\u202eb", "a\x00b", 7, None):
        status, refused = await send(gateway, "POST", paths[0], {"text": text}, **reader)
        assert (status, refused["code"]) == (422, "invalid_body"), text
        assert refused["errors"][0]["path"] == "$.text"
    huge = {"text": "x" * (1 << 17)}
    assert (await send(gateway, "POST", paths[0], huge, **reader))[0] == 413
    gone = f"{BOARD}/entries/{receipts[0]['id']}/objections"
    assert (await send(gateway, "POST", gone, {"text": "x"}, **reader))[1]["code"] == (
        "entry_not_found"
    )

    markup = "<script>alert(1)</script> ]]></summary> javascript:alert(1) [x](javascript:y)"
    filed = []
    for number in range(OBJECTIONS_A_DAY):
        body = {"text": markup, "name": "<b>bold</b>"} if number == 0 else {"text": f"{number}"}
        status, made = await send(gateway, "POST", paths[0], body, **reader)
        assert status == 201, made
        filed.append(made["id"])
        await act(gateway, f"/notes/{made['id']}/{'refuse' if number else 'publish'}")
    status, refused = await send(gateway, "POST", paths[1], {"text": "One more"}, **reader)
    assert (status, refused["code"]) == (429, "objection_quota")
    _, _, page = await gateway.get(f"/boards/community/entries/{entries[0]}")
    text = page.decode()
    assert "&lt;script&gt;alert(1)" in text
    assert "<script>alert" not in text
    assert "<b>bold" not in text
    assert 'href="javascript' not in text

    await act(gateway, "/boards/community/notes", text=markup)
    _, _, feed = await gateway.get("/changes/feed.atom")
    (item,) = ElementTree.fromstring(feed).iter("{http://www.w3.org/2005/Atom}summary")  # noqa: S314
    assert item.text == markup
    assert not list(item)


async def test_errata_link_snapshots_and_changes_have_a_feed(gateway: Gateway) -> None:
    await ranked(gateway, "Model", 0.5)
    first = await board(gateway, "Model")
    await act(gateway, "/boards/community/ranking", ranking="dense")
    await ranked(gateway, "Other", 0.4)
    second = await board(gateway, "Model", "Other")
    _, headers, quiet = await gateway.get("/changes/feed.atom")
    assert (await gateway.get("/changes/feed.atom", If_None_Match=headers["ETag"]))[0] == 304

    faulty, right = first["snapshot"], second["snapshot"]
    for other, code in ((faulty, "invalid_erratum"), (right + 1_000, "snapshot_not_found")):
        body = {**WHY, "text": "x", "corrected_by": other}
        _, refused = await send(gateway, "POST", f"/admin/snapshots/{faulty}/errata", body, **ROOT)
        assert refused["code"] == code
    async with AsyncClient(gateway.url, key=ROOT["Authorization"].partition(" ")[2]) as client:
        said = "A label of the test set was wrong."
        made = await client.admin.add_erratum(faulty, right, said, why="found by a reader")
        same = await client.admin.add_erratum(faulty, right, said, why="sent again")
        assert (made.changed, same.changed, same.note.id) == (True, False, made.note.id)
        past, newer = await client.snapshot(faulty), await client.snapshot(right)
        async with asyncio.timeout(HANG_SECONDS):  # what is the board now follows by polling
            while not newer.notes:
                await asyncio.sleep(0.02)
                newer = await client.snapshot(right)
        found = await client.changes()
    for snapshot in (past, newer):
        (note,) = snapshot.notes
        assert note.corrects is not None
        assert note.corrected_by is not None
        assert (note.corrects.number, note.corrected_by.number) == (faulty, right)
        assert [cause.kind for cause in note.causes] == ["rule"]
    assert [each.kind for each in found.changes] == ["rule"]
    assert "dense ranking" in found.changes[0].text
    _, headers, _ = await gateway.get(f"/api/v1/snapshots/{faulty}?format=csv")
    assert f'/api/v1/snapshots/{right}>; rel="successor-version"' in headers["Link"]
    _, _, page = await gateway.get(f"/boards/community/snapshots/{faulty}")
    assert f'Corrected by <a href="/boards/community/snapshots/{right}">' in page.decode()
    async with asyncio.timeout(HANG_SECONDS):  # the board itself follows by polling
        while b"Corrects" not in (await gateway.get("/community"))[2]:
            await asyncio.sleep(0.02)
    _, _, feed = await gateway.get("/changes/feed.atom")
    assert feed != quiet
    assert feed.count(b"<entry>") == 2
    assert said.encode() in feed
    _, _, page = await gateway.get("/changes")
    assert said in page.decode()

    await act(gateway, f"/notes/{made.note.id}/withdraw")
    _, snapshot = await send(gateway, "GET", f"/snapshots/{faulty}")
    assert snapshot["notes"] == []
    _, _, feed = await gateway.get("/changes/feed.atom")
    assert said.encode() not in feed
    assert made.note.id.urn.encode() in feed, "readers of feeds learn of it"
    for guessed in ("/feeds/changes.atom", "/changes.atom"):
        status, headers, _ = await gateway.get(guessed)
        assert (status // 100, headers["Location"]) == (3, "/changes/feed.atom")


async def test_administrators_decide_by_form_and_by_command(gateway: Gateway) -> None:
    receipt = await ranked(gateway, "Model", 0.5)
    entry, reader = await entry_of(gateway, receipt), await key_of(gateway, "reader")
    path = f"{BOARD}/entries/{entry}/objections"
    ids = []
    for number in range(2):
        _, filed = await send(gateway, "POST", path, {"text": f"It is {number}"}, **reader)
        ids.append(filed["id"])
        if number == 0:
            browser = Browser(gateway)
            assert await browser.sign_in(ADMIN) == 303
            _, overview = await browser.get("/admin")
            assert "1 to be looked at" in overview
            _, text = await browser.do("/admin/notes", "publish", note=filed["id"])
            assert "It is published." in text
            lines = "We looked.\r\nIt is not."
            status, text = await browser.do(
                "/admin/notes", "resolve", note=filed["id"], resolution=lines
            )
            assert (status, "It is resolved." in text) == (200, True)
            status, text = await browser.do("/admin/notes", "publish", note=filed["id"])
            assert (status, "Only what is open can be published" in text) == (409, True)
    status, text = await browser.do("/admin/notes", "add", board="community", text="Under review.")
    assert (status, "note is public" in text) == (200, True)
    status, text = await browser.do(
        "/admin/notes", "correct", snapshot="1", corrected_by="1", text="x"
    )
    assert (status, "no later one" in text) == (422, True)
    status, text = await browser.do(f"/admin/entries/{entry}", "note", text="Seen by us.")
    assert status == 200
    assert "Under review." in (await gateway.get("/changes"))[2].decode()

    async def medvid(*arguments: str) -> str:
        environment = {"MEDVID_URL": gateway.url, "MEDVID_ADMIN_KEY": ADMIN,
                       "MEDVID_API_KEY": reader["Authorization"].partition(" ")[2],
                       "XDG_CONFIG_HOME": "/nowhere"}  # fmt: skip
        done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments], env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    why = ("--why", "a test asked for it")
    assert ids[1] in await medvid("admin", "notes", "list", "--state", "open", "--json")
    assert "refused" in await medvid("admin", "notes", "refuse", ids[1], *why)
    assert f"{ids[1]}  refused  Model" in await medvid("objection", "list")
    assert "open" in await medvid("objection", "file", "Model", "It is 2", "--name", "A. Reader")
    assert "Under review." in await medvid("changes")
    shown = await medvid("objection", "show", ids[0])
    assert "resolution" in shown
    assert "We looked." in await medvid("entry", "Model")
