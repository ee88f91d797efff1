"""Pages whatever they are given: hostile names, wrong addresses, forms sent by hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import orjson
import pytest

from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, records, row, running_gateway

DATA = "application/ld+json"
"""Scripts of this type are data, which no browser runs."""
SCRIPT = '<script>alert("x")</script>'
HOSTILE = {
    "model_name": f"A {SCRIPT}",
    "organization": f'" onmouseover="alert(1) {SCRIPT}',
    "team": f"{SCRIPT}",
    "authors": f"'{SCRIPT}",
    "track": f"{SCRIPT}",
    "contact": "secret@example.org",
}


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[Gateway]:
    async with running_gateway(database) as gateway:
        yield gateway


class Markup(HTMLParser):
    """Collects what a page could do harm with."""

    def __init__(self) -> None:
        super().__init__()
        self.harm: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.harm += [f"{tag} {name}" for name in given if name.startswith(("on", "style"))]
        if tag == "script" and "src" not in given and given.get("type") != DATA:
            self.harm.append("script")
        if not re.match(r"/|#|https?://|$", given.get("href") or ""):
            self.harm.append(f"{tag} {given['href']}")


def assert_harmless(page: bytes) -> None:
    markup = Markup()
    markup.feed(page.decode())
    assert markup.harm == []
    assert b"secret@example.org" not in page


async def test_no_page_lets_a_name_be_markup(gateway: Gateway) -> None:
    status, receipt = await gateway.submit(orjson.dumps(records()), **HOSTILE)
    assert status == 202, receipt
    entry = row(1, **{**HOSTILE, "contact": None}, badges=[SCRIPT], model_url="javascript:alert(1)")
    await gateway.shown("community", await gateway.rank("community", [entry], hint=False))
    hostile = quote(SCRIPT)
    for path in (
        "/community",
        f"/community?q={hostile}&track={hostile}&sort={hostile}",
        "/compare?board=community",
        f"/compare?board=community&models={hostile}",
        f"/submit?replaces={hostile}",
        f"/submissions/{hostile}",
    ):
        _, headers, body = await gateway.get(path)
        assert_harmless(body)
        assert "unsafe" not in headers["Content-Security-Policy"]
    token = f"Bearer {receipt['owner_token']}"
    _, headers, body = await gateway.get(f"/submissions/{receipt['id']}", Authorization=token)
    assert_harmless(body)
    assert headers["Cache-Control"] == "private, no-store"
    assert b"A &lt;script&gt;" in body
    _, _, body = await gateway.get(f"/submissions/{receipt['id']}")
    assert b"A &lt;script&gt;" not in body  # the name is the owner's until it is on a board


async def test_a_board_asked_for_by_a_form_gets_an_address_to_share(gateway: Gateway) -> None:
    asked = "/community?scoring=strict&q=&columns=nap_acc&columns=cvs_acc&sort=rank&sort=model"
    status, headers, _ = await gateway.get(asked)
    assert (status, headers["Location"]) == (
        303,
        "/community?scoring=strict&sort=model&columns=cvs_acc,nap_acc",
    )
    assert (await gateway.get(headers["Location"]))[0] == 200


async def test_a_form_that_is_refused_comes_back_filled_in(gateway: Gateway) -> None:
    form = aiohttp.FormData({**HOSTILE, "model_url": "javascript:alert(1)"})
    form.add_field("file", b"[", filename="predictions.json")
    async with gateway.client.post("/submit", data=form) as response:
        assert response.status == 422
        text = (await response.read()).decode()
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    assert 'value="javascript:alert(1)"' in text  # as text in a field, never as a link
    assert 'href="javascript' not in text
    for word in ("In the form", "In the file", "invalid_url", "invalid_json"):
        assert word in text


async def test_an_accepted_form_shows_the_token_once_and_to_nobody_else(gateway: Gateway) -> None:
    form = aiohttp.FormData({"model_name": f"m {uuid4()}", "organization": "Lab"})
    form.add_field("file", orjson.dumps(records()), filename="predictions.json")
    async with gateway.client.post("/submit", data=form) as response:
        assert response.status == 202
        assert response.headers["Cache-Control"] == "private, no-store"
        text = (await response.read()).decode()
    found = re.search(r'href="(/submissions/[0-9a-f-]{36})#token=(mvb_[^"]+)"', text)
    assert found
    status, _, page = await gateway.get(found[1])
    assert status == 200
    assert found[2].encode() not in page


async def test_a_check_stores_nothing(gateway: Gateway, database: Database) -> None:
    form = aiohttp.FormData({"model_name": "", "organization": ""})
    form.add_field("file", orjson.dumps(records()), filename="predictions.json")
    async with gateway.client.post("/submit/check", data=form) as response:
        assert response.status == 200
        assert "This can be submitted" in await response.text()
    assert await database.pool.fetchval("SELECT count(*) FROM submissions") == 0


async def test_equal_errors_are_one_line_of_the_page(gateway: Gateway) -> None:
    wrong = [{**record, "qa_type": "nope"} for record in records()]
    for address, status in (("/submit/check", 200), ("/submit", 422)):
        form = aiohttp.FormData({"model_name": "m", "organization": "Lab"})
        form.add_field("file", orjson.dumps(wrong), filename="predictions.json")
        async with gateway.client.post(address, data=form) as response:
            assert response.status == status
            text = await response.text()
        assert text.count("unknown_qa_type") == 1
        assert f"<strong>{len(wrong)} records</strong>, first at <code>$[0].qa_type</code>" in text
        assert "The first" not in text


async def test_addresses_that_are_none_are_pages_too(gateway: Gateway) -> None:
    await gateway.shown("community", await gateway.rank("community", [row(1)], hint=False))
    for path, expected in (
        ("/compare?board=nowhere", 404),
        ("/compare?scoring=nonsense", 400),
        (f"/boards/community/entries/{uuid4()}", 404),
        ("/boards/community/entries/..%2f..%2fetc", 404),
        ("/boards/community/snapshots/x", 404),
        ("/boards/community/snapshots/999999", 404),
        ("/boards/nowhere/snapshots/1", 404),
        (f"/submissions/{uuid4()}", 404),
        ("/submissions/nonsense", 404),
    ):
        status, headers, _ = await gateway.get(path)
        assert status == expected, path
        assert headers["Content-Type"].startswith("text/html"), path


async def test_compared_models_get_an_address_to_share(gateway: Gateway) -> None:
    rows = [row(rank) for rank in (1, 2, 3)]
    await gateway.shown("community", await gateway.rank("community", rows, hint=False))
    first, second = rows[0]["entry_id"], rows[2]["entry_id"]
    path = f"/compare?board=community&models={first}&models={second}"
    status, headers, _ = await gateway.get(path)
    assert status == 303
    assert headers["Location"] == f"/compare?board=community&models={first},{second}"
    status, headers, body = await gateway.get(headers["Location"])
    assert status == 200
    assert (await gateway.get(f"{path[:0]}/compare", If_None_Match="*"))[0] == 304
    assert body.count(b'class="series series-2"') == 2  # in both plots


async def test_a_snapshot_keeps_what_the_board_was(gateway: Gateway) -> None:
    old = await gateway.shown("community", await gateway.rank("community", [row(1)], hint=False))
    new = await gateway.rank("community", [row(1), row(2)], hint=False)
    await gateway.shown("community", new)
    status, _, body = await gateway.get(f"/boards/community/snapshots/{old['snapshot']}")
    assert status == 200
    assert body.count(b'<tr id="entry-') == 1
    assert b"data-past" in body
    status, _, _ = await gateway.get(f"/boards/official/snapshots/{old['snapshot']}")
    assert status == 404


async def test_a_partial_file_earns_its_entry_a_badge(gateway: Gateway, database: Database) -> None:
    for count, expected in ((len(records()), []), (len(records()) - 5, ["partial coverage"])):
        status, receipt = await gateway.submit(orjson.dumps(records()[:count]))
        assert status == 202, receipt
        badges = await database.pool.fetchval(
            "SELECT badges FROM entries WHERE submission_id = $1::text::uuid", receipt["id"]
        )
        assert badges == expected
    shown = row(1, badges=["partial coverage"])
    await gateway.shown("community", await gateway.rank("community", [shown], hint=False))
    _, _, page = await gateway.get("/community")
    assert b'title="Some test samples have no prediction' in page


async def test_a_failure_tells_its_reason_and_cure_to_the_owner_alone(gateway: Gateway) -> None:
    _, receipt = await gateway.submit(orjson.dumps(records()))
    reason = "its workers died, it cannot be <scored>."
    await gateway.set_state(receipt["id"], "failed", code="worker_crashed", reason=reason)
    path = f"/submissions/{receipt['id']}"
    token = f"Bearer {receipt['owner_token']}"
    _, _, body = await gateway.get(path, Authorization=token)
    for word in (
        b"What went wrong",
        b"cannot be &lt;scored&gt;.",
        b"What to do:",
        b"worker_crashed",
    ):
        assert word in body
    assert b'data-busy="no"' in body  # nothing is waited for any more
    _, _, body = await gateway.get(path)
    assert b"Failed" in body
    assert b"cannot be" not in body


async def test_while_something_is_awaited_a_page_without_scripts_asks_again(
    gateway: Gateway,
) -> None:
    _, receipt = await gateway.submit(orjson.dumps(records()))
    _, _, body = await gateway.get(f"/submissions/{receipt['id']}")
    assert b'<noscript><meta http-equiv="refresh"' in body
    assert b'data-busy="yes"' in body
    assert b'aria-current="step"' in body


async def test_another_sites_page_cannot_send_the_form(gateway: Gateway) -> None:
    for path in ("/submit", "/submit/check"):
        form = aiohttp.FormData({"model_name": "m", "organization": "Lab"})
        form.add_field("file", orjson.dumps(records()), filename="predictions.json")
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with gateway.client.post(path, data=form, headers=headers) as response:
            assert response.status == 403
            assert "Another site sent this form." in await response.text()
