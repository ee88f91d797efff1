"""Identities, their accounts and what is signed in to them: the SQL.

Every method raises Transient when the database does not answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID, uuid4

import asyncpg

from services.gateway.accounts import marks
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.rules import SELF_SERVICE_SCOPES, SIGN_IN
from services.gateway.sign_in.rules import Identity
from shared.contracts.messages import BoardChanged
from shared.runtime.errors import Conflict
from shared.storage.database import (
    Connection,
    Database,
    Transaction,
    again_on_deadlock,
    transient_errors,
)
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)
_MOST_PROGRAMS: Final = 50
_MOST_BROWSERS: Final = 20
_SHOWN_AGAIN_SECONDS: Final = 3_600.0
"""Pause before a name that was taken off entries is put on again: each change ranks boards."""


@dataclass(frozen=True, slots=True)
class StoredIdentity:
    """A person, as at the last sign-in, and the account."""

    key_id: UUID
    issuer: str
    subject: str
    provider: str
    name: str
    name_shown: bool


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A signed-in browser. `met`: the claims that made it an administrator's, as a hash."""

    identity: StoredIdentity
    met: bytes | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A browser or program that is signed in to an account; `here`: it is the one that asks."""

    id: UUID
    kind: Literal["browser", "program"]
    label: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    here: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """What opens a browser's session: hashes of its cookie and of the attempt that led here."""

    cookie_sha256: bytes
    attempt_sha256: bytes
    label: str
    seconds: float


class AccountRevoked(Exception):
    """Administrators closed the person's account."""


class AttemptUsed(Exception):
    """The attempt has opened a session before."""


class IdentityStore:
    """Identities in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sign_in(
        self, identity: Identity, new: NewSession, action: AdminAction | None
    ) -> StoredIdentity:
        """Open a session of a person's one account, which the first time makes.

        An `action`, of an administrator, is written into the audit log. Raises AccountRevoked,
        AttemptUsed.
        """
        return await again_on_deadlock(lambda: self._sign_in(identity, new, action))

    async def _sign_in(
        self, identity: Identity, new: NewSession, action: AdminAction | None
    ) -> StoredIdentity:
        issuer, subject = identity.provider.issuer, identity.subject
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_SQL["identity_lock"], f"{issuer} {subject}")
            row = await connection.fetchrow(_SQL["identity_find"], issuer, subject)
            if row is not None and row["revoked_at"] is not None:
                raise AccountRevoked
            known = await _add_account(connection, identity) if row is None else _identity(row)
            added = await connection.fetchval(
                _SQL["browser_add"],
                new.cookie_sha256,
                known.key_id,
                new.label,
                new.attempt_sha256,
                identity.met,
                new.seconds,
            )
            if added is None:
                raise AttemptUsed
            await connection.execute(_SQL["browsers_trim"], known.key_id, _MOST_BROWSERS)
            await _remember_name(transaction, known, identity)
            if action is not None:
                await record(transaction, action, "sign_in", Subject("page", "admin"))
        return known

    async def session(self, cookie_sha256: bytes) -> StoredSession | None:
        """Return the session of a browser, None where it has none that is valid."""
        async with transient_errors():
            row = await self._database.pool.fetchrow(_SQL["session_find"], cookie_sha256)
        if row is None:
            return None
        return StoredSession(
            _identity(row), row["claims_sha256"], row["created_at"], row["expires_at"]
        )

    async def end_browser(self, cookie_sha256: bytes) -> None:
        """End a browser's session."""
        async with transient_errors():
            await self._database.pool.execute(_SQL["browser_end"], cookie_sha256)

    async def end_program(self, secret_sha256: bytes) -> bool:
        """End a program's secret; return whether there was one."""
        async with transient_errors():
            found = await self._database.pool.fetchval(_SQL["program_end"], secret_sha256)
        return found is not None

    async def end(self, key_id: UUID, id: UUID) -> None:  # noqa: A002 - as everywhere
        """End what is signed in to an account by its id."""
        async with transient_errors():
            await self._database.pool.execute(_SQL["sign_in_end"], key_id, id)

    async def add_program(self, key_id: UUID, secret_sha256: bytes, label: str) -> None:
        """Let a program act for an account by a secret; raises Conflict where it has many."""
        async with transient_errors(), self._database.transaction() as transaction:
            await add_program(transaction.connection, key_id, secret_sha256, label)

    async def signed_in(self, key_id: UUID, cookie_sha256: bytes) -> Sequence[SignedIn]:
        """Return what is signed in to an account, newest first."""
        async with transient_errors():
            rows = await self._database.pool.fetch(_SQL["sign_ins_of"], key_id, cookie_sha256)
        return [SignedIn(**row) for row in rows]

    async def show_name(self, key_id: UUID, *, shown: bool) -> None:
        """Let an account's entries say provider and name, or no more; raises Conflict."""
        await again_on_deadlock(lambda: self._show_name(key_id, shown=shown))

    async def _show_name(self, key_id: UUID, *, shown: bool) -> None:
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            row = await connection.fetchrow(_SQL["name_lock"], key_id, _SHOWN_AGAIN_SECONDS)
            if row is None or row["name_shown"] == shown:
                return
            if shown:
                given_up = await connection.fetchval(_SQL["name_given_up"], key_id)
                _require_own_name(row, given_up=given_up)
            await connection.execute(_SQL["name_show"], key_id, shown)
            text = marks.mark(row["provider"], row["name"], shown=shown)
            await _mark_entries(transaction, key_id, text)

    async def prune(self) -> None:
        """Delete what has expired."""
        async with transient_errors():
            await self._database.pool.execute(_SQL["sign_ins_forget"])


async def add_program(
    connection: Connection, key_id: UUID, secret_sha256: bytes, label: str
) -> None:
    """Let a program act for an account, in an open transaction; raises Conflict."""
    if await connection.fetchval(_SQL["programs_count"], key_id) >= _MOST_PROGRAMS:
        raise Conflict(
            f"the account has {_MOST_PROGRAMS} keys, which is all that it may have.",
            fix="End some on the Account page.",
            code="too_many_keys",
        )
    await connection.execute(_SQL["program_add"], secret_sha256, key_id, label)


def _require_own_name(row: asyncpg.Record, *, given_up: bool) -> None:
    if given_up:
        raise Conflict(
            f"somebody else is called {row['name']} at {row['provider']} by now.",
            fix="Sign in again, so that we learn what you are called.",
        )
    if row["shown_lately"]:
        raise Conflict(
            "your name was put on your entries a moment ago.",
            fix="It can be taken off at any time, and be put on again an hour after the last time.",
        )


async def _add_account(connection: Connection, identity: Identity) -> StoredIdentity:
    provider, key_id = identity.provider, uuid4()
    nobody_has_it = secrets.token_bytes(32)
    await connection.execute(
        _SQL["account_add"],
        key_id,
        f"{provider.name} account",
        identity.name,
        nobody_has_it,
        sorted(SELF_SERVICE_SCOPES),
        f"{SIGN_IN}{provider.id}",
    )
    facts = (provider.issuer, identity.subject, provider.name, identity.name)
    await connection.execute(_SQL["identity_add"], key_id, *facts)
    return StoredIdentity(key_id, *facts, name_shown=False)


async def _remember_name(
    transaction: Transaction, known: StoredIdentity, identity: Identity
) -> None:
    """Take over what the provider calls itself and the person now.

    A login name moves to the person that the provider gives it to now.
    """
    connection, provider, name = transaction.connection, identity.provider.name, identity.name
    given_up = (identity.provider.issuer, name, known.key_id)
    for row in await connection.fetch(_SQL["name_of_others"], *given_up):
        await _mark_entries(transaction, row["key_id"], marks.VERIFIED)
    await connection.execute(_SQL["identity_seen"], known.key_id, provider, name)
    if (provider, name) != (known.provider, known.name):
        await connection.execute(_SQL["account_named"], known.key_id, name)
        text = marks.mark(provider, name, shown=known.name_shown)
        await _mark_entries(transaction, known.key_id, text)


async def _mark_entries(transaction: Transaction, key_id: UUID, text: str) -> None:
    connection = transaction.connection
    rows = await connection.fetch(
        _SQL["entries_mark"], key_id, text, marks.VERIFIED, marks.VERIFIED_AS
    )
    for board in sorted({row["board"] for row in rows}):
        await connection.execute(_SQL["board_changed"], board)
        await transaction.emit(BoardChanged(board=board))


def _identity(row: asyncpg.Record) -> StoredIdentity:
    return StoredIdentity(
        row["key_id"],
        row["issuer"],
        row["subject"],
        row["provider"],
        row["name"],
        row["name_shown"],
    )
