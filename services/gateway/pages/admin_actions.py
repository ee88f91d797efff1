"""The table of administrators' actions: the forms of each page, by the operation that they do.

The operation gives the API's route and writes the line of the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from medvid.benchmark.report import Problem
from medvid.benchmark.tasks import METRIC_KEYS
from medvid.models.accounts import NewKey
from medvid.models.administration import (
    ChangeAnswer,
    EntryAction,
    ImportAnswer,
    LettersAnswer,
    LoadedView,
    RowChangeView,
)
from medvid.models.fact_texts import LISTS, fact_values
from medvid.models.facts import FACTS
from medvid.models.jobs import RescoreJobView
from medvid.spreadsheets import decode
from services.gateway.accounts import api as accounts_api
from services.gateway.admin import (
    entries_api,
    notes_api,
    operations_api,
    pool_api,
    succession_api,
)
from services.gateway.admin.board_rows import TEXT_FIELDS
from services.gateway.admin.entries_api import Operation
from services.gateway.pages.admin_form_fields import (
    FILE,
    Fields,
    checked,
    given,
    numbers,
    text,
    upload,
)
from services.gateway.pages.admin_forms import AdminForm
from services.gateway.submissions import api as submissions_api
from services.gateway.web.errors import RefusedBody


def _on_entry(operation: Operation, sentence: str) -> AdminForm:
    def says(done: EntryAction, _: object) -> str:
        return sentence.format(name=done.entry.model_name, board=done.entry.board)

    return AdminForm(operation, says)


def _whether_changed(done: EntryAction | ChangeAnswer, _: object) -> str:
    return "Changed." if done.changed else "It was so before."


def _row(fields: Fields) -> dict[str, object]:
    texts = given(fields, *TEXT_FIELDS, "date")
    return {"entry": {**texts, **numbers(fields, *METRIC_KEYS)}}


def _added(change: RowChangeView, _: object) -> str:
    return f"{change.model_name} is on the {change.board} board ({change.kind})."


def _board_file(fields: Fields) -> dict[str, object]:
    """Return a board file's content, JSON or CSV, and what it changes; raises RefusedBody."""
    sent = upload(fields, FILE)
    existing = "update" if checked(fields, "update") else "keep"
    try:
        if sent.lstrip()[:1] == b"{":
            return {"boards": orjson.loads(sent), "existing": existing}
        return {"csv": decode(sent), "existing": existing}
    except (orjson.JSONDecodeError, UnicodeDecodeError) as error:
        problem = Problem("invalid_json", "$", str(error), "an export", "Choose such a file.")
        raise RefusedBody([problem]) from None


def _stated(fields: Fields) -> dict[str, object]:
    """Return the facts that the form changes, None for one that is blank now; those it releases.

    Others may have changed since the form was shown (`was`), and stay.
    """
    texts = {
        name: ",".join(map(str, fields.getall(name, []))) if name in LISTS else text(fields, name)
        for name in FACTS
    }
    was = fact_values(_texts(text(fields, "was")))
    given = fact_values({name: each.replace("\r\n", "\n") for name, each in texts.items()})
    changed = {name: given[name] for name in FACTS if given[name] != was.get(name)}
    return {"facts": changed, "release": list(fields.getall("release", []))}


def _texts(content: str) -> dict[str, str]:
    """Return the texts of a JSON object; none of anything else."""
    try:
        found = orjson.loads(content or "{}")
    except orjson.JSONDecodeError:
        return {}
    return {str(name): str(each) for name, each in found.items()} if isinstance(found, dict) else {}


def _dry_run(fields: Fields) -> dict[str, object]:
    return _board_file(fields) | {"dry_run": True}


def _rows(done: ImportAnswer, _: object) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in done.counts.items())
    rows = "; ".join(
        f"{row.model_name}: {row.kind}"
        + "".join(f", {name} {each.before} → {each.after}" for name, each in row.fields.items())
        for row in done.rows
        if row.kind != "unchanged"
    )
    return f"{'Would be' if done.dry_run else 'Rows'}: {counts}. {rows}"


def _ranked(done: ChangeAnswer, given: Mapping[str, Any]) -> str:
    said = f"The {given['board']} board's ranking is {given['body'].ranking}."
    return said if done.changed else f"{said} It was so before."


def _started(job: RescoreJobView, _: object) -> str:
    return f"{job.items} entries are being scored; the difference comes when all are."


def _reading(job: RescoreJobView, _: object) -> str:
    return f"Replies on {job.items} entries are being read; the job's page shows the difference."


def _judging(job: RescoreJobView, _: object) -> str:
    return f"{job.items} entries are being judged; the job's page shows how far it is."


def _chosen(_: object, given: Mapping[str, Any]) -> str:
    return f"Uploads are checked against {given['body'].version[:12]}."


def _loaded(done: LoadedView, _: object) -> str:
    return f"{done.version[:12]}: {done.samples} samples."


def _outcomes(done: LettersAnswer, _: object) -> str:
    return " ".join(
        f"{each.id}: {each.problem or ('done' if each.changed else 'was closed before')}."
        for each in done.letters
    )


def _made(key: NewKey, _: object) -> str:
    return f"The key, shown once: {key.key}"


ACTIONS: Final[Mapping[str, Mapping[str, AdminForm]]] = MappingProxyType(
    {
        "admin": {
            "pause": AdminForm(operations_api.pause_judging, "Judging is paused."),
            "resume": AdminForm(operations_api.resume_judging, "Judging continues."),
            "drain": AdminForm(pool_api.drain_endpoint, _whether_changed),
            "restore": AdminForm(pool_api.restore_endpoint, _whether_changed),
        },
        "admin_dead_letters": {
            "replay": AdminForm(operations_api.replay_dead_letters, _outcomes),
            "discard": AdminForm(operations_api.discard_dead_letters, _outcomes),
        },
        "admin_entries": {"add": AdminForm(entries_api.add_entry, _added, reads=_row)},
        "admin_entry": {
            "promote": _on_entry(entries_api.promote, "{name} is official."),
            "demote": _on_entry(entries_api.demote, "{name} is on the community board."),
            "rename": _on_entry(entries_api.rename, "It is named {name}."),
            "edit": AdminForm(entries_api.edit, _whether_changed, keep_blank=True),
            "facts": AdminForm(entries_api.state_facts, _whether_changed, reads=_stated),
            "note": AdminForm(notes_api.add_entry_note, "The note is public."),
            "remove": _on_entry(entries_api.remove, "{name} is on no board, and its name is free."),
            "erase": _on_entry(entries_api.erase, "Its names are erased."),
            "restore": _on_entry(entries_api.restore, "{name} is on the {board} board again."),
            "withdraw": AdminForm(
                submissions_api.withdraw_submission,
                "The submission is withdrawn.",
                path={"id": "submission"},
                reads=lambda fields: {"note": text(fields, "why")},
            ),
        },
        "admin_notes": {
            "publish": AdminForm(notes_api.publish_note, "It is published.", path={"id": "note"}),
            "refuse": AdminForm(
                notes_api.refuse_note, "It stays unpublished.", path={"id": "note"}
            ),
            "resolve": AdminForm(notes_api.resolve_note, "It is resolved.", path={"id": "note"}),
            "withdraw": AdminForm(notes_api.withdraw_note, "It is withdrawn.", path={"id": "note"}),
            "add": AdminForm(notes_api.add_board_note, "The board's note is public."),
            "correct": AdminForm(
                notes_api.add_erratum, "The erratum is public.", path={"id": "snapshot"}
            ),
        },
        "admin_boards": {
            "check": AdminForm(entries_api.import_boards, _rows, reads=_dry_run),
            "import": AdminForm(entries_api.import_boards, _rows, reads=_board_file),
            "rank": AdminForm(entries_api.set_ranking, _ranked),
            "series": AdminForm(entries_api.set_series, "The board's series is set."),
        },
        "admin_rescores": {
            "start": AdminForm(operations_api.start_rescore, _started),
            "reread": AdminForm(operations_api.start_reread, _reading),
            "succeed": AdminForm(succession_api.start_succession, _judging),
        },
        "admin_rescore": {
            "apply": AdminForm(operations_api.apply_rescore, "The scores are in force."),
            "discard": AdminForm(
                operations_api.discard_rescore, "The job is dropped; the scores in force stay."
            ),
        },
        "admin_ground_truths": {
            "choose": AdminForm(operations_api.choose_ground_truth, _chosen),
            "reload": AdminForm(operations_api.reload_ground_truth, _loaded),
        },
        "admin_keys": {
            "make": AdminForm(accounts_api.make_key, _made),
            "revoke": AdminForm(accounts_api.revoke_key, "The key is revoked.", path={"id": "key"}),
            "quotas": AdminForm(
                accounts_api.set_key_quotas, "Its quotas are set.", path={"id": "key"}
            ),
        },
    }
)
"""By page, then by the form's action."""
