"""Submitting in a browser: check, send, follow, come back, see the entry arrive on the board."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visitor
from tests.browser.site import PREDICTIONS, Site
from tests.depth import deep


def a_name() -> str:
    return f"Browser model {uuid4().hex[:6]}"


async def fill(page: Page, name: str, file: Path = PREDICTIONS) -> None:
    await page.set_input_files("#file", file)
    await page.get_by_label("Model name").fill(name)
    await page.get_by_label("Organization").fill("A lab")


async def test_from_the_form_to_an_open_board(visitor: Visitor) -> None:
    """The entry appears on a board that was open before, and the reader's view stays."""
    name = a_name()
    board = await visitor.open("/community?sort=-sa_acc&q=model")
    await expect(board.locator("#live")).to_be_visible()
    await board.get_by_role("button", name="SA_acc").focus()

    page = await visitor.open("/submit")
    await fill(page, name)
    await page.get_by_role("button", name="Submit").click()
    await page.wait_for_url("**/submissions/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    await expect(page.locator(".rank")).to_be_visible()
    assert "mvb_" not in page.url

    row = board.locator("tbody tr", has_text=name)
    await expect(row).to_be_visible()
    assert board.url.endswith("?sort=-sa_acc&q=model") or "sort=-sa_acc" in board.url
    assert await board.evaluate("document.activeElement.dataset.key") == "sa_acc"
    values = await board.locator("tbody tr:visible td[data-column=sa_acc]").all_inner_texts()
    assert values == sorted(values, reverse=True)

    await page.get_by_role("button", name="Ask the judge").click()
    await expect(page.locator("#judge")).to_contain_text("Done.")
    await expect(row.locator("td[data-column=rc_llm]")).not_to_have_text("n/a")
    await visitor.shoot(page, "submission-done")
    await page.get_by_role("link", name="The entry").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)


async def test_progress_survives_closing_the_tab(visitor: Visitor, site: Site) -> None:
    """The token in the fragment is kept by the browser, leaves the address and is never sent."""
    submitted = await site.submit(a_name())
    page = await visitor.open()
    sent: list[str] = []
    page.context.on("request", lambda request: sent.append(request.url))
    await page.goto(f"/submissions/{submitted.id}#token={submitted.token}")
    await expect(page.get_by_role("heading", level=1)).to_have_text(submitted.model_name)
    assert submitted.token not in page.url
    context = page.context
    await page.close()

    page = await context.new_page()
    await page.goto("/submit")
    await page.get_by_role("link", name=submitted.model_name).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(submitted.model_name)
    await expect(page.locator(".rank")).to_be_visible()
    assert not [url for url in sent if submitted.token in url.partition("#")[0]]
    await page.get_by_role("button", name="Forget it here").click()
    await expect(page.get_by_label("The token that came")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Ranked")
    await page.get_by_label("The token that came").fill(submitted.token)
    await page.get_by_role("button", name="Show everything").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(submitted.model_name)


async def test_a_check_tells_everything_before_sending(visitor: Visitor, tmp_path: Path) -> None:
    """Problems appear on the page, each with its place and its cure, and nothing is stored."""
    bad = tmp_path / "predictions.json"
    bad.write_text(json.dumps([{"id": "x&&0&&1&&1.0", "qa_type": "nope", "prediction": 5}]))
    page = await visitor.open("/submit")
    await page.set_input_files("#file", bad)
    await page.get_by_role("button", name="Check the file first").click()
    outcome = page.locator("#outcome")
    await expect(outcome.get_by_role("heading", name="This would be refused")).to_be_visible()
    await expect(outcome.get_by_role("listitem").first).to_contain_text("$")
    await visitor.shoot(page, "submit-refused")
    assert await visitor.barriers(page) == []

    await page.set_input_files("#file", PREDICTIONS)
    await page.get_by_role("button", name="Check the file first").click()
    await expect(outcome.get_by_role("heading", name="This can be submitted")).to_be_visible()
    await expect(outcome.get_by_role("row", name="Temporal action grounding")).to_be_visible()
    await visitor.shoot(page, "submit-checked")
    assert await visitor.barriers(page) == []


async def test_a_name_that_is_taken_is_shown_and_can_be_fixed(visitor: Visitor) -> None:
    """A refusal leaves the form as it was filled in."""
    page = await visitor.open("/submit")
    await fill(page, "demo MODEL")
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator("#outcome h2")).to_be_visible()
    await page.get_by_label("Model name").fill(a_name())
    await page.get_by_role("button", name="Submit").click()
    await page.wait_for_url("**/submissions/*")
    visitor.forgive("status of 409")


async def test_dropping_a_file(visitor: Visitor, tmp_path: Path) -> None:
    """A dropped file is chosen like any other; one that is too large is refused at once."""
    page = await visitor.open("/submit")
    transfer = await page.evaluate_handle(
        """() => { const transfer = new DataTransfer();
        transfer.items.add(new File(["[]"], "dropped.json")); return transfer; }"""
    )
    await page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    await expect(page.locator("#chosen")).to_contain_text("dropped.json")
    with (tmp_path / "large.json").open("wb") as large:
        large.truncate(65 << 20)
    await page.set_input_files("#file", tmp_path / "large.json")
    await expect(page.locator("#chosen")).to_contain_text("68.2 MB. A file may have 64 MiB.")
    for name in ("Check the file first", "Submit"):
        await expect(page.get_by_role("button", name=name, exact=True)).to_be_disabled()
    await page.set_input_files("#file", PREDICTIONS)
    await expect(page.get_by_role("button", name="Submit", exact=True)).to_be_enabled()


@pytest.mark.parametrize("name", ["", "Demo model"])
async def test_works_without_scripts(visitor: Visitor, name: str) -> None:
    """The form, the refusal and the receipt are pages."""
    page = await visitor.open("/submit", java_script_enabled=False)
    await fill(page, name or a_name())
    await page.get_by_role("button", name="Submit").click()
    if name:
        await expect(page.locator("#outcome h2")).to_be_visible()
        await expect(page.get_by_label("Model name")).to_have_value(name)
        visitor.forgive("status of 409")
        return
    await expect(page.get_by_role("heading", level=1)).to_have_text("Accepted")
    await expect(page.locator(".token")).to_contain_text("mvb_")
    await page.get_by_role("link", name="Follow the submission").click()
    await expect(page.get_by_role("heading", name="Progress")).to_be_visible()


@deep
async def test_versions_evaluation_and_withdrawal(visitor: Visitor) -> None:
    """An owner replaces a submission, evaluates one for their eyes only, and withdraws."""
    name = a_name()
    page = await visitor.open("/submit")
    await fill(page, name)
    await page.get_by_role("button", name="Submit").click()
    await expect(page.locator(".rank")).to_be_visible()
    await page.get_by_text("Replace or withdraw").click()
    await page.get_by_role("link", name="Submit a new version").click()
    await page.set_input_files("#file", PREDICTIONS)
    await page.get_by_role("button", name="Submit").click()
    await page.wait_for_url("**/submissions/*")
    await expect(page.get_by_text("Version 2")).to_be_visible()
    await expect(page.locator(".rank")).to_be_visible()
    await page.get_by_text("Replace or withdraw").click()
    await page.get_by_label("Why it is withdrawn").fill("wrong checkpoint")
    await page.get_by_role("button", name="Withdraw for good").click()
    await expect(page.get_by_text("wrong checkpoint")).to_be_visible()

    await page.goto("/submit")
    await fill(page, name)  # free again
    await page.get_by_label("For you alone").check()
    await page.get_by_role("button", name="Submit").click()
    await page.wait_for_url("**/submissions/*")
    await expect(page.get_by_role("heading", name="Where it would stand")).to_be_visible()
    await visitor.shoot(page, "submission-evaluated")
    assert await visitor.barriers(page) == []
    visitor.forgive("status of 404")  # so it is for everybody else

    stranger = await visitor.open()
    await stranger.goto(page.url)
    await expect(stranger.get_by_role("heading", level=1)).to_have_text("Nothing to see here")
    visitor.forgive("status of 404")
