"""The pages of an account: signing in and out, what it has, programs that wait for a yes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from services.gateway.accounts import credentials
from services.gateway.accounts.callers import Callers, account_cookie
from services.gateway.accounts.models import quota_status
from services.gateway.accounts.quotas import Quotas
from services.gateway.accounts.rules import Caller
from services.gateway.pages.admin_form_fields import Fields, body, checked, text
from services.gateway.pages.admin_form_reading import PLAIN, read_form
from services.gateway.pages.rendering import Pages
from services.gateway.sign_in.api import DeviceRequest
from services.gateway.sign_in.attempts import SECONDS as ATTEMPT_SECONDS
from services.gateway.sign_in.attempts import Attempts
from services.gateway.sign_in.devices import Devices
from services.gateway.sign_in.rules import return_address
from services.gateway.sign_in.service import AccountSession, SignIn
from services.gateway.submissions.service import SubmissionService
from services.gateway.web import problems
from services.gateway.web.browsers import cookie_name, require_own_form, set_cookie, signed_out
from services.gateway.web.endpoints import Handle
from services.gateway.web.errors import QuotaExhausted
from services.gateway.web.middleware import request_id_of
from services.gateway.web.parameters import uuid_of
from services.gateway.web.slots import Slots
from services.gateway.web.urls import PAGES, ROOT, url
from shared.runtime.errors import (
    Conflict,
    InvalidInput,
    MedvidError,
    NotAllowed,
    NotFound,
    Unavailable,
)

_ATTEMPT_COOKIE: Final = "medvid-sign-in"
_SUBMISSIONS: Final = 50
_PRIVATE: Final = {"Cache-Control": "private, no-store"}
_TOLD: Final = (Conflict, InvalidInput, NotAllowed, NotFound, QuotaExhausted, Unavailable)

Do = Callable[[web.Request, AccountSession, Fields], Awaitable[dict[str, object]]]


@dataclass(frozen=True, slots=True)
class AccountPages:
    """What the pages of accounts are made with."""

    pages: Pages
    sign_in: SignIn
    devices: Devices
    submissions: SubmissionService
    quotas: Quotas
    callers: Callers
    slots: Slots = field(default_factory=lambda: Slots("sign-ins", total=64, per_address=8))

    def routes(self) -> list[web.RouteDef]:
        """Return their routes."""
        return [
            web.get(PAGES["account"], self._on(self._account)),
            web.post(PAGES["account"], self._on(self._change)),
            web.get(PAGES["activate"], self._on(self._waiting)),
            web.post(PAGES["activate"], self._on(self._answer)),
            web.get(PAGES["sign_in"], self._on(self._begin)),
            web.get(PAGES["sign_in_callback"], self._on(self._end)),
            web.post(PAGES["sign_out"], self._on(self._leave)),
        ]

    def _on(self, handle: Handle) -> Handle:
        async def handled(request: web.Request) -> web.StreamResponse:
            self.sign_in.require_on()
            return await handle(request)

        return handled

    # ---- to a provider and back

    async def _begin(self, request: web.Request) -> web.Response:
        back = return_address(
            request.query.get("return", ""), url("official").rstrip(ROOT), url("account")
        )
        try:
            address, attempt = await self.sign_in.begin(request.match_info["provider"], back)
        except Unavailable as error:
            return self._to_sign_in(request, back, error)
        response = web.Response(status=303, headers={"Location": address, **_PRIVATE})
        _keep_attempts(request, response, _attempts(request).begun(attempt))
        return response

    async def _end(self, request: web.Request) -> web.Response:
        attempts, provider = _attempts(request), request.match_info["provider"]
        attempt = self.sign_in.attempt(provider, request.query, attempts)
        address = self.callers.address(request)
        try:
            with self.slots.taken(address):
                opened = await self.sign_in.end(
                    provider,
                    request.query,
                    attempt,
                    address=address,
                    request_id=request_id_of(request),
                )
        except (NotAllowed, QuotaExhausted, Unavailable) as error:
            return self._to_sign_in(request, attempt.back if attempt else "", error)
        # A session of before is not the new one's: nobody can have fixed its cookie.
        await self.sign_in.leave(request.cookies.get(account_cookie(request)))
        back = return_address(opened.back, url("official").rstrip(ROOT), url("account"))
        response = web.Response(status=303, headers={"Location": back, **_PRIVATE})
        if attempt is not None:
            _keep_attempts(request, response, attempts.ended(attempt))
        _keep(request, response, account_cookie(request), opened.cookie, int(self.sign_in.seconds))
        return response

    async def _leave(self, request: web.Request) -> web.Response:
        await self._form(request)
        response = web.Response(status=303, headers={"Location": url("account"), **_PRIVATE})
        await self.sign_in.leave(request.cookies.get(account_cookie(request)))
        _keep(request, response, account_cookie(request), "", 0)
        return response

    def _to_sign_in(
        self, request: web.Request, back: str, error: MedvidError | None = None
    ) -> web.Response:
        """Show where to sign in, to who is not signed in."""
        back = return_address(back, url("official").rstrip(ROOT), url("account"))
        ways = [
            (each.name, url("sign_in", provider=each.id, query={"return": back}))
            for each in self.sign_in.providers.by_id.values()
        ]
        return self._page("account_sign_in.html", request, error, ways=ways)

    # ---- the account

    async def _account(self, request: web.Request) -> web.Response:
        session = await self._session(request)
        if session is None:
            return self._to_sign_in(request, request.query.get("return", ""))
        return await self._show(request, session)

    async def _change(self, request: web.Request) -> web.Response:
        session, fields = await self._form(request)
        changes: dict[str, Do] = {
            "show_name": self._show_name,
            "make_key": self._make_key,
            "end": self._end_other,
        }
        do = changes.get(text(fields, "action"))
        try:
            if do is None:
                raise InvalidInput("there is no such action here.", fix="Load the page anew.")
            done = await do(request, session, fields)
        except _TOLD as error:
            return await self._show(request, session, error)
        fresh = await self._session(request)
        if fresh is None:
            return self._to_sign_in(request, "")
        return await self._show(request, fresh, facts=done)

    async def _show_name(
        self, _: web.Request, session: AccountSession, fields: Fields
    ) -> dict[str, object]:
        shown = checked(fields, "shown")
        await self.sign_in.store.show_name(session.key_id, shown=shown)
        named = "name you now" if shown else "do not name you any more"
        return {"done": f"Your entries {named}; boards follow within seconds."}

    async def _make_key(
        self, _: web.Request, session: AccountSession, fields: Fields
    ) -> dict[str, object]:
        label = body(DeviceRequest, label=text(fields, "label")).label
        secret = credentials.new_key()
        await self.sign_in.store.add_program(session.key_id, credentials.sha256(secret), label)
        return {"made": secret}

    async def _end_other(
        self, _: web.Request, session: AccountSession, fields: Fields
    ) -> dict[str, object]:
        found = uuid_of(text(fields, "id"))
        if found is not None:
            await self.sign_in.store.end(session.key_id, found)
        return {"done": "It is signed out."}

    async def _show(
        self,
        request: web.Request,
        session: AccountSession,
        error: MedvidError | None = None,
        facts: Mapping[str, object] = MappingProxyType({}),
    ) -> web.Response:
        cookie = request.cookies.get(account_cookie(request), "")
        caller = await self._caller(request, cookie)
        usage = await self.quotas.usage(caller)
        return self._page(
            "account.html",
            request,
            error,
            session=session,
            identity=session.stored.identity,
            signed_in=await self.sign_in.store.signed_in(
                session.key_id, credentials.sha256(cookie)
            ),
            usage=quota_status(caller.name, usage) if usage else None,
            submissions=await self.submissions.page(caller, None, None, _SUBMISSIONS),
            **facts,
        )

    async def _caller(self, request: web.Request, cookie: str) -> Caller:
        """Return the account as it acts; raises NotAllowed where it has been closed."""
        caller = await self.callers.of_session(cookie, request)
        if caller is None:
            raise signed_out()
        return caller

    # ---- programs that wait

    async def _waiting(self, request: web.Request) -> web.Response:
        code = request.query.get("code", "")
        session = await self._session(request)
        if session is None:
            back = url("activate", query={"code": code} if code.replace("-", "").isalnum() else {})
            return self._to_sign_in(request, back)
        return await self._program(request, session, code)

    async def _program(
        self, request: web.Request, session: AccountSession, code: str
    ) -> web.Response:
        """Show the program of a code, to be allowed or refused, or ask for a code."""
        try:
            program = await self.devices.find(code, self.callers.address(request)) if code else None
        except _TOLD as error:
            return self._page("activate.html", request, error, session=session, program=None)
        return self._page("activate.html", request, None, session=session, program=program)

    async def _answer(self, request: web.Request) -> web.Response:
        session, fields = await self._form(request)
        allowed = text(fields, "answer") == "allow"
        account = session.key_id if allowed else None
        address = self.callers.address(request)
        facts: dict[str, Any] = {"session": session, "program": None}
        try:
            label = await self.devices.answer(text(fields, "code"), account, address)
        except _TOLD as error:
            return self._page("activate.html", request, error, **facts)
        done = f"{label} is allowed to act for you" if allowed else f"{label} was refused"
        return self._page("activate.html", request, None, done=f"{done}.", **facts)

    # ---- who is here

    async def _session(self, request: web.Request) -> AccountSession | None:
        return await self.sign_in.session(request.cookies.get(account_cookie(request)))

    async def _form(self, request: web.Request) -> tuple[AccountSession, Fields]:
        """Return a form and who sends it; raises NotAllowed unless it is this browser's own."""
        fields = await read_form(request, PLAIN)
        session = await self._session(request)
        if session is None:
            raise signed_out()
        require_own_form(request, session.form_token, fields.get("csrf"))
        return session, fields

    def _page(
        self, template: str, request: web.Request, error: MedvidError | None, **facts: object
    ) -> web.Response:
        problem = problems.of_error(error, request_id_of(request)) if error else None
        body = self.pages.render(template, problem=problem, **facts)
        return web.Response(
            text=body,
            status=problem.status if problem else HTTPStatus.OK,
            content_type="text/html",
            charset="utf-8",
            headers=_PRIVATE,
        )


def _attempts(request: web.Request) -> Attempts:
    return Attempts.read(request.cookies.get(cookie_name(request, _ATTEMPT_COOKIE)))


def _keep_attempts(request: web.Request, response: web.Response, attempts: Attempts) -> None:
    seconds = ATTEMPT_SECONDS if attempts.kept else 0
    _keep(request, response, cookie_name(request, _ATTEMPT_COOKIE), attempts.cookie, seconds)


def _keep(
    request: web.Request, response: web.Response, name: str, value: str, seconds: int
) -> None:
    """Give a browser a cookie that also comes with it from a provider's page."""
    set_cookie(response, request, name, value, page="official", seconds=seconds, samesite="Lax")
