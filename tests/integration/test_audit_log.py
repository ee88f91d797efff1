"""The audit log: a line for each deed, in its transaction, and never changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.admin.audit_log import AuditLog
from services.gateway.admin.models import AuditQuery
from shared.storage.database import Database

ACT = AdminAction.of("administrator", "as asked by its owner", "req-1")


async def write(
    database: Database, *names: str, name: str = "rename", action: AdminAction = ACT
) -> None:
    for subject in names:
        async with database.transaction() as transaction:
            await record(
                transaction,
                action,
                name,
                Subject("entry", subject),
                before={"a": 1},
                after={"a": 2},
            )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_log SET why = 'another reason'",
        "UPDATE audit_log SET why = 'another reason' WHERE false",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "INSERT INTO audit_log (id, who, action, subject_kind, subject, why, request_id)"
        " OVERRIDING SYSTEM VALUE VALUES (1, 'x', 'x', 'x', 'x', 'x', 'x')"
        " ON CONFLICT (id) DO UPDATE SET why = 'another reason'",
    ],
)
async def test_what_is_written_stays(database: Database, statement: str) -> None:
    await write(database, "one")
    with pytest.raises(asyncpg.RestrictViolationError, match="only ever added to"):
        await database.pool.execute(statement)
    assert await database.pool.fetchval("SELECT why FROM audit_log") == ACT.why


async def test_an_action_that_fails_leaves_no_line(database: Database) -> None:
    async def fail() -> None:
        async with database.transaction() as transaction:
            await record(transaction, ACT, "rename", Subject("entry", "one"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await database.pool.fetchval("SELECT count(*) FROM audit_log") == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [("who", ""), ("why", " \n "), ("action", "Rename it"), ("request_id", None)],
)
async def test_a_line_without_its_facts_is_refused(
    database: Database, column: str, value: str | None
) -> None:
    line = {
        "who": "x", "action": "x", "subject_kind": "x", "subject": "x", "why": "x",
        "request_id": "x", column: value,
    }  # fmt: skip
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await database.pool.execute(
            f"INSERT INTO audit_log ({', '.join(line)}) VALUES ($1, $2, $3, $4, $5, $6)",  # noqa: S608 - our own names
            *line.values(),
        )


async def test_pages_come_newest_first_and_miss_nothing(database: Database) -> None:
    await write(database, "a", "b", "c", "d", "e")
    log = AuditLog(database)
    first = await log.page(AuditQuery(), 2)
    await write(database, "new")  # between two pages
    second = await log.page(AuditQuery(cursor=first[-1].id), 10)
    assert [line.subject for line in (*first, *second)] == ["e", "d", "c", "b", "a"]
    line = first[0]
    assert (line.who, line.why, line.request_id) == ("administrator", ACT.why, "req-1")
    assert (line.before, line.after) == ({"a": 1}, {"a": 2})


async def test_lines_are_found_by_what_they_say(database: Database) -> None:
    await write(database, "a", name="remove")
    await write(database, "a", "b")
    await write(database, "b", action=AdminAction.of("key:1", "a reason", "req-2"))
    log, hour = AuditLog(database), timedelta(hours=1)
    now = datetime.now(UTC)

    async def count(**wanted: object) -> int:
        return len(await log.page(AuditQuery(**wanted), 10))  # type: ignore[arg-type]

    assert await count(subject_kind="entry", subject="a") == 2
    assert await count(action="remove") == 1
    assert await count(who="key:1") == 1
    assert await count(since=now - hour, until=now + hour) == 4
    assert await count(until=now - hour) == await count(since=now + hour) == 0
