"""`medvid admin` about re-scoring, judging, dead letters, keys, ground truth and the audit log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from client import admin_session as session_of
from client.admin_session import Facts
from client.session import Exit, Options, Session, Unfit, print_json, run
from client.terminal import print_table

_LOOK_SECONDS: Final = 1.0
_GZIP: Final = b"\x1f\x8b"


# ------------------------------------------------------------------ re-scoring
def rescore(
    options: Options, ground_truth: str | None, board: str | None, named: Sequence[str],
    why: str | None, *, wait: bool,
) -> int:  # fmt: skip
    """Start a re-score job, and show its difference once it is there; return the exit status."""

    def work(session: Session) -> Facts:
        ids = [session_of.entry_id(session, each, board) for each in named] or None
        given = session_of.reason(session, why)
        truth = _version(session, ground_truth) if ground_truth else None
        job = session_of.do(
            session, "/rescores", given, ground_truth=truth, board=board, entries=ids
        )
        session.say(f"Job {job['id']}: {job['items']} entries are being scored.")
        path = f"/rescores/{job['id']}"
        detail = session_of.ask(session, path)
        while wait and detail["job"]["state"] in ("scoring", "scored"):
            time.sleep(_LOOK_SECONDS)
            detail = session_of.ask(session, path)
        return detail

    return session_of.command(options, work, _difference)


def difference(options: Options, job: str | None) -> int:
    """Show a job's difference; return the exit status."""
    return session_of.command(
        options,
        lambda session: session_of.ask(session, f"/rescores/{_job(session, job)}"),
        _difference,
    )


def rescores(options: Options) -> int:
    """List re-score jobs; return the exit status."""

    def work(session: Session) -> int:
        found = list(session_of.pages(session, "/rescores", "jobs", 100))
        if options.as_json:
            print_json(found)
            return Exit.DONE
        table = Table("Id", "State", "Ground truth", "Entries", "Since", "Why", box=None,
                      pad_edge=False)  # fmt: skip
        for job in found:
            count = f"{job['scored']}/{job['items']}" + (
                f", {job['failed']} failed" if job["failed"] else ""
            )
            table.add_row(job["id"], job["state"], job["ground_truth_version"][:12], count,
                          job["created_at"][:16], Text(job["why"]))  # fmt: skip
        print_table(table)
        return Exit.DONE

    return run(options, work)


def apply(
    options: Options, job: str | None, preview: int | None, why: str | None, *,
    sure: bool, without_failed: bool, make_current: bool, judge_again: bool,
) -> int:  # fmt: skip
    """Put a job's scores in force; return the exit status."""

    def work(session: Session) -> Facts:
        found = _job(session, job)
        detail = session_of.ask(session, f"/rescores/{found}")
        number = preview or detail["job"]["preview"]
        if not sure:
            session.say(_difference(detail))
        session_of.consent(session, "Put these scores in force?", sure=sure)
        return session_of.do(
            session, f"/rescores/{found}/apply", session_of.reason(session, why), preview=number,
            without_failed=without_failed, make_current=make_current, judge_again=judge_again,
        )  # fmt: skip

    return session_of.command(options, work, _changed("The scores are in force."))


def discard(options: Options, job: str | None, why: str | None, *, sure: bool) -> int:
    """Drop a job; return the exit status."""

    def work(session: Session) -> Facts:
        found = _job(session, job)
        session_of.consent(session, f"Drop job {found}?", sure=sure)
        return session_of.do(session, f"/rescores/{found}/discard", session_of.reason(session, why))

    return session_of.command(options, work, _changed("Dropped."))


def _job(session: Session, job: str | None) -> str:
    """Return the job that is meant: the newest where none is named."""
    if job is not None:
        return job
    for newest in session_of.pages(session, "/rescores", "jobs", 1):
        return str(newest["id"])
    raise Unfit("there is no re-score job.", fix="Start one with 'medvid admin rescore'.")


def _difference(detail: Facts) -> str:
    job = detail["job"]
    lines = [f"Job {job['id']}: {job['state']}, {job['scored']} of {job['items']} scored."]
    lines += [f"  failed: {each['model_name']}: {each['reason']}" for each in detail["failures"]]
    for board, scorings in (detail["boards"] or {}).items():
        for scoring, rows in scorings.items():
            changed = [row for row in rows if _moves(row)]
            lines.append(f"{board}, {scoring}: {len(changed)} of {len(rows)} entries change.")
            lines += [_row(row) for row in changed]
    if detail["left_out"]:
        lines.append(f"{len(detail['left_out'])} entries scored otherwise are not part of it.")
    if detail["judged_otherwise"]:
        lines.append(
            f"{len(detail['judged_otherwise'])} keep judged scores of another ground truth "
            "(--judge-again asks for new ones)."
        )
    if job["state"] == "ready":
        lines.append(f"Apply it: medvid admin apply {job['id']} --preview {job['preview']}")
    return "\n".join(lines)


def _moves(row: Facts) -> bool:
    return bool(row["values"]) or row["rank"]["before"] != row["rank"]["after"]


def _row(row: Facts) -> str:
    rank = row["rank"]
    place = f"{rank['before']}" if rank["before"] == rank["after"] else (
        f"{rank['before']} -> {rank['after']}"
    )  # fmt: skip
    values = ", ".join(
        f"{key} {_number(value['before'])} -> {_number(value['after'])}"
        for key, value in row["values"].items()
    )
    return f"  {place:>9}  {row['model_name']}" + (f"  {values}" if values else "")


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4f}"


# ------------------------------------------------------------------ judging
def steer(options: Options, action: str, why: str | None, *, sure: bool) -> int:
    """Pause or resume all judging; return the exit status."""

    def work(session: Session) -> Facts:
        if action == "pause":
            session_of.consent(session, "Pause all judging?", sure=sure)
        return session_of.do(session, f"/judging/{action}", session_of.reason(session, why))

    told = "Judging is paused." if action == "pause" else "Judging goes on."
    return session_of.command(options, work, _changed(told))


def judging(options: Options) -> int:
    """Tell whether judging is paused, and its runs by state; return the exit status."""

    def told(state: Facts) -> str:
        held = f"paused since {state['held_at']}: {state['held_why']}"
        runs = ", ".join(f"{count} {name}" for name, count in state["runs"].items()) or "no runs"
        return f"Judging {held if state['held_at'] else 'goes on'} ({runs})."

    return session_of.command(options, lambda session: session_of.ask(session, "/judging"), told)


# ------------------------------------------------------------------ dead letters
def dead_letters(options: Options, state: str, queue: str | None, limit: int) -> int:
    """List dead letters; return the exit status."""

    def work(session: Session) -> int:
        found = list(
            session_of.pages(session, "/dead-letters", "letters", limit, state=state, queue=queue)
        )
        if options.as_json:
            print_json(found)
            return Exit.DONE
        for each in found:
            print(
                f"{each['id']}  {each['died_at'][:19]}  {each['queue']}  {each['type'] or '?'}  "
                f"{each['reason']}: {each['detail']}"
            )
        if not found:
            session.say("There are none.")
        return Exit.DONE

    return run(options, work)


def letters(
    options: Options, action: str, ids: Sequence[int], why: str | None, *,
    every: bool, queue: str | None, reason: str | None, sure: bool,
) -> int:  # fmt: skip
    """Replay or discard dead letters; return the exit status."""

    def work(session: Session) -> Facts:
        if bool(ids) == every:
            raise Unfit("which letters?", fix="Give their numbers, or --all.")
        if every or action == "discard":
            meant = "all open dead letters" if every else f"{len(ids)} dead letters"
            session_of.consent(session, f"{action.capitalize()} {meant}?", sure=sure)
        which: dict[str, object] = {"all": True} if every else {"ids": list(ids)}
        return session_of.do(
            session, f"/dead-letters/{action}", session_of.reason(session, why), **which,
            queue=queue, reason=reason,
        )  # fmt: skip

    def told(done: Facts) -> str:
        lines = [
            f"{each['id']}: {each['problem'] or ('done' if each['changed'] else 'was closed')}"
            for each in done["letters"]
        ]
        return "\n".join(lines) or "There are none."

    return session_of.command(options, work, told)


# ------------------------------------------------------------------ ground truth
def ground_truths(options: Options) -> int:
    """List ground truth versions; return the exit status."""

    def told(found: Facts) -> str:
        return "\n".join(
            f"{'*' if each['current'] else ' '} {each['version']}  {each['samples']} samples  "
            f"{each['loaded_at'][:16]}  {each['submissions']} submissions"
            for each in found["versions"]
        )

    return session_of.command(
        options, lambda session: session_of.ask(session, "/ground-truths"), told
    )


def load_truth(
    options: Options, file: Path | None, name: str | None, why: str | None, *, current: bool
) -> int:
    """Send a ground truth file, or load one of the server's folder; return the exit status."""

    def work(session: Session) -> Facts:
        given = session_of.reason(session, why)
        if name is not None:
            return session_of.do(
                session, "/ground-truths/reload", given, file=name, current=current
            )
        if file is None:
            raise Unfit("which file?", fix="Give a file, or --on-server NAME.")
        content = file.read_bytes()
        kind = "application/gzip" if content[:2] == _GZIP else "application/json"
        query = {"why": given, "current": str(current).lower()}
        return session_of.send_file(session, "/ground-truths", content, kind, **query)

    def told(done: Facts) -> str:
        was = "loaded" if done["new"] else "was there"
        now = ", now current" if done["current"] else ""
        return f"{done['version']}: {done['samples']} samples, {was}{now}."

    return session_of.command(options, work, told)


def choose_truth(options: Options, version: str, why: str | None, *, sure: bool) -> int:
    """Choose the current ground truth; return the exit status."""

    def work(session: Session) -> Facts:
        found = _version(session, version)
        session_of.consent(session, f"Check uploads against {found[:12]}?", sure=sure)
        given = session_of.reason(session, why)
        return session_of.do(session, "/ground-truths/current", given, version=found)

    return session_of.command(options, work, _changed("It is current."))


def _version(session: Session, beginning: str) -> str:
    known = session_of.ask(session, "/ground-truths")["versions"]
    found = [str(each["version"]) for each in known if each["version"].startswith(beginning)]
    if len(found) != 1:
        raise Unfit(
            f"{len(found)} ground truth versions begin with {beginning!r}.",
            fix="'medvid admin ground-truth list' lists them.",
        )
    return found[0]


# ------------------------------------------------------------------ keys
def keys(options: Options) -> int:
    """List API keys; return the exit status."""

    def work(session: Session) -> int:
        found = list(session.client.keys())
        if options.as_json:
            print_json([key.model_dump(mode="json") for key in found])
            return Exit.DONE
        for key in found:
            state = "revoked" if key.revoked_at else "in use"
            print(f"{key.id}  {state}  {','.join(sorted(key.scopes))}  {key.label}  {key.owner}")
        return Exit.DONE

    return run(options, work)


def make_key(
    options: Options,
    label: str,
    owner: str,
    scopes: Sequence[str],
    why: str | None,
    **quotas: int | None,
) -> int:
    """Make an API key; return the exit status."""

    def work(session: Session) -> Facts:
        body = {"label": label, "owner": owner, "scopes": list(scopes), "quotas": quotas}
        body["why"] = session_of.reason(session, why)
        return session_of.send_body(session, "/keys", body, repeatable=False)

    return session_of.command(
        options, work, lambda made: f"{made['key']}\nShown once: its id is {made['id']}."
    )


def change_key(
    options: Options, key: str, action: str, why: str | None, *, sure: bool, **quotas: int | None
) -> int:
    """Revoke an API key or set its quotas; return the exit status."""

    def work(session: Session) -> Facts:
        if action == "revoke":
            session_of.consent(session, f"Revoke key {key} for ever?", sure=sure)
        body: dict[str, object] = {"why": session_of.reason(session, why)}
        if action == "revoke":
            return session_of.send_body(session, f"/keys/{key}/revoke", body)
        return session_of.send_body(session, f"/keys/{key}/quotas", body | quotas, "PUT")

    told = "Revoked." if action == "revoke" else "Its quotas are set."
    return session_of.command(options, work, lambda _: told)


# ------------------------------------------------------------------ audit log
def audit(options: Options, limit: int, **wanted: str | None) -> int:
    """Print the audit log, newest first; return the exit status."""

    def work(session: Session) -> int:
        found = list(session_of.pages(session, "/audit", "lines", limit, **wanted))
        if options.as_json:
            print_json(found)
            return Exit.DONE
        for line in found:
            print(
                f"{line['at'][:19]}  {line['who']}  {line['action']} {line['subject_kind']} "
                f"{line['subject']}: {line['why']}"
            )
            for side in ("before", "after"):
                if line[side] is not None:
                    print(f"    {side:<6} {json.dumps(line[side], ensure_ascii=False)}")
        return Exit.DONE

    return run(options, work)


def _changed(told: str) -> Callable[[Facts], str]:
    return lambda done: told if done["changed"] else f"{told} It was so before."
