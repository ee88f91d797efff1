"""Operations on objections to entries, but for those of administrators."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field

from medvid.benchmark.names import check_text
from medvid.models.base import JsonBody
from medvid.models.notes import LONGEST_NAME, NoteText, Objection, Objections
from services.gateway.accounts.rules import Caller
from services.gateway.boards.names import BoardName
from services.gateway.objections.service import ObjectionService, account_of
from services.gateway.web.endpoints import OWNERS, Access
from services.gateway.web.parameters import id_reader
from services.gateway.web.router import PathText, Router

router: Final = Router("objections")
_ANY_KEY: Final = (Access.SUBMIT, Access.JUDGE, Access.ADMIN)
EntryId = Annotated[
    UUID, Field(description="the entry's id, as on its board"), PathText(id_reader("entry"))
]
ObjectionId = Annotated[
    UUID, Field(description="the objection's id"), PathText(id_reader("objection"))
]


class ObjectionBody(JsonBody):
    """What is wrong with an entry."""

    text: NoteText
    name: Annotated[str, AfterValidator(check_text), Field(max_length=LONGEST_NAME)] | None = Field(
        None, description="yours, shown with the objection; left out, nobody sees who objects"
    )


class AnswerBody(JsonBody):
    """What an entry's owner says to an objection."""

    text: NoteText


async def _admit_objector(caller: Caller) -> None:
    account_of(caller)


@router.post(
    "/leaderboards/{board}/entries/{id}/objections",
    reply="The objection, which administrators look at first.",
    status=201,
    access=_ANY_KEY,
    problems=(
        "board_not_found",
        "entry_not_found",
        "key_required",
        "objection_open",
        "objection_quota",
    ),
    admit=_admit_objector,
)
async def file_objection(
    objections: ObjectionService, board: BoardName, id: EntryId, caller: Caller, body: ObjectionBody
) -> Objection:
    """Object to an entry.

    Nobody but you and the administrators sees it until one of them publishes it; then the entry's
    owner is notified, and may answer once. At most 5 in 24 hours with one key, and one at a time
    to an entry.
    """
    return await objections.file(board, id, caller, body.text, body.name)


@router.get(
    "/objections",
    reply="The newest 100.",
    access=_ANY_KEY,
    problems=("key_required",),
)
async def list_objections(objections: ObjectionService, caller: Caller) -> Objections:
    """List the objections that were filed with your key."""
    return await objections.of_account(caller)


@router.get(
    "/objections/{id}",
    reply="The objection.",
    access=(Access.PUBLIC, *_ANY_KEY),
    problems=("objection_not_found",),
)
async def read_objection(
    objections: ObjectionService, id: ObjectionId, caller: Caller
) -> Objection:
    """Read an objection.

    A published one is everybody's; before, it is shown with the key that it was filed with.
    """
    return await objections.find(id, caller)


@router.post(
    "/objections/{id}/withdraw",
    reply="The objection as it is now.",
    access=_ANY_KEY,
    problems=("key_required", "not_the_objector", "objection_not_found", "objection_settled"),
)
async def withdraw_objection(
    objections: ObjectionService, id: ObjectionId, caller: Caller
) -> Objection:
    """Take an objection of yours back.

    Of one that was published the entry's page says that it was withdrawn, and no longer what it
    said.
    """
    return await objections.withdraw(id, caller)


async def _admit_owner(objections: ObjectionService, id: ObjectionId, caller: Caller) -> None:
    await objections.require_owner(id, caller)


@router.post(
    "/objections/{id}/answer",
    reply="The objection with its answer.",
    access=OWNERS,
    problems=("already_answered", "not_the_owner", "objection_not_found", "objection_settled"),
    admit=_admit_owner,
)
async def answer_objection(
    objections: ObjectionService, id: ObjectionId, caller: Caller, body: AnswerBody
) -> Objection:
    """Answer an objection to your entry.

    Once, while it is published and not resolved. The answer is public, beside it.
    """
    return await objections.answer(id, caller, body.text)
