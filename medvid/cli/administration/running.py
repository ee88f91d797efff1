"""`medvid admin` about judging, dead letters and the audit log."""

from __future__ import annotations

import json
from collections.abc import Sequence

from medvid.cli.administration import session as session_of
from medvid.cli.administration.session import Facts
from medvid.cli.session import Exit, Options, Session, Unfit, print_json, run


def steer(options: Options, action: str, why: str | None, *, sure: bool) -> int:
    """Pause or resume all judging; return the exit status."""

    def work(session: Session) -> Facts:
        if action == "pause":
            session_of.consent(session, "Pause all judging?", sure=sure)
        return session_of.do(session, f"/judging/{action}", session_of.reason(session, why))

    told = "Judging is paused." if action == "pause" else "Judging goes on."
    return session_of.command(options, work, session_of.changed(told))


def judging(options: Options) -> int:
    """Tell whether judging is paused, and its runs by state; return the exit status."""

    def told(state: Facts) -> str:
        held = f"paused since {state['held_at']}: {state['held_why']}"
        runs = ", ".join(f"{count} {name}" for name, count in state["runs"].items()) or "no runs"
        return f"Judging {held if state['held_at'] else 'goes on'} ({runs})."

    return session_of.command(options, lambda session: session_of.ask(session, "/judging"), told)


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
