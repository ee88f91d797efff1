"""`medvid admin ground-truth`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from medvid.cli.administration import session as session_of
from medvid.cli.administration.session import Facts
from medvid.cli.session import Options, Session, Unfit

_GZIP: Final = b"\x1f\x8b"


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
        found = version_of(session, version)
        session_of.consent(session, f"Check uploads against {found[:12]}?", sure=sure)
        given = session_of.reason(session, why)
        return session_of.do(session, "/ground-truths/current", given, version=found)

    return session_of.command(options, work, session_of.changed("It is current."))


def version_of(session: Session, beginning: str) -> str:
    """Return the one version that begins so; raises Unfit."""
    known = session_of.ask(session, "/ground-truths")["versions"]
    found = [str(each["version"]) for each in known if each["version"].startswith(beginning)]
    if len(found) != 1:
        raise Unfit(
            f"{len(found)} ground truth versions begin with {beginning!r}.",
            fix="'medvid admin ground-truth list' lists them.",
        )
    return found[0]
