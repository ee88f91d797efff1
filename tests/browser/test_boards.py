"""Reading a board: sorting by keyboard, views in the address, columns, schemes, comparing."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, Route, expect

from medvid.benchmark.tasks import METRIC_KEYS
from services.gateway.pages.board_view import SORT_KEYS
from tests.browser.conftest import Visitor
from tests.depth import deep

NAMES = ".model"
_SIGNS = {0x2212: "-", 0xB1: ""}  # the minus sign as wide as the plus, and plus-minus


async def names(page: Page) -> list[str]:
    return await page.locator(f"tbody tr:visible {NAMES}").all_inner_texts()


async def test_sorting_by_keyboard(visitor: Visitor) -> None:
    """Enter and Space sort, aria-sort and a status line say so, the focus stays."""
    page = await visitor.open("/community")
    header = page.get_by_role("columnheader", name="VS_llm")
    button = header.get_by_role("button")
    # Kept, as news of the board may come next and be announced in its place.
    await page.evaluate(
        "window.said = []; const line = document.getElementById('announced');"
        "new MutationObserver(() => said.push(line.textContent)).observe(line, {childList: true})"
    )
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(header).to_have_attribute("aria-sort", "descending")
    await page.wait_for_function("said.some((text) => /VS_llm.*descending/.test(text))")
    assert "sort=-vs_llm" in page.url
    await page.keyboard.press("Space")
    await expect(header).to_have_attribute("aria-sort", "ascending")
    await expect(button).to_be_focused()
    assert await page.locator("thead [aria-sort]").count() == 1
    values = await page.locator("td[data-column=vs_llm]").all_inner_texts()
    shown = [float(value.split()[0].rstrip("†")) for value in values if value != "n/a"]
    assert shown == sorted(shown)


async def test_missing_values_are_last_either_way(visitor: Visitor) -> None:
    """n/a is never on top."""
    fresh = await visitor.site.submit()
    await visitor.site.ranked(fresh)
    page = await visitor.open("/community")
    await expect(page.locator("tbody tr", has_text=fresh.model_name)).to_be_visible()
    for _ in range(2):
        await page.get_by_role("button", name="RC_llm").click()
        values = await page.locator("td[data-column=rc_llm]").all_inner_texts()
        missing = values.count("n/a")
        assert missing
        assert values[-missing:] == ["n/a"] * missing


@deep
@pytest.mark.parametrize(
    "path", ["/community", pytest.param("/community?scoring=strict", marks=deep)]
)
async def test_script_and_server_sort_alike(visitor: Visitor, path: str) -> None:
    """What the script made of a page is what the server gives at its address."""
    page = await visitor.open(path)
    plain = await visitor.open(java_script_enabled=False)
    for key in SORT_KEYS:
        for _ in range(2):
            await page.locator(f"button[data-key={key}]").click()
            by_script = await names(page)
            answer = await page.request.get(page.url)
            await plain.set_content(await answer.text())
            assert await names(plain) == by_script, page.url


async def test_a_scoring_without_any_value_is_greyed_out(visitor: Visitor) -> None:
    """No link, but a reason for whoever points at it or comes by keyboard; its address answers."""
    page = await visitor.open("/")
    strict = page.get_by_role("link", name="Strict")
    await expect(strict).to_be_disabled()
    await page.get_by_role("link", name="Compat").focus()
    await page.keyboard.press("Tab")
    await expect(strict).to_be_focused()
    await expect(page.locator(".tip")).to_contain_text("no strict scores")
    await page.keyboard.press("Enter")
    assert "strict" not in page.url
    await page.goto("/?scoring=strict")
    await expect(page.locator(".why")).to_contain_text("Not ranked: no strict scores.")
    assert await page.locator(".medal").count() == 0
    search = page.get_by_label("Search models")
    await search.fill("gpt")
    await page.wait_for_url("**/?scoring=strict&q=gpt")
    before = await names(page)
    assert 0 < len(before) < 5
    await page.reload()
    assert await names(page) == before
    await search.fill("GPT\u20145")
    await page.wait_for_url("**q=GPT%E2%80%945")
    assert await names(page) == ["GPT-5.4"]
    await page.reload()
    assert await names(page) == ["GPT-5.4"]
    await search.fill("no such model")
    await expect(page.locator(".why")).to_be_hidden()
    await expect(page.get_by_text("No model matches.")).to_be_visible()


async def test_who_is_not_ranked_stays_below(visitor: Visitor) -> None:
    """Below the line that says why, however the board is sorted, and in a page that caught up."""
    page = await visitor.open("/community?scoring=strict")
    below = page.locator("#unranked tr[id]")
    count = await below.count()
    assert count
    for key in ("model", "date"):
        await page.locator(f"button[data-key={key}]").click()
        assert await below.count() == count
        assert await page.locator("#unranked tr").first.get_attribute("class") == "why"
    fresh = await visitor.site.submit()
    await visitor.site.ranked(fresh)
    ranked = page.locator("tbody:not(#unranked) tr", has_text=fresh.model_name)
    await expect(ranked).to_be_visible()
    await expect(below).to_have_count(count)


async def test_a_view_is_in_its_address(visitor: Visitor) -> None:
    """Search, order and columns survive a reload and go along to the other scoring."""
    page = await visitor.open("/community")
    await page.get_by_label("Search models").fill("qwen sft")
    await page.get_by_role("button", name="CVS_acc").click()
    await page.get_by_text("Columns").click()
    await page.get_by_role("checkbox", name="RC_llm").uncheck()
    await page.get_by_role("checkbox", name="DVC_llm").uncheck()
    await page.get_by_role("checkbox", name="VS_llm").uncheck()
    before = await names(page)
    assert 1 < len(before) < 6
    await expect(page.locator("th[data-group=judged]").first).to_be_hidden()
    await page.reload()
    assert await names(page) == before
    await expect(page.get_by_label("Search models")).to_have_value("qwen sft")
    await expect(page.get_by_role("columnheader", name="CVS_acc")).to_have_attribute(
        "aria-sort", "descending"
    )
    await expect(page.locator("th[data-column=rc_llm]")).to_be_hidden()
    await page.get_by_role("link", name="Strict").click()
    await page.wait_for_url("**scoring=strict**")
    await expect(page.get_by_label("Search models")).to_have_value("qwen sft")
    await page.get_by_label("Search models").fill("no such model")
    await expect(page.get_by_text("No model matches.")).to_be_visible()


async def test_a_view_chosen_while_the_board_is_fetched_stays(visitor: Visitor) -> None:
    """The rows that come belong to the view before; they do not undo a search."""
    page = await visitor.open()
    await page.route("**/leaderboards/*/events", lambda route: route.fulfill(status=503))
    await page.goto("/community")
    chosen = asyncio.Event()

    async def slow(route: Route) -> None:
        if "q=" not in route.request.url:
            await chosen.wait()
        await route.continue_()

    await page.route("**/community*", slow)
    await page.get_by_text("Columns").click()
    async with page.expect_request("**/community*"):
        for key in METRIC_KEYS[1:]:
            await page.locator(f"input[name=columns][value={key}]").uncheck()
    await page.get_by_label("Search models").fill("gpt-5.4")
    async with page.expect_response("**q=gpt-5.4*"):
        chosen.set()
    await expect(page.locator(f"tbody tr:visible {NAMES}")).to_have_text(["GPT-5.4"])
    visitor.forgive("status of 503")


async def test_views_work_without_scripts(visitor: Visitor) -> None:
    """The form of filters and the headers ask the server."""
    page = await visitor.open("/community", java_script_enabled=False)
    await page.get_by_label("Search models").fill("qwen")
    await page.get_by_role("button", name="Apply").click()
    found = await names(page)
    assert found
    assert all("Qwen" in name for name in found)
    await page.get_by_role("button", name="SA_acc").click()
    await expect(page.get_by_role("columnheader", name="SA_acc")).to_have_attribute(
        "aria-sort", "descending"
    )
    assert sorted(await names(page)) == sorted(found)
    await page.get_by_role("button", name="SA_acc").click()
    await expect(page.get_by_role("columnheader", name="SA_acc")).to_have_attribute(
        "aria-sort", "ascending"
    )


async def test_dark_is_kept(visitor: Visitor) -> None:
    """The system's scheme holds until the reader chooses; the choice survives a reload."""
    page = await visitor.open("/community", color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(ground)
    button = page.get_by_role("button", name="Dark mode")
    await expect(button).to_have_attribute("aria-pressed", "true")
    await button.click()
    light = await page.evaluate(ground)
    assert light != dark
    await page.reload()
    assert await page.evaluate(ground) == light


async def test_column_help_for_the_keyboard(visitor: Visitor) -> None:
    """A focused header explains itself, and Escape takes the explanation away."""
    page = await visitor.open("/community")
    await page.locator("button[data-key=mean_rank]").focus()
    await page.keyboard.press("Tab")
    tip = page.locator(".tip")
    await expect(tip).to_contain_text("higher is better")
    await page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()


async def test_models_side_by_side(visitor: Visitor) -> None:
    """Chosen on the board, compared in plots and a table, shared by address."""
    page = await visitor.open("/community")
    boxes = page.get_by_role("checkbox", name="Compare ")
    await boxes.nth(0).check()
    await boxes.nth(2).check()
    await page.get_by_role("button", name="Compare · 2").click()
    await page.wait_for_url("**/compare?board=community&models=*,*")
    await expect(page.get_by_role("img", name="Radar chart")).to_be_visible()
    values = page.get_by_role("table").first
    assert await values.locator("thead th.num").count() == 2
    first, second = await values.locator("tbody tr", has_text="CVS_acc").locator("td").all()
    difference = float(await second.locator(".value").inner_text()) - float(
        await first.locator(".value").inner_text()
    )
    told = (await second.locator(".difference").inner_text()).translate(_SIGNS)
    assert float(told) == pytest.approx(difference, abs=1e-9)
    again = await visitor.open()
    await again.goto(page.url)
    await expect(again.locator("thead th.num").first).to_be_visible()
    assert (
        await again.locator("thead th.num").all_inner_texts()
        == await page.locator("thead th.num").all_inner_texts()
    )


async def test_the_citation_can_be_copied(visitor: Visitor) -> None:
    """The button copies what the page shows, with a whole address that stays."""
    page = await visitor.open("/community", permissions=["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@misc{")
    address = copied.partition(r"\url{")[2].partition("}")[0].replace("\\", "")
    assert address.startswith(visitor.site.url)
    kept = await page.goto(address)
    assert kept is not None
    assert kept.status == 200


async def test_a_board_catches_up_after_its_stream_was_refused(visitor: Visitor) -> None:
    """While no stream can be had the page says so by not being live; it tries again by itself."""
    page = await visitor.open()
    await page.clock.install()
    await page.route("**/leaderboards/*/events", lambda route: route.fulfill(status=503))
    await page.goto("/community")
    await expect(page.locator("#live")).to_be_hidden()
    fresh = await visitor.site.submit()
    await visitor.site.ranked(fresh)
    await page.unroute("**/leaderboards/*/events")
    await page.clock.fast_forward(20_000)
    await expect(page.locator("#live")).to_be_visible()
    await page.clock.fast_forward(1_000)
    await expect(page.locator("tbody tr", has_text=fresh.model_name)).to_be_visible()
    visitor.forgive("status of 503")
