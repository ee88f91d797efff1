"""The administrators' pages of re-scoring and ground truth."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from medvid.benchmark.tasks import BOARDS
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.admin import operations_wire, rescore_wire
from services.gateway.admin.acting import id_of
from services.gateway.pages.admin_form_fields import Fields, body, checked, given, text
from services.gateway.pages.admin_pages import Context, Section
from services.gateway.pages.admin_sections import Parts

_PAGE: Final = 50


def rescore_sections(parts: Parts) -> list[Section]:
    """Return the pages of re-scoring and ground truth."""

    async def jobs(_: web.Request) -> Context:
        return {"jobs": await parts.rescoring.page(None, _PAGE), "boards": BOARDS,
                "versions": await parts.truths.all()}  # fmt: skip

    async def job(request: web.Request) -> Context:
        found = await parts.rescoring.find(id_of(request, "rescore"))
        preview = await parts.rescoring.preview(found.id)
        failures = list(await parts.rescoring.failures(found.id))
        return {"detail": rescore_wire.rescore_detail(found, preview, failures)}

    async def start(_: web.Request, fields: Fields, action: AdminAction) -> str:
        asked = body(
            rescore_wire.RescoreBody, why=action.why, **given(fields, "ground_truth", "board")
        )
        found = await parts.rescoring.start(
            action, version=asked.ground_truth, board=asked.board, entry_ids=None
        )
        return f"{found.items} entries are being scored; the difference comes when all are."

    async def apply(request: web.Request, fields: Fields, action: AdminAction) -> str:
        asked = body(
            rescore_wire.ApplyBody, why=action.why, preview=text(fields, "preview"),
            without_failed=checked(fields, "without_failed"),
            make_current=checked(fields, "make_current"),
            judge_again=checked(fields, "judge_again"),
        )  # fmt: skip
        await parts.rescoring.apply(id_of(request, "rescore"), action, asked.wanted())
        return "The scores are in force."

    async def discard(request: web.Request, _: Fields, action: AdminAction) -> str:
        await parts.rescoring.discard(id_of(request, "rescore"), action)
        return "The job is dropped; the scores in force stay."

    async def truths(_: web.Request) -> Context:
        return {"versions": await parts.truths.all()}

    async def choose(_: web.Request, fields: Fields, action: AdminAction) -> str:
        asked = body(operations_wire.ChooseBody, why=action.why, version=text(fields, "version"))
        await parts.truths.choose(asked.version, action)
        return f"Uploads are checked against {asked.version[:12]}."

    async def reload(_: web.Request, fields: Fields, action: AdminAction) -> str:
        loaded = await parts.truths.reload(
            text(fields, "file"), action, current=checked(fields, "current")
        )
        return f"{loaded.version[:12]}: {loaded.samples} samples."

    return [
        Section("/rescores", "admin_rescores.html", "Re-scoring", jobs, {"start": start}),
        Section("/rescores/{id}", "admin_rescore.html", "Re-score job", job,
                {"apply": apply, "discard": discard}, linked=False),
        Section("/ground-truths", "admin_truths.html", "Ground truth", truths,
                {"choose": choose, "reload": reload}),
    ]  # fmt: skip
