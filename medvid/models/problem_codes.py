"""Every problem the API can answer with: its stable code, its status, what it means.

Clients branch on the code. One is never given another meaning or removed; the status is the code's
own, so that an answer's status and code always agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medvid.benchmark.names import SAME_NAMES


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """A kind of problem. `meaning` says when it occurs and what helps, in one or two sentences."""

    status: int
    meaning: str


_REQUEST: Final = {
    "bad_request": ProblemCode(400, "The request is malformed HTTP or misses its parts."),
    "invalid_query": ProblemCode(
        400, "A query parameter or header is unknown, repeated, or not among its values."
    ),
    "not_found": ProblemCode(404, "There is nothing at this address."),
    "method_not_allowed": ProblemCode(
        405, "The address exists, but not for this method; the Allow header names those it has."
    ),
    "not_acceptable": ProblemCode(
        406, "The Accept header refuses every representation that there is."
    ),
    "too_large": ProblemCode(413, "The body, or a part of it, is over its limit."),
    "head_too_long": ProblemCode(
        431, "The address or a header is longer than 8,190 bytes; in browsers often the cookies."
    ),
    "unsupported_media_type": ProblemCode(
        415, "The body's Content-Type is not one that this address takes."
    ),
    "invalid_weights": ProblemCode(
        422, "Weights are no 'metric:number' pairs, or none of them is above 0."
    ),
    "board_too_large": ProblemCode(422, "The board has too many entries for this."),
    "invalid_input": ProblemCode(422, "What was sent can never work as it is."),
    "invalid_body": ProblemCode(
        422, "The body is no JSON of the expected form; 'errors' lists what is wrong."
    ),
    "body_too_slow": ProblemCode(408, "The body came too slowly and was given up."),
    "internal": ProblemCode(
        500, "Something failed on our side; tell the maintainers the request id."
    ),
    "unavailable": ProblemCode(
        503, "It cannot be done at this moment; try again after the Retry-After seconds."
    ),
}
_CREDENTIALS: Final = {
    "invalid_authorization": ProblemCode(400, "The Authorization header is not 'Bearer TOKEN'."),
    "invalid_token": ProblemCode(401, "The token is not one that may do this."),
    "token_required": ProblemCode(401, "This needs a token, and none was sent."),
    "unknown_key": ProblemCode(401, "There is no such API key."),
    "unknown_credential": ProblemCode(
        401,
        "What was sent is neither an API key nor an owner token that we know. Without any, what is "
        "open to everybody would have been done.",
    ),
    "revoked_key": ProblemCode(401, "The API key was revoked; use another."),
    "key_required": ProblemCode(
        401, "This needs an API key, submissions perhaps only here, and none was sent."
    ),
    "administration_off": ProblemCode(
        403, "Administration is off, as the operator set no administrator's key."
    ),
    "missing_scope": ProblemCode(403, "The API key lacks the scope that this needs."),
    "not_the_owner": ProblemCode(403, "The submission was not sent with this API key."),
    "account_stays": ProblemCode(
        403, "The key is a program's of an account: it may be ended, the account stays."
    ),
    "not_signed_in": ProblemCode(403, "The key was not made by signing in."),
    "sign_in_failed": ProblemCode(
        403, "The sign-in was begun elsewhere, is too old, or what the provider sent is not valid."
    ),
    "device_code_denied": ProblemCode(403, "The account's owner refused the program."),
    "sign_in_off": ProblemCode(404, "Nobody can sign in here: no identity provider is set up."),
    "device_code_unknown": ProblemCode(404, "The code is mistyped, used or too old."),
    "too_many_keys": ProblemCode(409, "The account has as many keys as it may; end some."),
    "slow_down": ProblemCode(429, "The program asks too often; Retry-After says how long to wait."),
    "provider_unavailable": ProblemCode(
        503, "The identity provider did not answer as it must; try again."
    ),
    "registration_closed": ProblemCode(403, "Only administrators make API keys here."),
    "key_not_found": ProblemCode(404, "There is no API key with this id."),
    "registration_quota": ProblemCode(
        429, "Too many API keys were made from this address; Retry-After says when to come back."
    ),
    "submission_quota": ProblemCode(
        429, "The submissions of 24 hours are used up; the detail names when the next can be sent."
    ),
    "track_quota": ProblemCode(
        429,
        "The submissions to the track, of 24 hours or of all time, are used up; the detail names "
        "when the next can be sent.",
    ),
    "byte_quota": ProblemCode(
        429, "The bytes of 24 hours are used up; the detail names when there is room again."
    ),
    "judging_quota": ProblemCode(
        429, "The judge runs of 30 days are used up; the detail names when there is room again."
    ),
    "validation_quota": ProblemCode(
        429, "The dry runs of 24 hours are used up; the detail names when the next can be made."
    ),
    "evaluation_quota": ProblemCode(
        429,
        "The evaluate-only submissions of 24 hours, or of all time, are used up; the detail names "
        "when the next can be sent.",
    ),
    "objection_quota": ProblemCode(
        429,
        "Too many objections were filed with the key in 24 hours, or wait at the entry.",
    ),
    "facts_quota": ProblemCode(
        429, "The model's facts were changed too often in 24 hours; change several at once, later."
    ),
    "too_many_at_once": ProblemCode(
        429, "This address has as many uploads or event streams open as it may; wait for one."
    ),
    "too_many_guesses": ProblemCode(
        429, "Too many keys that do not exist came from this address; Retry-After says how long."
    ),
    "quota_exhausted": ProblemCode(429, "Your quota never allows this; ask the maintainers."),
    "not_allowed": ProblemCode(403, "The caller may not do this."),
    "administrator_required": ProblemCode(403, "Only an administrator may do this."),
}
_SUBMISSIONS: Final = {
    "malformed_multipart": ProblemCode(
        400, "The body is not the form that its Content-Type promises, or was cut off."
    ),
    "invalid_idempotency_key": ProblemCode(
        400, "The Idempotency-Key is not 1 to 255 visible ASCII characters."
    ),
    "submission_not_found": ProblemCode(404, "There is no submission with this id."),
    "test_set_not_published": ProblemCode(
        404, "The operator does not publish the test set; POST /validate checks a file without it."
    ),
    "file_gone": ProblemCode(410, "The submission's file is not kept any more."),
    "upload_too_slow": ProblemCode(408, "The body came too slowly and was given up."),
    "model_name_taken": ProblemCode(409, f"The board has a model of this name; {SAME_NAMES}."),
    "webhook_not_found": ProblemCode(404, "The submission has no webhook."),
    "not_replaceable": ProblemCode(
        409, "Only what stands on the community board can have a new version."
    ),
    "replacement_pending": ProblemCode(
        409, "A new version of the model waits for its scores already."
    ),
    "not_withdrawable": ProblemCode(409, "The submission failed or was replaced: nothing is left."),
    "upload_too_large": ProblemCode(413, "The upload is over its limit; send the file as gzip."),
    "invalid_submission": ProblemCode(
        422, "The form or the file has problems; 'errors' lists them, each with its fix."
    ),
    "coverage_too_low": ProblemCode(
        422,
        "The file answers too few samples for a place on a board; send it with "
        "`evaluate_only=true` to have it evaluated for yourself.",
    ),
    "track_not_open": ProblemCode(
        422, "The track takes no submissions yet; the detail names when it opens."
    ),
    "track_closed": ProblemCode(
        422, "The track takes no submissions any more; without `track` the model is ranked alone."
    ),
    "idempotency_key_reused": ProblemCode(
        422, "The Idempotency-Key was used for another request; use a fresh one."
    ),
    "validation_timeout": ProblemCode(422, "The check of the file took too long."),
    "validation_failed": ProblemCode(503, "The check of the file failed on our side."),
    "no_ground_truth": ProblemCode(503, "No test set is loaded, so nothing can be checked yet."),
}
_JUDGING: Final = {
    "run_not_found": ProblemCode(404, "The submission was never judged."),
    "verdicts_hidden": ProblemCode(
        403,
        "The verdicts of evaluate-only submissions are not shown: their mean is the exact value. "
        "Those of a ranked submission are.",
    ),
    "already_judged": ProblemCode(409, "The judge at work has judged the submission already."),
    "already_running": ProblemCode(409, "The submission is being judged; follow its status."),
    "no_entry": ProblemCode(409, "The submission has no entry that could be judged."),
    "not_paused": ProblemCode(409, "The run is neither paused nor failed."),
    "not_running": ProblemCode(409, "The run is neither queued nor running."),
    "not_scored_yet": ProblemCode(409, "The submission has no scores yet; wait for them."),
    "over_budget": ProblemCode(409, "Judging it would cost more than the budget holds."),
    "needs_operator": ProblemCode(409, "The run waits for an operator to set the judge right."),
    "paused_by_administrator": ProblemCode(409, "An administrator paused the run."),
    "unconfirmed_not_official": ProblemCode(
        409, "Scores of a judge whose model is not confirmed never reach the official board."
    ),
    "stub_not_official": ProblemCode(
        409, "A stand-in judge's scores never reach the official board."
    ),
    "judge_not_configured": ProblemCode(503, "No judge is set up."),
}
_ADMINISTRATION: Final = {
    "reason_required": ProblemCode(
        422, "An act of administration needs a short, readable reason for the audit log."
    ),
}
_BOARDS: Final = {
    "board_not_found": ProblemCode(404, "There is no board of this name."),
    "entry_not_found": ProblemCode(404, "The board has no entry with this id."),
    "entry_gone": ProblemCode(
        410,
        "The entry left its board; 'entry' says what it was, which ranks it had, and by what it "
        "was replaced.",
    ),
    "hub_dataset_not_set": ProblemCode(
        404, "The server does not say which data set of Hugging Face's Hub its results belong to."
    ),
    "snapshot_not_found": ProblemCode(404, "There is no such snapshot, or it is another board's."),
    "task_not_found": ProblemCode(404, "There is no task of this name."),
    "track_not_found": ProblemCode(404, "There is no track with this id."),
    "track_not_final": ProblemCode(
        404, "The track's results are not frozen yet; the track names its board of today."
    ),
    "objection_not_found": ProblemCode(
        404, "There is no objection with this id, or none that the caller may see."
    ),
    "not_the_objector": ProblemCode(403, "The objection was not filed with this API key."),
    "objection_open": ProblemCode(
        409, "An objection of this key to the entry waits already; withdraw it first."
    ),
    "objection_settled": ProblemCode(
        409, "The objection is resolved, refused, withdrawn, or not published yet."
    ),
    "already_answered": ProblemCode(409, "The objection has its one answer."),
    "invalid_cursor": ProblemCode(400, "The cursor is not one that a page named."),
}
_ADMIN_ACTIONS: Final = {
    "entry_not_found": ProblemCode(404, "There is no entry with this id."),
    "note_not_found": ProblemCode(404, "There is no objection, note or erratum with this id."),
    "note_settled": ProblemCode(409, "The note's state does not allow this."),
    "invalid_erratum": ProblemCode(
        422, "A snapshot is corrected by a later one of the same board and scoring."
    ),
    "dead_letter_not_found": ProblemCode(404, "There is no dead letter with this number."),
    "ground_truth_not_found": ProblemCode(404, "There is no such ground truth version."),
    "file_not_found": ProblemCode(404, "The server's folder has no file of this name."),
    "rescore_not_found": ProblemCode(404, "There is no re-score job with this id."),
    "endpoint_not_found": ProblemCode(404, "The judge's pool has no endpoint of this name."),
    "judge_version_not_found": ProblemCode(404, "There is no such judge version, or several."),
    "same_parser": ProblemCode(409, "That judge's replies are read by this parser already."),
    "nothing_to_reread": ProblemCode(409, "There is no entry whose replies could be read again."),
    "nothing_to_judge": ProblemCode(
        409, "There is no entry that the judge in force could judge and has not."
    ),
    "estimate_outdated": ProblemCode(
        409, "Judging takes more calls by now than the estimate that was looked at."
    ),
    "nothing_to_rescore": ProblemCode(409, "There is no entry that could be scored anew."),
    "rescore_unfinished": ProblemCode(409, "Another re-score job is neither applied nor dropped."),
    "rescore_not_ready": ProblemCode(409, "The job's difference is not there yet, or it is over."),
    "entries_unranked": ProblemCode(409, "Entries that rank today would not any more."),
    "rescore_failures": ProblemCode(409, "Some entries of the job could not be scored anew."),
    "board_being_ranked": ProblemCode(
        409, "The board has changed and is being ranked; try again in a moment."
    ),
    "preview_outdated": ProblemCode(
        409, "The boards have changed since this difference was computed; look at the newest."
    ),
    "rescore_applied": ProblemCode(409, "The job's scores are in force already."),
    "foreign_form": ProblemCode(403, "The form was not made for this browser, or is too old."),
    "entry_present": ProblemCode(409, "The entry is on its board; take it off first."),
    "fact_held": ProblemCode(
        409, "An administrator set the fact; owners cannot change it until it is released."
    ),
    "entry_removed": ProblemCode(409, "The entry was removed from its board."),
    "no_submission": ProblemCode(409, "The entry was added by hand and has no submission."),
    "not_restorable": ProblemCode(409, "The entry's submission failed or was taken back."),
    "not_replayable": ProblemCode(409, "The dead letter holds no message that could be sent."),
    "reason_required": ProblemCode(422, "An action needs a reason, which is written down."),
    "not_sealable": ProblemCode(
        409, "The snapshot has no sealed part, or its replicates are no longer those stored."
    ),
    "no_ground_truth_folder": ProblemCode(422, "The server loads no files of its own."),
}
_OTHER: Final = {
    "conflict": ProblemCode(409, "The request clashes with what is there."),
}

PROBLEM_CODES: Final[Mapping[str, ProblemCode]] = {
    **_REQUEST,
    **_CREDENTIALS,
    **_SUBMISSIONS,
    **_JUDGING,
    **_ADMINISTRATION,
    **_BOARDS,
    **_ADMIN_ACTIONS,
    **_OTHER,
}
"""All of them, by code."""

KEY_PROBLEMS: Final = (
    "invalid_authorization",
    "unknown_key",
    "revoked_key",
    "too_many_guesses",
)
"""What every address that takes a key may answer."""
ADMINISTRATION: Final = (
    *KEY_PROBLEMS,
    "unknown_credential",
    "administration_off",
    "administrator_required",
    "missing_scope",
    "token_required",
)
"""What every address for administrators may answer."""
QUOTA_PROBLEMS: Final = ("submission_quota", "byte_quota", "evaluation_quota", "quota_exhausted")
"""What every address that takes uploads may answer."""
