"""The administrators' pages: they read and do what the API does, by the same steps, with forms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from medvid.models.problems import ProblemDetails
from services.gateway.accounts.admin_actions import AdminAction
from services.gateway.pages.admin_actions import ACTIONS
from services.gateway.pages.admin_form_fields import text
from services.gateway.pages.admin_form_reading import LARGEST, PLAIN, read_form
from services.gateway.pages.admin_parts import AdminParts
from services.gateway.pages.admin_sessions import (
    AdminSession,
    Sessions,
    check_sign_in,
    remember_browser,
    sign_in_token,
)
from services.gateway.pages.rendering import Pages
from services.gateway.web import problems
from services.gateway.web.browsers import require_own_form, signed_out
from services.gateway.web.endpoints import HTML, Handle
from services.gateway.web.errors import QuotaExhausted
from services.gateway.web.middleware import request_id_of
from services.gateway.web.urls import PAGES, url
from shared.runtime.errors import InvalidInput, MedvidError, NotAllowed, Unavailable

_PRIVATE: Final = {"Cache-Control": "no-store"}
_log = structlog.get_logger(__name__)

Context = Mapping[str, object]
Load = Callable[[web.Request], Awaitable[Context]]


@dataclass(frozen=True, slots=True)
class Section:
    """One page: its name among all pages, template and what it shows.

    `under` names the page of the navigation that it belongs to; None: it is there itself.
    """

    name: str
    template: str
    title: str
    load: Load
    under: str | None = None


class AdminPages:
    """Joins sections to routes, behind sessions and form tokens."""

    def __init__(
        self,
        pages: Pages,
        sessions: Sessions,
        parts: AdminParts,
        sections: list[Section],
        downloads: Mapping[str, Handle],
    ) -> None:
        self._pages = pages
        self._downloads = downloads
        self._sessions = sessions
        self._sections = sections
        self._actions = {
            page: {name: form.bound(parts) for name, form in forms.items()}
            for page, forms in ACTIONS.items()
        }

    def routes(self) -> list[web.RouteDef]:
        """Return their routes."""
        routes = [
            web.post(PAGES["admin_sign_in"], self._sign_in),
            web.post(PAGES["admin_sign_out"], self._sign_out),
        ]
        for name, handler in self._downloads.items():
            routes.append(web.get(PAGES[name], self._downloaded(handler)))
        for section in self._sections:
            address = PAGES[section.name]
            routes.append(web.get(address, self._shown(section)))
            if section.name in ACTIONS:
                routes.append(web.post(address, self._done(section)))
        return routes

    def _shown(self, section: Section) -> Handle:
        async def show(request: web.Request) -> web.Response:
            if not self._sessions.callers.rules.administration:
                return self._page("admin_off.html", None, section)
            session = await self._sessions.of(request)
            if session is None:
                return self._sign_in_page(request)
            return await self._section(request, section, session)

        return show

    def _downloaded(self, handler: Handle) -> Handle:
        async def download(request: web.Request) -> web.StreamResponse:
            if await self._sessions.of(request) is None:
                return self._sign_in_page(request, _problem(signed_out(), request))
            return await handler(request)

        return download

    def _done(self, section: Section) -> Handle:
        async def post(request: web.Request) -> web.Response:
            session = await self._sessions.of(request)
            if session is None:
                return self._sign_in_page(request, _problem(signed_out(), request))
            fields = await read_form(request, LARGEST)
            require_own_form(request, session.form_token, fields.get("csrf"))
            try:
                do = self._actions[section.name].get(text(fields, "action"))
                if do is None:
                    raise InvalidInput("there is no such action here.", fix="Load the page anew.")
                action = AdminAction.of(session.who, text(fields, "why"), request_id_of(request))
                done = await do(request, fields, action)
            except MedvidError as error:
                problem = _problem(error, request)
                if problem.status >= 500:
                    raise
                return await self._section(request, section, session, problem=problem)
            return await self._section(request, section, session, done=done)

        return post

    async def _sign_in(self, request: web.Request) -> web.Response:
        fields = await read_form(request, PLAIN)
        try:
            check_sign_in(request, fields.get("csrf"))
            response = web.Response(status=303, headers={"Location": url("admin"), **_PRIVATE})
            await self._sessions.open(request, text(fields, "key"), response)
        except NotAllowed as error:
            address = self._sessions.callers.address(request)
            _log.warning("administrator_sign_in_refused", code=error.error_code, address=address)
            return self._sign_in_page(request, _problem(error, request))
        except (InvalidInput, QuotaExhausted, Unavailable) as error:
            return self._sign_in_page(request, _problem(error, request))
        return response

    async def _sign_out(self, request: web.Request) -> web.Response:
        fields = await read_form(request, PLAIN)
        session = await self._sessions.of(request)
        require_own_form(request, session.form_token if session else None, fields.get("csrf"))
        response = web.Response(status=303, headers={"Location": url("admin"), **_PRIVATE})
        await self._sessions.end(request, response)
        return response

    async def _section(
        self,
        request: web.Request,
        section: Section,
        session: AdminSession,
        *,
        problem: ProblemDetails | None = None,
        done: str = "",
    ) -> web.Response:
        context = await section.load(request)
        return self._page(section.template, session, section, problem=problem, done=done, **context)

    def _sign_in_page(
        self, request: web.Request, problem: ProblemDetails | None = None
    ) -> web.Response:
        token, cookie = sign_in_token(request)
        ways = [
            (each.name, url("sign_in", provider=each.id, query={"return": url("admin")}))
            for each in self._sessions.sign_in.providers.by_id.values()
            if each.administrators or each.administrator_claims
        ]
        response = self._page(
            "admin_sign_in.html", None, None, problem=problem, form_token=token, ways=ways
        )
        if cookie is not None:
            remember_browser(response, request, cookie)
        return response

    def _page(
        self,
        template: str,
        session: AdminSession | None,
        section: Section | None,
        *,
        problem: ProblemDetails | None = None,
        **context: object,
    ) -> web.Response:
        body = self._pages.render(
            template,
            session=session,
            section=section,
            forms=ACTIONS.get(section.name) if section else None,
            sections=[each for each in self._sections if each.under is None],
            problem=problem,
            **context,
        )
        status = 200 if problem is None else problem.status
        return web.Response(
            body=body.encode(), status=status, headers={"Content-Type": HTML, **_PRIVATE}
        )


def _problem(error: MedvidError, request: web.Request) -> ProblemDetails:
    return problems.of_error(error, request_id_of(request))
