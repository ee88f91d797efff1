"""`medvid admin ground-truth`: versions of the ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medvid.cli.administration.session import Why, done, reason, version_of
from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import Sure
from medvid.cli.session import Session, as_administrator, consent


@as_administrator
def list_versions(session: Session) -> int:
    """List versions; the current one is marked."""
    found = session.client.admin.ground_truths()
    lines = [
        f"{'*' if each.current else ' '} {each.version}  {each.samples} samples  "
        f"{each.loaded_at:%Y-%m-%dT%H:%M}  {each.submissions} submissions"
        for each in found.versions
    ]
    return session.answer(found, "\n".join(lines))


@as_administrator
def load(
    session: Session,
    file: Annotated[
        Path | None, typer.Argument(exists=True, dir_okay=False, help="JSON, plain or gzip")
    ] = None,
    on_server: Annotated[
        str | None, typer.Option(help="a file of the server's folder instead")
    ] = None,
    current: Annotated[bool, typer.Option("--current", help="make it current")] = False,
    why: Why = None,
) -> int:
    """Load a version."""
    given = reason(session, why)
    admin = session.client.admin
    if on_server is not None:
        found = admin.reload_ground_truth(on_server, why=given, current=current)
    elif file is not None:
        found = admin.load_ground_truth(file.read_bytes(), why=given, current=current)
    else:
        raise CommandFailed("which file?", fix="Give a file, or --on-server NAME.")
    was = "loaded" if found.new else "was there"
    now = ", now current" if found.current else ""
    return session.answer(found, f"{found.version}: {found.samples} samples, {was}{now}.")


@as_administrator
def choose(
    session: Session,
    version: Annotated[str, typer.Argument(help="the version or its beginning")],
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Choose the version that uploads are checked against."""
    found = version_of(session, version)
    consent(session, f"Check uploads against {found[:12]}?", sure=sure)
    change = session.client.admin.choose_ground_truth(found, why=reason(session, why))
    return session.answer(change, done("It is current.", changed=change.changed))
