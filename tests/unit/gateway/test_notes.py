"""What notes may become, what is read of them, and the feed that tells of changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest
from pydantic import ValidationError

from medvid.models.notes import (
    LONGEST_NOTE,
    BoardChange,
    ChangesAnswer,
    NoteReply,
    PublicNote,
    objection_badges,
)
from services.gateway.admin.note_rules import BECOMES, Step, is_due
from services.gateway.boards.changes import changes_feed
from services.gateway.boards.notes import change_sentence
from services.gateway.objections.api import AnswerBody, ObjectionBody
from services.gateway.objections.rules import require_answerable, require_withdrawable
from services.gateway.pages.changes_page import in_time
from services.gateway.pages.rendering import Pages
from services.gateway.web.site import Site
from shared.runtime.errors import Conflict

ATOM = "{http://www.w3.org/2005/Atom}"
MOMENT = datetime(2026, 5, 1, tzinfo=UTC)
MARKUP = "<script>alert(1)</script> ]]> & \x0b javascript:alert(1) http://example.org/?a=1&b=2"


@pytest.mark.parametrize("step", BECOMES)
def test_a_step_is_due_from_its_states_alone_and_done_once(step: Step) -> None:
    due = {
        "publish": {"open"},
        "refuse": {"open"},
        "resolve": {"published"},
        "withdraw": {"published", "resolved"},
    }
    for state in ("open", "published", "resolved", "refused", "withdrawn"):
        if state == BECOMES[step]:
            assert not is_due(state, step)
        elif state in due[step]:
            assert is_due(state, step)
        else:
            with pytest.raises(Conflict):
                is_due(state, step)


def test_an_objection_is_answered_once_while_it_stands_and_taken_back_until_it_is_settled() -> None:
    require_answerable("published", None)
    require_withdrawable("open")
    require_withdrawable("published")
    with pytest.raises(Conflict) as refused:
        require_answerable("published", "No.")
    assert refused.value.error_code == "already_answered"
    for state in ("resolved", "refused", "withdrawn"):
        with pytest.raises(Conflict):
            require_withdrawable(state)
        with pytest.raises(Conflict):
            require_answerable(state, None)


@pytest.mark.parametrize(
    "text", ["", " \n ", "a\x00b", "a\x1bb", "a\u202eb", "a\u200bb", "x" * (LONGEST_NOTE + 1), 7]
)
def test_a_text_is_visible_and_bounded(text: object) -> None:
    for model in (ObjectionBody, AnswerBody):
        with pytest.raises(ValidationError):
            model.model_validate({"text": text})


def test_a_text_keeps_its_lines_and_a_name_has_one() -> None:
    read = ObjectionBody.model_validate({"text": " one\r\ntwo ", "name": "A. Reader"})
    assert (read.text, read.name) == ("one\ntwo", "A. Reader")
    for name in ("a\nb", "", "x" * 201):
        with pytest.raises(ValidationError):
            ObjectionBody.model_validate({"text": "wrong", "name": name})


def test_a_row_is_marked_by_an_objection_that_stands_else_by_one_that_is_resolved() -> None:
    assert objection_badges(()) == objection_badges(["withdrawn"]) == ()
    assert objection_badges(["resolved", "published"]) == ("objection",)
    assert objection_badges(["resolved"]) == ("objection resolved",)


def test_a_change_is_told_by_what_differs() -> None:
    rule = ["other_judges: missing", "published: ranked", "ranking: competition"]
    other = [*rule[:2], "ranking: dense"]
    assert change_sentence("rule", "official", rule, other) == (
        "The ranking rule of the official board changed from competition ranking to dense ranking."
    )
    ranked = ["other_judges: ranked", *rule[1:]]
    assert "from missing values of other judges to ranked" in change_sentence(
        "rule", "official", rule, ranked
    )
    told = change_sentence("ground_truth", "community", ["a" * 64], ["a" * 64, "b" * 64])
    assert told.endswith(f"from {'a' * 12} to {'a' * 12}, {'b' * 12}.")
    assert "from 1 to 1, 2." in change_sentence("metric", "official", ["1"], ["1", "2"])


def change(number: int, at: datetime = MOMENT) -> BoardChange:
    return BoardChange(
        id=UUID(int=number), kind="rule", board="official", at=at, before=["a"], after=["b"],
        text="It changed.", snapshot="/api/v1/snapshots/2", page="/boards/official/snapshots/2",
    )  # fmt: skip


def note(number: int, **changes: Any) -> PublicNote:
    values: dict[str, Any] = {
        "id": UUID(int=number), "kind": "note", "state": "published", "by": "administrator",
        "name": None, "text": MARKUP, "published_at": MOMENT, "changed_at": MOMENT,
        "board": "official",
    }  # fmt: skip
    return PublicNote(**{**values, **changes})


def items(found: ChangesAnswer) -> tuple[ElementTree.Element, list[ElementTree.Element]]:
    feed = changes_feed(found, Site.of("https://example.org/below"))
    root = ElementTree.fromstring(feed.identity.body)  # noqa: S314 - it is our own
    return root, root.findall(f"{ATOM}entry")


def test_the_feed_keeps_ids_tells_when_and_carries_markup_as_text() -> None:
    later = MOMENT + timedelta(days=1)
    root, (first, second) = items(ChangesAnswer(changes=[change(1, later)], notes=[note(2)]))
    assert root.findtext(f"{ATOM}updated") == "2026-05-02T00:00:00Z"
    assert first.findtext(f"{ATOM}id") == UUID(int=1).urn
    assert second.findtext(f"{ATOM}id") == UUID(int=2).urn
    assert second.findtext(f"{ATOM}summary") == MARKUP.replace("\x0b", "\ufffd")
    link = second.find(f"{ATOM}link")
    assert link is not None
    assert link.get("href") == f"https://example.org/changes#note-{UUID(int=2)}"

    withdrawn = note(2, state="withdrawn", text=None, changed_at=later, withdrawn_at=later)
    _, (only,) = items(ChangesAnswer(changes=[], notes=[withdrawn]))
    assert only.findtext(f"{ATOM}id") == UUID(int=2).urn
    assert only.findtext(f"{ATOM}updated") == "2026-05-02T00:00:00Z"
    assert only.findtext(f"{ATOM}published") == "2026-05-01T00:00:00Z"
    assert only.findtext(f"{ATOM}summary") == "It was withdrawn."
    empty, none = items(ChangesAnswer(changes=[], notes=[]))
    assert none == []
    assert empty.findtext(f"{ATOM}updated") == "2026-01-01T00:00:00Z"
    _, many = items(ChangesAnswer(changes=[change(n) for n in range(80)], notes=[]))
    assert len(many) == 50


def test_the_page_shows_markup_as_text_and_only_web_addresses_as_links() -> None:
    found = ChangesAnswer(
        changes=[change(1)],
        notes=[note(2, resolution=NoteReply(at=MOMENT, text=MARKUP)), note(3, text=None,
               state="withdrawn", withdrawn_at=MOMENT)],
    )  # fmt: skip
    page = Pages().render("changes.html", found=in_time(found))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert 'href="javascript:' not in page
    address = '<a href="http://example.org/?a=1&amp;b=2" rel="nofollow noopener ugc">'
    assert page.count(address) == 2
    assert "no longer shown" in page
