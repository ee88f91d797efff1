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
from services.gateway.accounts.callers import Callers
from services.gateway.pages import browser_sessions as browsers
from services.gateway.web.middleware import request_id_of
from services.gateway.web.urls import ROOT, url
from shared.runtime.errors import NotAllowed
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
    """Opens, finds and ends sessions."""

    def __init__(
        self, database: Database, callers: Callers, admin_key: str | None, seconds: float
    ) -> None:
        self.callers = callers
        self._database = database
        self._admin_sha256 = credentials.sha256(admin_key) if admin_key else None
        self._seconds = seconds

    async def of(self, request: web.Request) -> AdminSession | None:
        """Return the session of a request, if it has one that is valid; raises Transient."""
        cookie = request.cookies.get(_name(request))
        if not cookie:
            return None
        async with transient_errors():
            row = await self._database.pool.fetchrow(
                _SQL["session_find"], credentials.sha256(cookie), self._admin_sha256
            )
        return (
            AdminSession(row["who"], browsers.form_token(cookie), row["expires_at"])
            if row
            else None
        )

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
        """End the session of a request."""
        name = _name(request)
        cookie = request.cookies.get(name, "")
        async with transient_errors():
            await self._database.pool.execute(_SQL["session_end"], credentials.sha256(cookie))
        _set(response, request, name, "", 0)


def sign_in_token(request: web.Request) -> tuple[str, str | None]:
    """Return the token of a sign-in form, and the cookie to be set where the browser has none."""
    known = request.cookies.get(_BEFORE)
    cookie = known or browsers.new_session_token()
    return browsers.form_token(cookie), None if known else cookie


def remember_browser(response: web.Response, request: web.Request, cookie: str) -> None:
    """Give a browser the cookie that its sign-in form belongs to."""
    _set(response, request, _BEFORE, cookie, 3600)


def check_form(request: web.Request, token: object, *, signed_in: bool) -> None:
    """Raise NotAllowed unless a form was made for this browser and comes from our own page."""
    cookie = request.cookies.get(_name(request) if signed_in else _BEFORE)
    ours = browsers.same_origin(
        request.host, request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    )
    if not ours or not browsers.is_form_of(cookie, token if isinstance(token, str) else None):
        raise NotAllowed(
            "this form was not made for this browser, or is too old.",
            fix="Go back to the page, load it anew and try again.",
            code="foreign_form",
        )


def _name(request: web.Request) -> str:
    """Return the cookie's name; over https one that a browser takes from a safe answer only.

    Below a path the host has other sites, to which a `__Host-` cookie would be sent as well.
    """
    if not _is_https(request):
        return "medvid-admin"
    return "__Host-medvid-admin" if url("official") == ROOT else "__Secure-medvid-admin"


def _is_https(request: web.Request) -> bool:
    # A forged header makes the sender's own cookie stricter, and nothing else.
    return request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def _set(response: web.Response, request: web.Request, name: str, value: str, age: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=age,
        path=ROOT if name.startswith("__Host-") else url("admin"),
        secure=_is_https(request),
        httponly=True,
        samesite="Strict",
    )
