"""`medvid admin` about entries and boards as files."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table
from rich.text import Text

from medvid.cli.administration import session as session_of
from medvid.cli.administration.session import Facts
from medvid.cli.session import Exit, Options, Session, Unfit, print_json, run
from medvid.cli.terminal import print_table

_ASKED = {
    "promote": "Make {name!r} official?",
    "demote": "Take {name!r} off the official board?",
    "remove": "Take {name!r} off its board?",
    "withdraw": "Withdraw the submission of {name!r}? It leaves its board for good.",
}


def act(
    options: Options, action: str, named: str, board: str | None, why: str | None, *,
    sure: bool, **body: object,
) -> int:  # fmt: skip
    """Do one action on one entry; return the exit status."""

    def work(session: Session) -> Facts:
        found = session_of.entry_id(session, named, board)
        if action in _ASKED:
            session_of.consent(session, _ASKED[action].format(name=named), sure=sure)
        given = session_of.reason(session, why)
        return session_of.do(session, f"/entries/{found}/{action}", given, **body)

    return session_of.command(options, work, _told)


def withdraw(
    options: Options, named: str, board: str | None, why: str | None, *, sure: bool
) -> int:
    """Withdraw the submission of an entry; return the exit status."""

    def work(session: Session) -> Facts:
        found = session_of.entry_id(session, named, board)
        entry = session_of.ask(session, f"/entries/{found}")
        if entry["submission_id"] is None:
            raise Unfit(f"{named!r} was added by hand.", fix="Use 'medvid admin remove'.")
        session_of.consent(session, _ASKED["withdraw"].format(name=named), sure=sure)
        note = {"note": session_of.reason(session, why)}
        session_of.send_body(session, f"/submissions/{entry['submission_id']}/withdraw", note)
        return {"entry": session_of.ask(session, f"/entries/{found}"), "changed": True}

    return session_of.command(options, work, lambda _: f"Withdrawn: {named}.")


def add(options: Options, board: str, file: Path, why: str | None) -> int:
    """Add an entry from a JSON file with one row; return the exit status."""

    def work(session: Session) -> Facts:
        row = _json(file)
        if isinstance(row, list) and len(row) == 1:
            row = row[0]
        given = session_of.reason(session, why)
        return session_of.do(session, "/entries", given, board=board, entry=row)

    return session_of.command(
        options,
        work,
        lambda done: f"{done['model_name']} on the {done['board']} board: {done['kind']}.",
    )


def ranking(options: Options, board: str, rule: str, why: str | None, *, sure: bool) -> int:
    """Set how a board ranks; return the exit status."""

    def work(session: Session) -> Facts:
        session_of.consent(session, f"Rank the {board} board by {rule} ranks?", sure=sure)
        given = session_of.reason(session, why)
        return session_of.do(session, f"/boards/{board}/ranking", given, ranking=rule)

    told = f"The {board} board's ranking is {rule}."
    return session_of.command(options, work, session_of.changed(told))


def entries(options: Options, board: str | None, *, removed: bool) -> int:
    """List entries with what is not public; return the exit status."""

    def work(session: Session) -> int:
        query = {"board": board, "removed": "true" if removed else None}
        found = list(session_of.pages(session, "/entries", "entries", None, **query))
        if options.as_json:
            print_json(found)
            return Exit.DONE
        table = Table("Id", "Board", "Model", "Organization", "State", box=None, pad_edge=False)
        for each in found:
            table.add_row(
                each["id"], each["board"], Text(each["model_name"]), Text(each["organization"]),
                _state(each),
            )  # fmt: skip
        print_table(table)
        return Exit.DONE

    return run(options, work)


def export(options: Options, board: str | None, form: str, output: Path | None) -> int:
    """Write boards as JSON or CSV; return the exit status."""

    def work(session: Session) -> int:
        text = session_of.text(session, "/boards/export", board=board, format=form)
        if output is None:
            sys.stdout.write(text)
        else:
            output.write_text(text, "utf-8", newline="")
            session.say(f"Written to {output}.")
        return Exit.DONE

    return run(options, work)


def load(
    options: Options, file: Path, why: str | None, *, update: bool, dry_run: bool, sure: bool
) -> int:
    """Import boards; return the exit status."""

    def work(session: Session) -> Facts:
        content: dict[str, object] = {"existing": "update" if update else "keep"}
        if file.suffix.lower() == ".csv":
            content["csv"] = _text(file)
        else:
            content["boards"] = _json(file)
        given = session_of.reason(session, why)
        if not dry_run and not sure:
            planned = session_of.do(session, "/boards/import", given, **content, dry_run=True)
            session.say(_import_told(planned))
            session_of.consent(session, "Import that?", sure=sure)
        return session_of.do(session, "/boards/import", given, **content, dry_run=dry_run)

    return session_of.command(options, work, _import_told)


def _told(done: Facts) -> str:
    entry = done["entry"]
    now = f"{entry['model_name']} ({entry['id']}): {entry['board']} board, {_state(entry)}."
    return now if done["changed"] else f"{now} It was so before."


def _state(entry: Facts) -> str:
    if entry["removed_at"] is not None:
        return f"removed {entry['removed_at'][:10]}"
    if entry["verified_on"] is not None:
        return f"verified {entry['verified_on']}"
    return "listed" if entry["listed"] else "no scores yet"


def _import_told(done: Facts) -> str:
    out = io.StringIO()
    lines = csv.writer(out, delimiter="\t", lineterminator="\n")
    for row in done["rows"]:
        if row["kind"] == "unchanged":
            continue
        lines.writerow([row["kind"], row["board"], row["model_name"]])
        for name, field in row["fields"].items():
            lines.writerow(["", name, f"{field['before']} -> {field['after']}"])
    counts = ", ".join(f"{count} {kind}" for kind, count in done["counts"].items())
    return f"{out.getvalue()}{'Would be' if done['dry_run'] else 'Rows'}: {counts}."


def _json(file: Path) -> Any:
    try:
        return orjson.loads(_text(file))
    except orjson.JSONDecodeError as error:
        raise Unfit(f"{file} is no JSON: {error}.", fix="Mend it, or name it .csv.") from None


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unfit(f"cannot read {file}: {error}.", fix="Check its name.") from None
