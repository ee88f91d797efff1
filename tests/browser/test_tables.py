"""Tables that stay readable: head and names stay in sight, and an edge tells that there is more."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import Visitor

WIDE = {"width": 1440, "height": 900}
"""The whole table fits: the page scrolls."""
MIDDLE = {"width": 1024, "height": 768}
"""It does not: the table scrolls in its card."""
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
@pytest.mark.parametrize("size", [WIDE, MIDDLE], ids=["wide", "middle"])
async def test_head_and_names_stay_in_sight(visitor: Visitor, size: Any, scripts: bool) -> None:
    """At the far end of 237 rows one still reads which model and which metric a number is of."""
    page = await visitor.open("/community", viewport=size, java_script_enabled=scripts)
    assert await page.locator("#board tbody tr").count() > 237
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
    page = await visitor.open("/community", viewport=MIDDLE)
    await _places(page, 150, 2)
    await page.wait_for_function("history.state?.top > 0")
    top = await page.evaluate("document.querySelector('.table-card').scrollTop")
    await page.locator("#board tbody tr:nth-child(150) a.model").click()
    await page.wait_for_url("**/entries/*")
    await page.go_back()
    await page.wait_for_function(
        f"Math.abs(document.querySelector('.table-card').scrollTop - {top}) < 5"
    )
