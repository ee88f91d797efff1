"""Lets a program act for an account that its user is signed in to with a browser (RFC 8628).

The program shows a short code and asks until somebody who is signed in has allowed it. So it works
with every provider: the browser does the signing in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.gateway.accounts import credentials
from services.gateway.accounts.guesses import Guesses
from services.gateway.sign_in.service import SignIn
from services.gateway.sign_in.store import add_program
from services.gateway.web.errors import QuotaExhausted
from shared.runtime.errors import NotAllowed, NotFound, Unavailable
from shared.storage.database import Database, Transaction, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "devices.sql")
SECONDS: Final = 600
"""How long a code may be answered."""
INTERVAL_SECONDS: Final = 5
"""How long a program waits before it asks again."""
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words; no digits, which look like letters."""
_HALF: Final = 4
_MOST_OF_ADDRESS: Final = 10
_MOST: Final = 10_000
_TOO_SOON: Final = INTERVAL_SECONDS - 1.0


@dataclass(frozen=True, slots=True)
class NewCode:
    """What a program gets: a secret to ask with, and a code for its user."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class WaitingProgram:
    """A program that waits to be allowed, as its user is shown it."""

    user_code: str
    label: str
    address: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Devices:
    """Makes codes, lets people answer them, and gives programs their secrets."""

    database: Database
    sign_in: SignIn
    guesses: Guesses

    async def begin(self, label: str, address: str) -> NewCode:
        """Return a new code; raises NotFound, QuotaExhausted, Unavailable."""
        self.sign_in.require_on()
        device_code, user_code = secrets.token_urlsafe(32), _new_user_code()
        digest = credentials.sha256(device_code)
        given = (digest, user_code, label, address, SECONDS, _MOST_OF_ADDRESS, _MOST)
        try:
            async with transient_errors():
                made = await self.database.pool.fetchval(_SQL["code_add"], *given)
        except asyncpg.UniqueViolationError:  # one in billions
            raise Unavailable("the code is in use.", fix="Try again.") from None
        if made is None:
            raise QuotaExhausted(
                "too many programs wait to be allowed.",
                fix=f"Try again in {SECONDS // 60} minutes.",
                code="too_many_at_once",
                retry_after=SECONDS,
            )
        return NewCode(device_code, user_code)

    async def find(self, user_code: str, address: str) -> WaitingProgram:
        """Return the program with a code; raises NotFound, QuotaExhausted after many wrong ones."""
        await self.guesses.check(address)
        async with transient_errors():
            row = await self.database.pool.fetchrow(_SQL["code_find"], read_user_code(user_code))
        if row is None:
            await self.guesses.wrong(address)
            raise _unknown_code()
        return WaitingProgram(**row)

    async def answer(self, user_code: str, account: UUID | None, address: str) -> str:
        """Allow the program with a code to act for an account, or refuse it (None).

        Returns what it calls itself. Raises NotFound, QuotaExhausted after many wrong codes.
        """
        await self.guesses.check(address)
        code = read_user_code(user_code)
        async with transient_errors():
            label: str | None = await self.database.pool.fetchval(
                _SQL["code_answer"], code, account
            )
        if label is None:
            await self.guesses.wrong(address)
            raise _unknown_code()
        return label

    async def poll(self, device_code: str) -> str | None:
        """Return a program's secret once it is allowed; None: not yet.

        Raises NotFound (unknown, expired or used), NotAllowed (refused), QuotaExhausted (too soon).
        """
        self.sign_in.require_on()
        digest = credentials.sha256(device_code)
        async with transient_errors(), self.database.transaction() as transaction:
            row = await transaction.connection.fetchrow(_SQL["code_poll"], digest, _TOO_SOON)
            if row is None or row["expired"]:
                raise _unknown_code()
            if row["denied"] or row["revoked"]:
                raise NotAllowed("it was refused.", fix="Begin again.", code="device_code_denied")
            if row["too_soon"]:
                raise QuotaExhausted(
                    "this asks too often.",
                    fix=f"Wait {INTERVAL_SECONDS} s between two calls.",
                    code="slow_down",
                    retry_after=INTERVAL_SECONDS,
                )
            if row["key_id"] is None:
                await transaction.connection.execute(_SQL["code_polled"], digest)
                return None
            return await _exchange(transaction, digest, row)

    async def prune(self) -> None:
        """Delete codes that have expired."""
        async with transient_errors():
            await self.database.pool.execute(_SQL["codes_forget"])


async def _exchange(transaction: Transaction, digest: bytes, row: asyncpg.Record) -> str:
    secret = credentials.new_key()
    await transaction.connection.execute(_SQL["code_delete"], digest)
    await add_program(
        transaction.connection, row["key_id"], credentials.sha256(secret), row["label"]
    )
    return secret


def read_user_code(text: str) -> str:
    """Return a code as it is stored, however people type it."""
    letters = "".join(letter for letter in text.upper() if letter in _LETTERS)
    return f"{letters[:_HALF]}-{letters[_HALF:]}" if len(text) <= 2 * len("XXXX-XXXX") else ""


def _new_user_code() -> str:
    return read_user_code("".join(secrets.choice(_LETTERS) for _ in range(2 * _HALF)))


def _unknown_code() -> NotFound:
    return NotFound(
        "there is no such code: it is mistyped, used or too old.",
        fix="Check it, or let the program ask for a new one.",
        code="device_code_unknown",
    )
