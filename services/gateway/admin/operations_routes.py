"""Addresses of administration: dead letters, ground truth, judging, boards as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import ClientError, web

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.callers import Callers
from services.gateway.admin import operations_wire as wire
from services.gateway.admin.acting import action_of
from services.gateway.admin.board_settings import BoardSettings
from services.gateway.admin.dead_letters import DeadLetters
from services.gateway.admin.ground_truths import LARGEST_FILE, GroundTruths
from services.gateway.admin.judging_hold import HoldJudging
from services.gateway.admin.routes import ACTION_PROBLEMS, ADMIN, TAG
from services.gateway.admin.wire import Deed, RankingBody
from services.gateway.boards.routes import BoardPath, known_board
from services.gateway.web.bodies import body_of, media_type
from services.gateway.web.endpoints import Body, Endpoint, Handle, json_reply
from services.gateway.web.parameters import query_of
from services.gateway.web.problem_codes import ADMINISTRATION
from services.gateway.web.responses import json_response
from shared.runtime.errors import Conflict, InvalidInput, NotFound, TooLarge

_READ_SECONDS: Final = 300.0
_FILE_TYPES: Final = ("application/json", "application/gzip", "application/octet-stream")


def dead_letter_endpoints(letters: DeadLetters, callers: Callers) -> list[Endpoint]:
    """Return the endpoints of dead letters."""

    async def page(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = query_of(request, wire.LettersQuery)
        found = await letters.page(
            asked.state, asked.queue, asked.reason, before=asked.cursor, limit=asked.limit + 1
        )
        shown = found[: asked.limit]
        cursor = str(shown[-1].id) if len(found) > len(shown) else None
        views = [wire.DeadLetterView.of(letter) for letter in shown]
        return json_response(wire.LettersPage(letters=views, next_cursor=cursor))

    def each(do: Callable[[int, AdminAction], Awaitable[bool]]) -> Handle:
        async def handle(request: web.Request) -> web.Response:
            await callers.administrator(request)
            asked = await body_of(request, wire.LettersBody)
            action = await action_of(request, callers, asked.why)
            ids = asked.ids if asked.ids is not None else await letters.open_ids(
                asked.queue, asked.reason, wire.MOST_LETTERS
            )  # fmt: skip
            outcomes = [await letter_outcome(do, letter_id, action) for letter_id in ids]
            return json_response(wire.LettersAnswer(letters=outcomes))

        return handle

    return [
        Endpoint(
            "GET",
            "/admin/dead-letters",
            page,
            summary="List dead letters",
            description="Messages that could not be handled, newest first, with their reason.",
            tag=TAG,
            query_model=wire.LettersQuery,
            replies={200: json_reply("A page of dead letters.", wire.LettersPage)},
            problems=(*ADMINISTRATION, "invalid_query"),
            access=ADMIN,
        ),
        _letters_action("replay", each(letters.replay), "Send dead letters anew"),
        _letters_action("discard", each(letters.discard), "Close dead letters without sending"),
    ]


def _letters_action(name: str, handler: Handle, summary: str) -> Endpoint:
    return Endpoint(
        "POST",
        f"/admin/dead-letters/{name}",
        handler,
        summary=summary,
        description="Each by itself: one that cannot be does not stop the others.",
        tag=TAG,
        body=Body(wire.LettersBody),
        replies={200: json_reply("What became of each.", wire.LettersAnswer)},
        problems=ACTION_PROBLEMS,
        access=ADMIN,
    )


async def letter_outcome(
    do: Callable[[int, AdminAction], Awaitable[bool]], letter_id: int, action: AdminAction
) -> wire.LetterOutcome:
    """Do something about one letter; what forbids it is told, not raised."""
    try:
        return wire.LetterOutcome(id=letter_id, changed=await do(letter_id, action))
    except (Conflict, NotFound) as error:
        return wire.LetterOutcome(id=letter_id, changed=False, problem=str(error))


def ground_truth_endpoints(truths: GroundTruths, callers: Callers) -> list[Endpoint]:
    """Return the endpoints of ground truth versions."""

    async def listed(request: web.Request) -> web.Response:
        await callers.administrator(request)
        views = [wire.GroundTruthView.of(found) for found in await truths.all()]
        return json_response(wire.GroundTruthList(versions=views))

    async def load(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = query_of(request, wire.LoadQuery)
        action = await action_of(request, callers, asked.why)
        loaded = await truths.load(await _file(request), action, current=asked.current)
        return json_response(wire.LoadedView.of(loaded), status=201 if loaded.new else 200)

    async def reload(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.ReloadBody)
        action = await action_of(request, callers, asked.why)
        loaded = await truths.reload(asked.file, action, current=asked.current)
        return json_response(wire.LoadedView.of(loaded), status=201 if loaded.new else 200)

    async def choose(request: web.Request) -> web.Response:
        await callers.administrator(request)
        asked = await body_of(request, wire.ChooseBody)
        action = await action_of(request, callers, asked.why)
        return json_response(wire.ChangeAnswer(changed=await truths.choose(asked.version, action)))

    loaded_replies = {
        200: json_reply("It was there.", wire.LoadedView),
        201: json_reply("Loaded.", wire.LoadedView),
    }
    return [
        Endpoint(
            "GET",
            "/admin/ground-truths",
            listed,
            summary="List ground truth versions",
            tag=TAG,
            replies={200: json_reply("All versions.", wire.GroundTruthList)},
            problems=ADMINISTRATION,
            access=ADMIN,
        ),
        Endpoint(
            "POST",
            "/admin/ground-truths",
            load,
            summary="Load a ground truth file",
            description="The body is the file: JSON, plain or packed with gzip.",
            tag=TAG,
            query_model=wire.LoadQuery,
            body=Body(wire.TruthFile, _FILE_TYPES[0], "The file of docs/SPEC.md, section 1."),
            replies=loaded_replies,
            problems=(*ACTION_PROBLEMS, "invalid_query", "unavailable"),
            access=ADMIN,
        ),
        Endpoint(
            "POST",
            "/admin/ground-truths/reload",
            reload,
            summary="Load a ground truth file of the server's own folder",
            tag=TAG,
            body=Body(wire.ReloadBody),
            replies=loaded_replies,
            problems=(*ACTION_PROBLEMS, "file_not_found", "no_ground_truth_folder"),
            access=ADMIN,
        ),
        Endpoint(
            "POST",
            "/admin/ground-truths/current",
            choose,
            summary="Choose the ground truth that uploads are checked against",
            tag=TAG,
            body=Body(wire.ChooseBody),
            replies={200: json_reply("Whether it changed.", wire.ChangeAnswer)},
            problems=(*ACTION_PROBLEMS, "ground_truth_not_found"),
            access=ADMIN,
        ),
    ]


def judging_endpoints(hold: HoldJudging, callers: Callers) -> list[Endpoint]:
    """Return the endpoints that hold all judging."""

    async def state(request: web.Request) -> web.Response:
        await callers.administrator(request)
        return json_response(wire.JudgingView.of(await hold.state()))

    def steered(do: Callable[[AdminAction], Awaitable[bool]]) -> Handle:
        async def handle(request: web.Request) -> web.Response:
            await callers.administrator(request)
            asked = await body_of(request, Deed)
            action = await action_of(request, callers, asked.why)
            return json_response(wire.ChangeAnswer(changed=await do(action)))

        return handle

    def steering(name: str, handler: Handle, summary: str) -> Endpoint:
        return Endpoint(
            "POST",
            f"/admin/judging/{name}",
            handler,
            summary=summary,
            tag=TAG,
            body=Body(Deed),
            replies={200: json_reply("Whether it changed.", wire.ChangeAnswer)},
            problems=ACTION_PROBLEMS,
            access=ADMIN,
        )

    return [
        Endpoint(
            "GET",
            "/admin/judging",
            state,
            summary="Read whether judging is held",
            tag=TAG,
            replies={200: json_reply("How judging stands.", wire.JudgingView)},
            problems=ADMINISTRATION,
            access=ADMIN,
        ),
        steering("pause", steered(hold.pause), "Pause all judging, also of runs to come"),
        steering("resume", steered(hold.resume), "Resume judging"),
    ]


def board_setting_endpoints(boards: BoardSettings, callers: Callers) -> list[Endpoint]:
    """Return the endpoint that sets how a board ranks."""

    async def set_ranking(request: web.Request) -> web.Response:
        await callers.administrator(request)
        board = known_board(request.match_info["board"])
        asked = await body_of(request, RankingBody)
        action = await action_of(request, callers, asked.why)
        changed = await boards.set_ranking(board, asked.ranking, action)
        return json_response(wire.ChangeAnswer(changed=changed))

    return [
        Endpoint(
            "POST",
            "/admin/boards/{board}/ranking",
            set_ranking,
            summary="Choose how a board ranks",
            description="It is ranked anew; snapshots of the past stay as they are.",
            tag=TAG,
            path_model=BoardPath,
            body=Body(RankingBody),
            replies={200: json_reply("Whether it changed.", wire.ChangeAnswer)},
            problems=(*ACTION_PROBLEMS, "board_not_found"),
            access=ADMIN,
        )
    ]


async def _file(request: web.Request) -> bytes:
    """Read a file sent as the body; raises InvalidInput, TooLarge."""
    sent = media_type(request)
    if sent not in _FILE_TYPES:
        raise InvalidInput(
            f"the body is {sent}.",
            fix=f"Send the file as {' or '.join(_FILE_TYPES)}.",
            code="unsupported_media_type",
        )
    data = bytearray()
    try:
        async with asyncio.timeout(_READ_SECONDS):
            while piece := await request.content.readany():
                data += piece
                if len(data) > LARGEST_FILE:
                    raise TooLarge(
                        f"the file has more than {LARGEST_FILE:,} bytes.", fix="Pack it with gzip."
                    )
    except TimeoutError:
        raise InvalidInput(
            "the file came too slowly.", fix="Send it again.", code="body_too_slow"
        ) from None
    except (web.RequestPayloadError, ClientError, ConnectionError) as error:
        raise InvalidInput(
            "the file was cut off.", fix="Send it again.", code="bad_request"
        ) from error
    return bytes(data)
