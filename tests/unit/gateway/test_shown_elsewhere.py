"""A board in a frame and a picture of an entry: they leave out nothing that a number needs."""

from __future__ import annotations

import re

from services.gateway.pages.board_view import View
from services.gateway.pages.framed import framed_board
from services.gateway.pages.rendering import Pages
from services.gateway.pages.shown_elsewhere import entry_card
from tests.unit.gateway.test_exported import BOARD, row


def test_a_frame_marks_values_and_models_as_the_board_does() -> None:
    page = framed_board(Pages(), BOARD, View(), ("dvc_llm", "sa_acc"), "")
    assert [re.sub(r"<[^>]+>", "", each) for each in re.findall(r"<td.*</td>", page)][1::2] == [
        "1.000.8000.800", "2.00\u20130.500\u2021 (judge judge-2)", "\u2013n/an/a",
    ]  # fmt: skip
    assert "\u2021 of another judge than the board" in page
    assert "\u2020" not in page
    only_rules = framed_board(Pages(), BOARD, View(), ("cvs_acc",), "")
    assert "\u2021" not in only_rules
    warned = BOARD.model_copy(update={"entries": [row(1, badges=["trained on test videos"])]})
    assert "Lab \u00b7 trained on test videos" in framed_board(Pages(), warned, View(), (), "")


def test_a_picture_says_first_what_a_rank_needs() -> None:
    """However long the names are that follow."""
    warned = row(1, badges=["trained on test videos"], organization="L" * 200)
    assert entry_card(BOARD, warned).subtitle.startswith("trained on test videos \u00b7 LLL")
