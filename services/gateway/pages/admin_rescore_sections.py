"""The administrators' pages of re-scoring and ground truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from aiohttp import web

from medvid.benchmark.tasks import BOARDS
from services.gateway.admin import operations_api
from services.gateway.admin.operations_models import LoadedView
from services.gateway.admin.rescore_models import RescoreJobView, rescore_detail
from services.gateway.pages.admin_forms import form
from services.gateway.pages.admin_pages import Context, Section
from services.gateway.pages.admin_parts import Parts
from services.gateway.web.parameters import id_reader

_PAGE: Final = 50


def rescore_sections(parts: Parts) -> list[Section]:
    """Return the pages of re-scoring and ground truth."""

    async def jobs(_: web.Request) -> Context:
        return {"jobs": await parts.rescoring.page(None, _PAGE), "boards": BOARDS,
                "versions": await parts.truths.all()}  # fmt: skip

    async def job(request: web.Request) -> Context:
        found = await parts.rescoring.find(_job_id(request))
        preview = await parts.rescoring.preview(found.id)
        failures = await parts.rescoring.failures(found.id)
        return {"detail": rescore_detail(found, preview, failures)}

    async def truths(_: web.Request) -> Context:
        return {"versions": await parts.truths.all()}

    def started(job: RescoreJobView, _: object) -> str:
        return f"{job.items} entries are being scored; the difference comes when all are."

    def chosen(_: object, given: Mapping[str, Any]) -> str:
        return f"Uploads are checked against {given['body'].version[:12]}."

    def loaded(done: LoadedView, _: object) -> str:
        return f"{done.version[:12]}: {done.samples} samples."

    return [
        Section("admin_rescores", "admin_rescores.html", "Re-scoring", jobs,
                {"start": form(parts, operations_api.start_rescore, started)}),
        Section("admin_rescore", "admin_rescore.html", "Re-score job", job,
                {"apply": form(parts, operations_api.apply_rescore, "The scores are in force."),
                 "discard": form(parts, operations_api.discard_rescore,
                                 "The job is dropped; the scores in force stay.")},
                under="admin_rescores"),
        Section("admin_ground_truths", "admin_truths.html", "Ground truth", truths,
                {"choose": form(parts, operations_api.choose_ground_truth, chosen),
                 "reload": form(parts, operations_api.reload_ground_truth, loaded)}),
    ]  # fmt: skip


def _job_id(request: web.Request) -> UUID:
    return id_reader("rescore")(request.match_info["id"])
