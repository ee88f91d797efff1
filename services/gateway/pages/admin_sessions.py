"""Signing in to the administrators' page: sessions in the database, kept as hashes only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from aiohttp import web

from services.gateway.accounts import credentials
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.accounts.audit import Subject, record
from services.gateway.accounts.callers import Callers, account_cookie
from services.gateway.sign_in.service import SignIn
from services.gateway.web import browsers
from services.gateway.web.browsers import cookie_name, set_cookie
from services.gateway.web.middleware import request_id_of
from services.gateway.web.urls import url
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "sessions.sql")
_BEFORE: Final = "medvid-before"
"""The cookie of a browser that has not signed in; its sign-in form belongs to it."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AdminSession:
    """A signed-in browser."""

    who: str
    form_token: str
    expires_at: datetime


class Sessions:
    """Opens, finds and ends sessions: of keys, and of administrators who signed in as people."""

    def __init__(
        self,
        database: Database,
        callers: Callers,
        sign_in: SignIn,
        admin_key: str | None,
        seconds: float,
    ) -> None:
        self.callers = callers
        self.sign_in = sign_in
        self._database = database
        self._admin_sha256 = credentials.sha256(admin_key) if admin_key else None
        self._seconds = seconds

    async def of(self, request: web.Request) -> AdminSession | None:
        """Return the session of a request, if it has one that is valid; raises Transient."""
        cookie = request.cookies.get(_name(request))
        if not cookie:
            return await self._of_person(request)
        async with transient_errors():
            row = await self._database.pool.fetchrow(
                _SQL["session_find"], credentials.sha256(cookie), self._admin_sha256
            )
        if row is None:
            return await self._of_person(request)
        return AdminSession(row["who"], browsers.form_token(cookie), row["expires_at"])

    async def _of_person(self, request: web.Request) -> AdminSession | None:
        found = await self.sign_in.session(request.cookies.get(account_cookie(request)))
        if found is None or found.administrator is None:
            return None
        return AdminSession(found.administrator, found.form_token, found.administers_until)

    async def open(self, request: web.Request, secret: str, response: web.Response) -> None:
        """Open a session for an administrator's key and give the browser its cookie.

        Raises NotAllowed for any other key.
        """
        caller = await self.callers.holder(secret, request)
        self.callers.rules.require_administrator(caller)
        cookie = browsers.new_session_token()
        action = AdminAction.of(caller.name, "signed in on the page", request_id_of(request))
        async with transient_errors(), self._database.transaction() as transaction:
            connection = transaction.connection
            await connection.execute(_SQL["sessions_forget"])
            await connection.execute(
                _SQL["session_add"],
                credentials.sha256(cookie),
                caller.name,
                credentials.sha256(secret),
                self._seconds,
            )
            await record(transaction, action, "sign_in", Subject("page", "admin"))
        _set(response, request, _name(request), cookie, int(self._seconds))
        response.del_cookie(_BEFORE, path=url("admin"))
        _log.info("administrator_signed_in", who=caller.name)

    async def end(self, request: web.Request, response: web.Response) -> None:
        """End every session of a request."""
        name = _name(request)
        cookie = request.cookies.get(name, "")
        async with transient_errors():
            await self._database.pool.execute(_SQL["session_end"], credentials.sha256(cookie))
        await self.sign_in.leave(request.cookies.get(account_cookie(request)))
        _set(response, request, name, "", 0)


def sign_in_token(request: web.Request) -> tuple[str, str | None]:
    """Return the token of a sign-in form, and the cookie to be set where the browser has none."""
    known = request.cookies.get(_BEFORE)
    cookie = known or browsers.new_session_token()
    return browsers.form_token(cookie), None if known else cookie


def remember_browser(response: web.Response, request: web.Request, cookie: str) -> None:
    """Give a browser the cookie that its sign-in form belongs to."""
    _set(response, request, _BEFORE, cookie, 3600)


def check_sign_in(request: web.Request, token: object) -> None:
    """Raise NotAllowed unless a sign-in form was made for this browser."""
    cookie = request.cookies.get(_BEFORE)
    browsers.require_own_form(request, browsers.form_token(cookie) if cookie else None, token)


def _name(request: web.Request) -> str:
    return cookie_name(request, "medvid-admin")


def _set(response: web.Response, request: web.Request, name: str, value: str, age: int) -> None:
    set_cookie(response, request, name, value, page="admin", seconds=age, samesite="Strict")
