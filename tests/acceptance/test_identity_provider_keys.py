"""How a provider's keys and addresses are followed: rotation, limits, our own networks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc import jwt

from services.gateway.sign_in.attempts import Attempt
from services.gateway.sign_in.openid_connect import OpenIdConnect
from services.gateway.sign_in.provider_calls import ProviderCalls, ProviderFailed
from services.gateway.sign_in.rules import Identity, Provider
from shared.runtime.errors import NotAllowed
from tests.fakes.identity_provider import CLIENT, SECRET, FakeProvider, fake_provider, rsa_key
from tests.servers import free_port

CALLBACK = "https://lab.example.org/sign-in/one/callback"
KEYS = "/jwks"
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
async def fake() -> AsyncIterator[FakeProvider]:
    async with fake_provider(free_port()) as fake:
        yield fake


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def provider(fake: FakeProvider, **changes: Any) -> Provider:
    given = {
        "id": "one",
        "name": "One",
        "kind": "oidc",
        "issuer": fake.issuer,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "scopes": "openid",
        "name_claim": "preferred_username",
        "private_networks": True,
    }
    return Provider(**given | changes)  # type: ignore[arg-type]


async def sign_in(client: OpenIdConnect, fake: FakeProvider) -> Identity:
    attempt = Attempt.begin("/")
    await client.address(attempt, CALLBACK)
    fake.grants["code"] = {
        "code_challenge": attempt.challenge(client.provider),
        "redirect_uri": CALLBACK,
        "nonce": attempt.nonce(client.provider),
    }
    fake.used.clear()
    return await client.identity("code", attempt, CALLBACK)


async def test_new_keys_are_followed_but_not_asked_for_all_the_time(fake: FakeProvider) -> None:
    clock = Clock()
    client = OpenIdConnect(provider(fake), clock)
    for _ in range(3):
        assert (await sign_in(client, fake)).name == "ada"
    assert (fake.asked[DISCOVERY], fake.asked[KEYS]) == (1, 1)
    clock.now += 61
    fake.key = rsa_key("two")
    assert (await sign_in(client, fake)).subject == "subject-1"
    assert fake.asked[KEYS] == 2
    fake.key = rsa_key("three")  # within the minute
    for _ in range(3):
        with pytest.raises(NotAllowed):
            await sign_in(client, fake)
    assert fake.asked[KEYS] == 2
    clock.now += 61
    await sign_in(client, fake)
    assert (fake.asked[DISCOVERY], fake.asked[KEYS]) == (1, 3)
    clock.now += 61
    fake.key = rsa_key("three")  # another key that goes by the same name
    await sign_in(client, fake)
    fake.seal = lambda me, claims: jwt.encode({"alg": "RS256"}, claims, me.key)
    clock.now += 61
    fake.key = rsa_key("")  # and one whose tokens name none
    await sign_in(client, fake)
    assert (fake.asked[DISCOVERY], fake.asked[KEYS]) == (1, 5)
    # A key that is taken back is not believed for more than an hour, though tokens name no other.
    old, fake.key = fake.key, rsa_key("four")
    fake.seal = lambda _, claims: FakeProvider(key=old).signed(claims)
    clock.now += 3_601
    with pytest.raises(NotAllowed):
        await sign_in(client, fake)


@pytest.mark.parametrize("path", [DISCOVERY, KEYS])
async def test_a_provider_that_failed_is_left_alone_for_a_moment(
    fake: FakeProvider, path: str
) -> None:
    clock = Clock()
    client = OpenIdConnect(provider(fake), clock)
    fake.faults = {path: "broken"}
    for _ in range(5):
        with pytest.raises(ProviderFailed):
            await sign_in(client, fake)
    assert fake.asked[path] == 1
    fake.faults, clock.now = {}, clock.now + 6
    await sign_in(client, fake)


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": "ftp://127.0.0.1/token"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": "https://user@127.0.0.1/"},
        {"jwks_uri": "https://[/"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": ["x"]},
        {"jwks_uri": None},
        {"authorization_endpoint": "https://one.example/\r\nSet-Cookie: a=b"},
        {"authorization_endpoint": "https://one.example/#keeps-what-follows"},
        {"authorization_endpoint": "https://one.example/\u202ea"},
        {"token_endpoint": "https://one.example:99999/"},
    ],
)
async def test_what_discovery_says_is_not_followed_anywhere(
    fake: FakeProvider, said: dict[str, Any]
) -> None:
    fake.discovery = said
    with pytest.raises(ProviderFailed):
        await OpenIdConnect(provider(fake)).check()


ODD_KEYS: list[Any] = [7, None, [], {}, {"kty": []}, {"kty": {}}, {"kty": "RSA", "n": []}]


async def test_odd_parts_of_what_a_provider_says_stop_nobody(fake: FakeProvider) -> None:
    for methods in (None, 7, "client_secret_post", {}):
        fake.discovery = {"token_endpoint_auth_methods_supported": methods}
        assert (await sign_in(OpenIdConnect(provider(fake)), fake)).subject == "subject-1"
    fake.published = [*ODD_KEYS, *fake.keys()]
    assert (await sign_in(OpenIdConnect(provider(fake)), fake)).subject == "subject-1"


async def test_discovery_leads_into_no_network_of_ours(fake: FakeProvider) -> None:
    """By none of the ways: an address, a name, another scheme, an odd spelling."""
    public = provider(fake, issuer="https://one.example", private_networks=False)
    calls = ProviderCalls(public)
    with pytest.raises(ProviderFailed):
        calls.require_address("http://one.example/token")  # not even in clear
    port = fake.issuer.rpartition(":")[2]
    for host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "[::ffff:127.0.0.1]", "0"):
        with pytest.raises(ProviderFailed):
            await calls.get(f"http://{host}:{port}{KEYS}")
    assert not fake.asked


async def test_secrets_go_where_the_provider_wants_them(fake: FakeProvider) -> None:
    fake.discovery = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    client = OpenIdConnect(provider(fake))
    assert (await sign_in(client, fake)).subject == "subject-1"
    assert fake.secret_in_form
