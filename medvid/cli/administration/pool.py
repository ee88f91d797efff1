"""`medvid admin pool`: the endpoints that serve the judge's model."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from medvid.cli.administration.session import Why, done, reason
from medvid.cli.parameters import Sure
from medvid.cli.printing import plain_table
from medvid.cli.session import Session, as_administrator, consent

EndpointName = Annotated[str, typer.Argument(help="its name in the pool's file")]


@as_administrator
def list_endpoints(session: Session) -> int:
    """List the endpoints of the judge's pool."""
    found = session.client.admin.endpoints()
    if not found.endpoints:
        return session.answer_lines(found, [], "The judge has no pool.")
    table = plain_table("Name", "State", "Judge", "USD this month", "Seen", "Why")
    for each in found.endpoints:
        state = "down" if each.state == "serving" and each.down else each.state
        seen = f"{each.seen_at:%Y-%m-%dT%H:%M:%S}"
        why = Text(each.why or each.down or "")
        table.add_row(each.name, state, each.judge_version[:12], f"{each.spent_usd:.6f}", seen, why)
    return session.answer(found, table)


@as_administrator
def drain(session: Session, name: EndpointName, why: Why = None, sure: Sure = False) -> int:
    """Give an endpoint no call any more; calls under way end."""
    consent(session, f"Drain {name}?", sure=sure)
    change = session.client.admin.drain_endpoint(name, why=reason(session, why))
    return session.answer(change, done(f"{name} gets no new call.", changed=change.changed))


@as_administrator
def restore(session: Session, name: EndpointName, why: Why = None) -> int:
    """Use an endpoint again that was drained, or taken out for serving another model."""
    change = session.client.admin.restore_endpoint(name, why=reason(session, why))
    return session.answer(change, done(f"{name} is used again.", changed=change.changed))
