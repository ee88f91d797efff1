"""The pages of submitting: the form, its check, the receipt, and a submission's state.

They do what the API does, by the same steps, and answer with pages. The owner token reaches them in
a header only, never in an address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final
from uuid import UUID

from aiohttp import web

from medvid.benchmark.decoding import SUBMISSION_LIMITS
from medvid.benchmark.names import FIELD_LIMITS, REQUIRED_FIELDS
from medvid.benchmark.validation import MINIMUM_RECORDS
from medvid.models.boards import COLUMNS
from medvid.models.fact_texts import fact_texts
from medvid.models.facts import FACTS
from medvid.models.problems import ProblemDetails
from medvid.models.reports import DryRunAnswer
from medvid.models.submissions import OwnedSubmission, SubmissionStatus
from services.gateway.accounts.callers import Callers
from services.gateway.accounts.models import quota_status
from services.gateway.accounts.quotas import Quotas
from services.gateway.pages.rendering import EXAMPLE_FILE, Pages
from services.gateway.status.rules import duration
from services.gateway.submissions import models as submission_models
from services.gateway.submissions.access import read_submission_id
from services.gateway.submissions.forms import FILE_FIELD
from services.gateway.submissions.models import dry_run_answer
from services.gateway.submissions.receiver import Receiver
from services.gateway.submissions.records import Upload
from services.gateway.submissions.service import FoundSubmission, SubmissionService
from services.gateway.submissions.test_set import PublishedTestSet
from services.gateway.submissions.uploads import UploadService
from services.gateway.tracks.rules import check_time
from services.gateway.tracks.service import TrackService
from services.gateway.web import problems
from services.gateway.web.parameters import uuid_of
from services.gateway.web.site import the_maintainers
from services.gateway.web.urls import PAGES
from shared.runtime.errors import MedvidError, NotAllowed, NotFound, Unavailable

_STATE_WORDS: Final = {
    "accepted": ("Accepted", "The file is in order and waits for its scores."),
    "scored": ("Scored", "The scores are there; the board takes them over."),
    "ranked": ("Ranked", "The model is on the board."),
    "failed": ("Failed", "The submission got no scores. Its name is free again."),
    "withdrawn": ("Withdrawn", "It was taken back and is on no board. Its name is free again."),
    "replaced": ("Replaced", "A newer version of the model has taken its place."),
}
_RUN_WORDS: Final = {
    "queued": ("Waiting", "for the judge to begin."),
    "running": ("Judging", "captions one distinct pair after the other."),
    "completed": ("Done.", "The three caption metrics are on the board."),
    "paused": ("Paused.", "What was judged is kept."),
    "failed": ("Stopped.", "What was judged is kept."),
}
_PRIVATE: Final = "private, no-store"


@dataclass(frozen=True, slots=True)
class SubmissionPages:
    """What the pages of submitting are made with."""

    pages: Pages
    uploads: UploadService
    submissions: SubmissionService
    receiver: Receiver
    callers: Callers
    quotas: Quotas
    tracks: TrackService
    test_set: PublishedTestSet

    def routes(self) -> list[web.RouteDef]:
        """Return their routes."""
        return [
            web.get(PAGES["submit"], self.form),
            web.post(PAGES["submit"], self.submit),
            web.post(PAGES["submit_check"], self.check),
            web.get(PAGES["submission"], self.submission),
        ]

    async def form(self, request: web.Request) -> web.Response:
        """Show the empty form; where nothing can be submitted yet, it says so at once."""
        problem = None
        try:
            await self.uploads.test_set()
        except Unavailable as error:
            problem = problems.of_error(error, "")
        replaces = uuid_of(request.query.get("replaces", ""))
        caller = await self.callers.understood(request)
        usage = await self.quotas.usage(caller)
        track = self.tracks.tracks.named(request.query.get("track", ""))
        given = {"track": track.name} if track else {}
        facts = self._form(given, problem, replaces=replaces) | {
            "usage": usage and quota_status("", usage),
            "account": caller.key.owner if caller.key and caller.key.is_account else None,
        }
        return self._private("submit.html", facts, HTTPStatus.OK)

    async def submit(self, request: web.Request) -> web.Response:
        """Take a submission; what is wrong with it is shown above the form, filled in as it was."""
        given: Mapping[str, str] = {}
        try:
            _from_here(request)
            caller = await self.callers.of(request)
            key = request.headers.get("Idempotency-Key")
            await self.uploads.admit(caller, self.receiver.announced(request), key)
            async with self.receiver.receive(request, caller) as upload:
                given = _texts(upload)
                receipt = await self.uploads.submit(caller, upload, key)
        except MedvidError as error:
            return self._refuse(error, given)
        facts = {"receipt": receipt, "model_name": given.get("model_name", "The model")}
        return self._private("submitted.html", facts, HTTPStatus.ACCEPTED)

    async def check(self, request: web.Request) -> web.Response:
        """Show what would become of a submission; nothing of it is stored."""
        given: Mapping[str, str] = {}
        try:
            _from_here(request)
            caller = await self.callers.of(request)
            await self.uploads.admit_dry_run(caller, self.receiver.announced(request))
            async with self.receiver.receive(request, caller) as upload:
                given = _texts(upload)
                # What is still blank is not there yet: a file can be checked before the rest.
                filled = {name: text for name, text in upload.texts.items() if text.strip()}
                result = await self.uploads.dry_run(caller, replace(upload, texts=filled))
        except MedvidError as error:
            return self._refuse(error, given)
        facts = self._form(given, checked=dry_run_answer(result))
        return self._private("submit.html", facts, HTTPStatus.OK)

    async def submission(self, request: web.Request) -> web.Response:
        """Show a submission's state, all of it to its owner."""
        caller = await self.callers.of(request)
        try:
            submission_id = read_submission_id(request.match_info["id"])
            found = await self.submissions.status(submission_id, caller)
        except NotFound:
            # Perhaps it is for its owner's eyes only: the script asks again with the token.
            facts = {"id": request.match_info["id"]}
            return self._private("submission_unknown.html", facts, HTTPStatus.NOT_FOUND)
        status = submission_models.submission_status(found)
        shown = _facts(status, found) | {"form_token": self.callers.form_token(request, caller)}
        response = self._private("submission.html", shown, HTTPStatus.OK)
        response.headers["Vary"] = "Authorization, Cookie"
        return response

    def _form(
        self,
        given: Mapping[str, str] | None = None,
        problem: ProblemDetails | None = None,
        checked: DryRunAnswer | None = None,
        replaces: UUID | None = None,
    ) -> dict[str, object]:
        errors = (problem.errors if problem else checked.errors if checked else None) or []
        given = given or {}
        earlier = str(replaces) if replaces else given.get("replaces", "")
        return {
            "given": given,
            "problem": problem,
            "checked": checked,
            "bad_fields": {error.path.removeprefix("$.").partition("[")[0] for error in errors},
            "given_facts": any(given.get(name) for name in FACTS),
            "limits": FIELD_LIMITS,
            "required": () if earlier else REQUIRED_FIELDS,
            "replaces": earlier,
            "key_needed": not self.callers.rules.anonymous_submissions,
            "file_megabytes": SUBMISSION_LIMITS.unpacked_bytes >> 20,
            "example_file": EXAMPLE_FILE,
            "least_records": MINIMUM_RECORDS,
            "usage": None,
            "account": None,
            "sign_in": self.callers.rules.sign_in,
            "published": self.test_set.representation is not None,
            "tracks": self._tracks(),
        }

    def _tracks(self) -> list[tuple[str, str]]:
        """Return the tracks that take submissions now, each with what it requires."""
        now = self.tracks.now()
        return [
            (track.name, ", ".join(track.required.values()))
            for track in self.tracks.tracks.all
            if not check_time(track, now)
        ]

    def _private(self, template: str, facts: Mapping[str, object], status: int) -> web.Response:
        text = self.pages.render(template, **facts)
        headers = {"Cache-Control": _PRIVATE}
        return web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers=headers
        )

    def _refuse(self, error: MedvidError, given: Mapping[str, str]) -> web.Response:
        problem = problems.of_error(error, "")
        facts = self._form(given, problem)
        response = self._private("submit.html", facts, problem.status)
        if problem.status == HTTPStatus.REQUEST_TIMEOUT:  # nothing sensible can follow here
            response.force_close()
        return response


def _from_here(request: web.Request) -> None:
    """Raise NotAllowed where another site's page sends the form: it would use up a quota."""
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise NotAllowed("another site sent this form.", fix="Open the form here and send it.")


def _texts(upload: Upload) -> dict[str, str]:
    return {name: text for name, text in upload.texts.items() if name != FILE_FIELD}


def _may_hasten(status: SubmissionStatus) -> bool:
    """Tell whether a run under way waits for batches that it need not wait for."""
    run, series = status.judging.run, status.judging.series
    by_batch = bool((series and series.by_batch) or (run and run.items_at_provider))
    if run is None or run.fast or run.requested_by == "administrator":
        return False
    return run.state in ("queued", "running") and by_batch


def _given_facts(status: SubmissionStatus) -> dict[str, str]:
    """Return the facts of an owner's submission as the form that changes them has them."""
    known = status.facts if isinstance(status, OwnedSubmission) else None
    return fact_texts(known.model_dump(mode="json") if known else {})


def _facts(status: SubmissionStatus, found: FoundSubmission) -> dict[str, object]:
    """Return what a submission's page is made of."""
    run = status.judging.run
    steps = [step for step in status.timeline if step.kind == "submission"]
    judgeable = status.state in ("scored", "ranked")
    return {
        "status": status,
        "owner": found.owner,
        "run": run,
        "may_judge": judgeable and (run is None or run.state in ("paused", "failed")),
        "may_hasten": _may_hasten(status),
        "may_withdraw": found.owner and status.state not in ("failed", "withdrawn", "replaced"),
        "times": dict.fromkeys(_STATE_WORDS) | {step.state: step.at for step in steps},
        "judging_steps": [step for step in status.timeline if step.kind == "judging"],
        "state_words": _STATE_WORDS,
        "run_words": _RUN_WORDS,
        "failure_fix": _failure_fix(),
        "given_facts": _given_facts(status),
        "columns": COLUMNS,
        "duration": duration,
    }


def _failure_fix() -> str:
    # What was accepted can be scored, so a failure is ours: files with problems are refused before.
    return (
        "Submit the same file again: the name is free, and this try does not count. If it fails "
        f"again, tell {the_maintainers()} the submission's id."
    )
