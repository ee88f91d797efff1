"""`medvid admin` about all judging: whether it is paused, pause it, resume it."""

from __future__ import annotations

from medvid.cli.administration.session import Why, done, reason
from medvid.cli.parameters import Sure
from medvid.cli.session import Session, as_administrator, consent


@as_administrator
def judging(session: Session) -> int:
    """Show whether judging is paused."""
    state = session.client.admin.judging()
    runs = ", ".join(f"{count} {name}" for name, count in state.runs.items()) or "no runs"
    judge = f"{state.judge.says} {state.judge.fix or ''}".rstrip()
    if state.held_at is None:
        held = "Judging continues"
    else:
        since = state.held_at.isoformat().replace("+00:00", "Z")
        held = f"Judging paused since {since}: {state.held_why}"
    return session.answer(state, f"{held} ({runs}).\n{judge}")


@as_administrator
def pause(session: Session, why: Why = None, sure: Sure = False) -> int:
    """Pause all judging, also of runs to come."""
    consent(session, "Pause all judging?", sure=sure)
    change = session.client.admin.pause_judging(why=reason(session, why))
    return session.answer(change, done("Judging is paused.", changed=change.changed))


@as_administrator
def resume(session: Session, why: Why = None) -> int:
    """Resume judging."""
    change = session.client.admin.resume_judging(why=reason(session, why))
    return session.answer(change, done("Judging continues.", changed=change.changed))
