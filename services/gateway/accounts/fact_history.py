"""Writes models' facts and their public history, in the transaction that changes them.

What an administrator set is held: owners cannot change it until an administrator releases it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

import orjson

from medvid.models.fact_texts import LABELS
from medvid.models.facts import FactsChange, check_facts, differing, known
from services.gateway.accounts.rules import Role
from services.gateway.web.errors import RefusedBody
from services.gateway.web.site import the_maintainers
from shared.runtime.errors import Conflict
from shared.storage.database import Connection
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "fact_history.sql")


def stated_after(before: Mapping[str, object], stated: FactsChange) -> dict[str, object]:
    """Return what is known after a change; raises RefusedBody where its facts do not agree."""
    after = stated.known_after(before)
    _, problems = check_facts(after)
    if problems:
        raise RefusedBody(problems)
    return after


async def save_facts(
    connection: Connection,
    entry_id: UUID,
    by: Role,
    before: Mapping[str, object],
    after: Mapping[str, object],
) -> None:
    """Store an entry's facts, and who changed which; nothing where they stay as they are.

    Those that an administrator changed are held.
    """
    was, now = differing(before, after)
    if not was:
        return
    held = list(was) if by == "administrator" else []
    await connection.execute(_SQL["facts_save"], entry_id, _json(after), held)
    await connection.execute(_SQL["fact_change_add"], entry_id, by, _json(was), _json(now))
    await _pass_on(connection, entry_id, was, now, held)


async def save_first_facts(
    connection: Connection,
    entry_id: UUID,
    facts: Mapping[str, object],
    before: Mapping[str, object],
) -> None:
    """Store a new entry's facts; `before` are those of the version that it is to replace."""
    await connection.execute(_SQL["facts_save"], entry_id, _json(facts), [])
    was, now = differing(before, facts)
    if was:
        await connection.execute(_SQL["fact_change_add"], entry_id, "owner", _json(was), _json(now))


def followed(
    facts: Mapping[str, object], was: Mapping[str, object], now: Mapping[str, object]
) -> dict[str, object]:
    """Return a newer version's facts after a change of the one before.

    What it took over changes, what it states for itself stays, and so do all where they would not
    agree.
    """
    changed = {name: value for name, value in now.items() if facts.get(name) == was.get(name)}
    after = known({**facts, **changed})
    return dict(facts) if check_facts(after)[1] else after


async def _pass_on(
    connection: Connection,
    entry_id: UUID,
    was: Mapping[str, object],
    now: Mapping[str, object],
    held: Sequence[str],
) -> None:
    """Let versions that wait to take over follow a change, which their history has as well."""
    for row in await connection.fetch(_SQL["facts_of_waiting"], entry_id):
        after = followed(orjson.loads(row["facts"]), was, now)
        taken_over = [name for name in held if after.get(name) == now[name]]
        await connection.execute(_SQL["facts_save"], row["id"], _json(after), taken_over)


def require_free(
    held: Collection[str], before: Mapping[str, object], after: Mapping[str, object]
) -> None:
    """Raise Conflict where an owner changes facts that are held."""
    changed = [LABELS[name] for name in differing(before, after)[0] if name in held]
    if changed:
        raise Conflict(
            f"an administrator set facts that this changes: {', '.join(changed)}.",
            fix=f"Leave these as they are, or ask {the_maintainers()} to release them.",
            code="fact_held",
        )


async def hold_only(connection: Connection, entry_id: UUID, held: Sequence[str]) -> None:
    """Release all facts of an entry that are held but these."""
    await connection.execute(_SQL["facts_hold_only"], entry_id, held)


async def erase_facts(connection: Connection, entry_id: UUID) -> None:
    """Delete an entry's facts with their history."""
    await connection.execute(_SQL["facts_save"], entry_id, "{}", [])
    await hold_only(connection, entry_id, [])
    await connection.execute(_SQL["fact_changes_delete"], entry_id)


def _json(facts: Mapping[str, object]) -> str:
    return orjson.dumps(facts).decode()
