"""Tables that stay readable: head and names stay in sight, and an edge tells that there is more."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.boards import open_board
from tests.browser.conftest import Visitor
from tests.browser.screens import MIDDLE, NARROW, WIDE, fits
from tests.depth import deep
from tests.many_models import MANY, TRACK, measured_board

BOARD = measured_board()

PLACES = """([row, column]) => {
  const cells = document.getElementById("board").tBodies[0].rows[row].cells;
  const card = document.querySelector(".table-card");
  cells[column].scrollIntoView({block: "center", inline: "center"});
  const top = (x, y) => document.elementFromPoint(x, y);
  const middle = (cell) => {
    const box = cell.getBoundingClientRect();
    return [box.left + Math.min(60, box.width / 2), box.top + box.height / 2];
  };
  const head = document.querySelector("#board thead tr:last-child").cells[column];
  return {
    head: head.contains(top(...middle(head))),
    name: cells[2].contains(top(...middle(cells[2]))),
    cell: cells[column].contains(top(...middle(cells[column]))),
    aligned: Math.abs(middle(head)[0] - middle(cells[column])[0]) < 1,
    page: Math.round(scrollY), down: Math.round(card.scrollTop), right: Math.round(card.scrollLeft),
  };
}"""


async def _places(page: Page, row: int, column: int) -> dict[str, Any]:
    """Show a cell in the middle; gives what of head, name and cell is in sight, and scrolling."""
    found: dict[str, Any] = await page.evaluate(PLACES, [row, column])
    return found


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize(
    "size", [pytest.param(WIDE, id="wide"), pytest.param(MIDDLE, id="middle", marks=deep)]
)
async def test_head_and_names_stay_in_sight(visitor: Visitor, size: Any, scripts: bool) -> None:
    """At the far end of 241 rows one still reads which model and which metric a number is of.

    Where the table fits, the page scrolls, and where not, the table in its card.
    """
    page = await open_board(visitor, BOARD, viewport=size, java_script_enabled=scripts)
    found = await _places(page, 220, 12)
    assert found["head"], found
    assert found["name"], found
    assert found["cell"], found
    assert found["aligned"], found
    by_page = scripts and size is WIDE
    assert (found["down"] == 0) == by_page, found
    assert (found["right"] == 0) == (size is WIDE), found


async def test_an_edge_tells_that_there_is_more(visitor: Visitor) -> None:
    """A shadow at the right until the table's end, none where all of it is in sight."""
    page = await visitor.open("/boards/official/second-opinions", viewport=MIDDLE)
    card = page.locator(".table-card")

    async def edge() -> bytes:
        """Return what is behind the numbers at the right edge."""
        await card.evaluate("card => card.scrollIntoView()")
        box = await card.bounding_box()
        assert box is not None
        spot = {"x": box["x"] + box["width"] - 12, "y": box["y"] + 90, "width": 8, "height": 8}
        return await page.screenshot(clip=spot)  # type: ignore[arg-type]

    await card.evaluate("card => { card.querySelector('table').style.opacity = 0; }")
    more = await edge()
    await card.evaluate("card => card.scrollTo(card.scrollWidth, 0)")
    end = await edge()
    assert more != end
    await page.set_viewport_size({"width": 1440, "height": 900})
    assert await edge() == end


async def test_who_comes_back_finds_the_place_again(visitor: Visitor) -> None:
    page = await open_board(visitor, BOARD, viewport=MIDDLE)
    await _places(page, 150, 2)
    await page.wait_for_function("history.state?.top > 0")
    top = await page.evaluate("document.querySelector('.table-card').scrollTop")
    await page.goto("/about")
    await page.go_back()
    await page.wait_for_function(
        f"Math.abs(document.querySelector('.table-card').scrollTop - {top}) < 5"
    )


async def _shown(page: Page) -> list[str]:
    """Return the heads of the columns that are in sight."""
    heads = page.locator("#board thead tr:last-child th:visible")
    return [" ".join(text.split()) for text in await heads.all_inner_texts()]


async def test_a_phone_shows_one_metric_at_a_time_or_cards(visitor: Visitor) -> None:
    """Rank, name and one value in a line; of a metric that is chosen also its rank and interval;
    several as cards, with their names. All of it is in the address, and works without scripts.
    """
    page = await open_board(visitor, BOARD, viewport=NARROW, java_script_enabled=False)
    assert [head.split()[0] for head in await _shown(page) if head] == [
        "Compare",
        "#",
        "Model",
        "Mean",
    ]
    assert await fits(page)
    await page.get_by_text("Show: Mean rank").click()
    await page.get_by_role("link", name="CVS_acc").click()
    await page.wait_for_url("**/community?sort=-cvs_acc&columns=cvs_acc")
    row = page.locator("#board tbody tr", has_text=BOARD.entries[40].model_name)
    await expect(row.locator("td[data-column=cvs_acc]")).to_contain_text("rank ")
    await expect(row.locator("td[data-column=cvs_acc]")).to_contain_text("95 % interval")
    await expect(row.locator(".mean")).to_be_hidden()
    assert await fits(page)
    await page.get_by_text("Show: CVS_acc").click()
    await page.get_by_role("link", name="All 10").click()
    await page.wait_for_url("**/community?columns=all")
    cells = page.locator("#board tbody tr").first.locator("td[data-column]:visible")
    assert await cells.count() == 10
    labels = "cells => cells.map(cell => getComputedStyle(cell, '::before').content)"
    assert '"TAG_mIoU@0.3"' in await cells.evaluate_all(labels)
    assert await fits(page)


async def test_the_head_stays_in_sight_on_a_phone(visitor: Visitor) -> None:
    page = await open_board(visitor, BOARD, viewport=NARROW)
    found = await _places(page, 220, 3)
    assert found["head"], found
    assert found["name"], found
    assert found["page"] > 5_000


@deep
async def test_up_to_six_are_chosen_for_comparison(visitor: Visitor) -> None:
    """On a phone too; how many is said while choosing, with the button in sight, and the choice
    survives another look at the board.
    """
    page = await visitor.open("/community", viewport=NARROW)
    compare = page.get_by_role("button", name="Compare")
    await expect(compare).to_be_hidden()
    boxes = page.locator("#board input[name=models]")
    for place in (0, 1, 2, 3, 13):
        await boxes.nth(place).check()
    await expect(compare).to_be_in_viewport()
    await expect(page.locator("#picked")).to_have_text("5 of up to 6 chosen.")
    await page.get_by_text("Show: Mean rank").click()
    await page.get_by_role("link", name="NAP_acc").click()
    await page.wait_for_url("**columns=nap_acc")
    await expect(page.locator("#board input:checked")).to_have_count(5)
    await page.locator("#board input[name=models]:not(:checked)").first.check()
    await expect(page.locator("#picked")).to_contain_text("as many as can be told apart")
    await expect(page.locator("#board input:disabled").first).to_be_visible()
    assert await visitor.barriers(page) == []
    await compare.click()
    await page.wait_for_url("**/compare?board=community&models=*")
    await expect(page.get_by_role("table").first.locator("thead th.num")).to_have_count(6)
    await page.go_back()
    await page.get_by_role("button", name="Clear").click()
    await expect(page.locator("#board input:checked")).to_have_count(0)
    await expect(compare).to_be_hidden()


async def test_a_track_and_a_search_say_how_many_they_leave(visitor: Visitor) -> None:
    """Of a track the models are ranked among themselves: 1, 2, 3, with the board's rank below."""
    page = await open_board(visitor, BOARD)
    count = page.locator("#count")
    await page.get_by_label("Track").select_option(TRACK)
    await page.wait_for_url("**/community?track=*")
    rows = page.locator("#board tbody tr:visible")
    many = await rows.count()
    await expect(count).to_have_text(re.compile(rf"^{many} of {MANY} models$"))
    places = page.locator("#board .c-rank strong")
    assert await places.all_inner_texts() == [str(place) for place in range(1, many + 1)]
    await page.get_by_label("Search models").fill("model-1")
    await expect(count).not_to_have_text(re.compile(rf"^{many} of"))
    found = await rows.count()
    await expect(count).to_have_text(re.compile(rf"^{found} of {MANY} models$"))
    assert "track=" in page.url
    assert "q=model-1" in page.url
    await page.reload()
    await expect(count).to_have_text(re.compile(rf"^{found} of {MANY} models$"))
    await expect(rows).to_have_count(found)


@deep
async def test_a_board_prints_whole_on_paper(visitor: Visitor) -> None:
    """All columns on a landscape page, all rows, without what only a screen needs."""
    page = await open_board(visitor, BOARD, viewport={"width": 1032, "height": 700})
    await page.emulate_media(media="print")
    sizes = (
        "document.getElementById('board').offsetWidth <= document.querySelector('main').offsetWidth"
    )
    assert await page.evaluate(sizes)
    card = page.locator(".table-card")
    assert await card.evaluate("card => card.offsetHeight > 5000")
    for hidden in (".tools", "header.top", ".c-pick"):
        await expect(page.locator(hidden).first).to_be_hidden()
    await expect(page.get_by_role("columnheader", name="RC_llm")).to_be_visible()


async def test_an_entry_shows_its_scores_on_a_phone(visitor: Visitor) -> None:
    """Value with its interval and rank are in sight without scrolling sideways."""
    page = await visitor.open(viewport=NARROW)
    await page.goto(visitor.site.address("/boards/community/entries/{entry}"))
    row = page.get_by_role("row", name="TAG_mIoU@0.3").first
    compat, rank = row.get_by_role("cell").nth(0), row.get_by_role("cell").nth(1)
    await expect(compat).to_contain_text(re.compile(r"0\.\d{4}\s+0\.\d{3}\u20130\.\d{3}"))
    await expect(rank).to_have_text(re.compile(r"^\d+$"))
    box = await rank.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= NARROW["width"] - 16
    await expect(page.get_by_role("link", name="Verdicts")).to_be_visible()
