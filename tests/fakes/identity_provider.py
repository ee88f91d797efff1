"""An identity provider that behaves as its test says: OpenID Connect and GitHub, with faults."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote, urlencode

from aiohttp import web
from joserfc import jwk, jwt

CLIENT: Final = "leaderboard"
SECRET: Final = "the client's secret, with : and é"  # noqa: S105 - of a fake
_HUGE: Final = 1 << 20


def rsa_key(kid: str) -> jwk.RSAKey:
    """Return a key that signs."""
    return jwk.RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@dataclass(slots=True)
class FakeProvider:
    """A running provider. Everybody who is sent to it is `subject`, at once.

    `claims` go over those of the ID token; None takes one out. `seal` makes the token of claims.
    """

    issuer: str = ""
    subject: str = "subject-1"
    name: str = "ada"
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    key: jwk.RSAKey = field(default_factory=lambda: rsa_key("one"))
    published: list[dict[str, Any]] | None = None
    seal: Callable[[FakeProvider, dict[str, Any]], str] = lambda self, claims: self.signed(claims)
    faults: dict[str, str] = field(default_factory=dict)
    """By path: huge, slow, redirect, html or broken."""
    asked: Counter[str] = field(default_factory=Counter)
    grants: dict[str, dict[str, str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    secret_in_form: bool = False

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """Return claims signed with the provider's key."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid, **header}, claims, self.key)

    def keys(self) -> list[dict[str, Any]]:
        """Return the published keys."""
        if self.published is not None:
            return self.published
        return [{"kty": "unknown"}, dict(self.key.as_dict(private=False))]

    # ---- what it answers

    async def discover(self, _: web.Request) -> web.Response:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }
        return web.json_response(said | self.discovery)

    async def jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self.keys()})

    async def authorize(self, request: web.Request) -> web.Response:
        asked = dict(request.query)
        assert asked["code_challenge_method"] == "S256", asked
        code = secrets.token_urlsafe(12)
        self.grants[code] = asked
        back = {"code": code, "state": asked["state"], "iss": self.issuer}
        if "nonce" not in asked:  # GitHub names no issuer
            del back["iss"]
        location = f"{asked['redirect_uri']}?{urlencode(back)}"
        return web.Response(status=302, headers={"Location": location})

    async def token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        if "Authorization" in request.headers:
            pair = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
            ours = [unquote(each) for each in pair.decode().split(":")] == [CLIENT, SECRET]
        else:
            ours = self.secret_in_form = (form["client_id"], form["client_secret"]) == (
                CLIENT,
                SECRET,
            )
        grant = self._spent(form) if ours else None
        if grant is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "exp": int(time.time()) + 300,
            "iat": int(time.time()),
            "nonce": grant["nonce"],
        } | self.claims
        token = self.seal(self, {key: value for key, value in claims.items() if value is not None})
        return web.json_response({"access_token": "access", "id_token": token})

    async def about(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer access"
        told = {"sub": self.subject, "preferred_username": self.name} | self.userinfo
        return web.json_response(told)

    async def github_token(self, request: web.Request) -> web.Response:
        form = dict(await request.post())
        grant = self._spent(form) if form["client_secret"] == SECRET else None
        if grant is None:  # as GitHub does: with 200
            return web.json_response({"error": "bad_verification_code"})
        return web.json_response({"access_token": "access", "scope": "", "token_type": "bearer"})

    async def github_user(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer access"
        return web.json_response({"id": 583231, "login": self.name} | self.userinfo)

    def _spent(self, form: dict[str, Any]) -> dict[str, str] | None:
        """Return what a code was given for, once, to who knows its verifier."""
        grant = self.grants.get(form["code"])
        if grant is None or form["code"] in self.used:
            return None
        self.used.add(form["code"])
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        ours = (
            challenge == grant["code_challenge"] and form["redirect_uri"] == grant["redirect_uri"]
        )
        return grant if ours else None


@asynccontextmanager
async def fake_provider(port: int) -> AsyncIterator[FakeProvider]:
    """Run a provider on a port of this machine."""
    fake = FakeProvider(issuer=f"http://127.0.0.1:{port}")

    @web.middleware
    async def faulty(request: web.Request, handler: Any) -> web.StreamResponse:
        fake.asked[request.path] += 1
        match fake.faults.get(request.path):
            case "huge":
                return web.json_response({"filler": "x" * _HUGE})
            case "slow":
                await asyncio.sleep(60)
            case "redirect":
                return web.Response(status=302, headers={"Location": f"{fake.issuer}/jwks"})
            case "html":
                return web.Response(text="<p>Sorry</p>", content_type="text/html")
            case "broken":
                return web.Response(status=500)
        found: web.StreamResponse = await handler(request)
        return found

    app = web.Application(middlewares=[faulty])
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", fake.discover),
            web.get("/jwks", fake.jwks),
            web.get("/authorize", fake.authorize),
            web.post("/token", fake.token),
            web.get("/userinfo", fake.about),
            web.get("/login/oauth/authorize", fake.authorize),
            web.post("/login/oauth/access_token", fake.github_token),
            web.get("/api/v3/user", fake.github_user),
            web.get("/api/v3/meta", fake.jwks),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield fake
    finally:
        await runner.cleanup()


# ---- tokens that must not be believed


def unsigned(_: FakeProvider, claims: dict[str, Any]) -> str:
    """Return a token of the algorithm 'none'."""
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def signed_with_public_key(fake: FakeProvider, claims: dict[str, Any]) -> str:
    """Return a token whose HMAC has the published key as its secret."""
    return _hmac(claims, fake.key.as_pem(private=False), fake.key.kid)


def signed_with_client_secret(fake: FakeProvider, claims: dict[str, Any]) -> str:
    """Return a token whose HMAC has the client's secret."""
    return _hmac(claims, SECRET.encode(), fake.key.kid)


def signed_by_another(fake: FakeProvider, claims: dict[str, Any]) -> str:
    """Return a token of another key that goes by the same name."""
    other = rsa_key(fake.key.kid or "")
    return jwt.encode({"alg": "RS256", "kid": other.kid}, claims, other)


def signed_with_embedded_key(fake: FakeProvider, claims: dict[str, Any]) -> str:
    """Return a token that brings the key that it is to be checked with."""
    other = rsa_key(fake.key.kid or "")
    header = {"alg": "RS256", "kid": other.kid, "jwk": other.as_dict(private=False)}
    return jwt.encode(header, claims, other)


def altered(fake: FakeProvider, claims: dict[str, Any]) -> str:
    """Return a token whose claims were changed after it was signed."""
    head, _, signature = fake.signed(claims).split(".")
    return f"{head}.{part(claims | {'sub': 'somebody else'})}.{signature}"


def _hmac(claims: dict[str, Any], key: bytes, kid: str | None) -> str:
    signed = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': kid})}.{part(claims)}"
    digest = hmac.digest(key, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def part(content: dict[str, Any]) -> str:
    """Return an object as a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
