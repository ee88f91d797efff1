"""The page of a submission's verdicts, for its owner: each caption with its scores, worst first.

References, and raw replies and reasons, which may quote them, never come here. The administrators'
page, which shows reasons, is made of the same parts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import hdrs, web

from medvid.benchmark.tasks import ASPECTS, JUDGE_METRIC_KEYS, METRICS
from medvid.models.judging import VerdictPage
from services.gateway.accounts.callers import Callers
from services.gateway.accounts.rules import Caller
from services.gateway.judging.api import VerdictsQuery
from services.gateway.judging.models import verdict_page
from services.gateway.judging.service import FoundVerdicts, JudgingService
from services.gateway.judging.store import VerdictQuery
from services.gateway.pages.rendering import TASK_NAMES, Pages
from services.gateway.submissions.access import read_submission_id
from services.gateway.web.parameters import read_query
from services.gateway.web.urls import PAGES, url
from shared.runtime.errors import NotAllowed, NotFound

_FORM: Final = ("metric", "aspect", "at_most", "source", "state", "cut", "model", "order")
_DEFAULTS: Final = {"order": "worst", "page_size": "50"}
_TASKS: Final = {
    metric.key: TASK_NAMES[metric.task] for metric in METRICS if metric.key in JUDGE_METRIC_KEYS
}
_CHOICES: Final = {
    "metric": ("Task", {"": "all", **_TASKS}),
    "aspect": ("Score", {"": "mean of all", **{key: f"{key} {ASPECTS[key]}" for key in ASPECTS}}),
    "at_most": ("At most", {"": "any", **{str(score): str(score) for score in range(1, 5)}}),
    "state": (
        "State",
        {"": "all", "scored": "scored", "unscored": "without a verdict", "open": "not judged yet"},
    ),
    "cut": ("Length", {"": "all", "true": "too long, cut", "false": "judged whole"}),
    "order": ("Order", {"worst": "worst first", "pair": "as in the file"}),
}
"""Label and options of each filter that does not depend on the run."""


@dataclass(frozen=True, slots=True)
class VerdictPages:
    """What the page is made with."""

    pages: Pages
    judging: JudgingService
    callers: Callers

    def routes(self) -> list[web.RouteDef]:
        """Return its route."""
        return [web.get(PAGES["verdicts"], self.verdicts)]

    async def verdicts(self, request: web.Request) -> web.Response:
        """Show a page of verdicts to the owner, and to others where the owner token goes."""
        caller = await self.callers.of(request)
        facts: dict[str, object] = {
            "id": request.match_info["id"],
            "run": None,
            "owner": False,
            "hidden": False,
            "form_token": self.callers.form_token(request, caller),
        }
        status = HTTPStatus.OK
        try:
            submission_id = read_submission_id(request.match_info["id"])
            facts |= await self._found(submission_id, caller, request.query)
        except NotFound as error:
            facts["owner"] = error.error_code == "run_not_found"
            status = HTTPStatus.NOT_FOUND
        except NotAllowed as error:
            facts["hidden"] = error.error_code == "verdicts_hidden"
            # The script asks again with the token, which no address holds. A wrong one is refused.
            if facts["hidden"]:
                status = HTTPStatus.FORBIDDEN
            elif hdrs.AUTHORIZATION in request.headers:
                status = HTTPStatus.UNAUTHORIZED
        text = self.pages.render("verdicts.html", **facts)
        headers = {"Cache-Control": "private, no-store", "Vary": "Authorization, Cookie"}
        return web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers=headers
        )

    async def _found(
        self, submission_id: UUID, caller: Caller, query: Mapping[str, str]
    ) -> dict[str, object]:
        asked, wanted = read_filters(query)
        found = await self.judging.verdicts(submission_id, caller, wanted)
        page = verdict_page(found, wanted)
        models = await self.judging.store.verdict_models(found.run)
        here = {"id": submission_id}
        return {"owner": True, **shown(found, page, asked, models, "verdicts", here)}


def read_filters(query: Mapping[str, str]) -> tuple[dict[str, str], VerdictQuery]:
    """Return what a form asks for, and the same for the store; raises InvalidInput.

    A form sends every field, also those that are left open.
    """
    asked = _DEFAULTS | {name: text for name, text in query.items() if text}
    return asked, read_query(asked, VerdictsQuery).wanted()


def shown(
    found: FoundVerdicts,
    page: VerdictPage,
    asked: Mapping[str, str],
    models: Sequence[str],
    name: str,
    path: Mapping[str, object],
) -> dict[str, object]:
    """Return what the template shows of a page of verdicts; `name` and `path`: the page's own."""
    sources = sorted(set[str]().union(*found.shown_sources.values()))
    choices = _CHOICES | {
        "source": ("Source", {"": "all", **{source: source for source in sources}}),
        "model": ("Model", {"": "all", **{model: model for model in models}}),
    }
    return {
        "run": found.run,
        "page": page,
        "pages": -(-page.total // page.page_size),
        "asked": asked,
        # One option is no choice, but what was asked for stays in sight.
        "choices": {
            name: choices[name]
            for name in _FORM
            if name in asked or len(choices[name][1].keys() - {""}) > 1
        },
        "aspects": ASPECTS,
        "tasks": _TASKS,
        "page_url": lambda number: url(name, **path, query={**asked, "page": number}),
    }
