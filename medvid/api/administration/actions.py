"""How an action is sent: with its reason, and again where the reply was lost."""

from __future__ import annotations

from typing import Final

from medvid.api.calls import post
from medvid.api.transport import Transport
from medvid.models.base import AnswerType

PAGE_SIZE: Final = 200


async def do(
    transport: Transport, path: str, answer: type[AnswerType], why: str, **given: object
) -> AnswerType:
    """Do an action; fields that are None are left out."""
    body = {name: value for name, value in given.items() if value is not None}
    call = post(f"/admin{path}", {"why": why, **body}, repeatable=True)
    return await transport.ask(call, answer)
