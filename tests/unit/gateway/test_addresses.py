"""Whose address counts: proxies we trust are passed through, what anybody may write is not."""

from __future__ import annotations

from typing import cast
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from services.gateway.accounts.callers import Callers, IdentifyCaller
from services.gateway.accounts.keys_store import KeyStore
from services.gateway.accounts.rules import AccessRules
from services.gateway.web.addresses import client_address, parse_networks, sharing

TRUSTED = parse_networks("10.0.0.0/8, fd00::/8,::1/128")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),  # forged: the peer is no proxy of ours
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # the client wrote the first itself
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),  # two headers are one list
        ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),  # two proxies of ours
        ("10.0.0.1", ["10.0.0.9"], "10.0.0.9"),  # a client of our own network
        ("10.0.0.1", ["127.0.0.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, "], "10.0.0.1"),
        ("10.0.0.1", ["x" * 10_000], "10.0.0.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("::ffff:192.0.2.1", [], "192.0.2.1"),
        # Forms of one IPv4 host: mapped, compatible, translated, NAT64, 6to4, Teredo.
        ("::192.0.2.1", [], "192.0.2.1"),
        ("::ffff:0:192.0.2.1", [], "192.0.2.1"),
        ("64:ff9b::192.0.2.1", [], "192.0.2.1"),
        ("64:ff9b:1::192.0.2.1", [], "192.0.2.1"),
        ("2002:c000:201::1", [], "192.0.2.1"),
        ("2002:c000:201:ffff::1", [], "192.0.2.1"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdfe", [], "192.0.2.1"),
        ("10.0.0.1", ["2002:c000:201::1"], "192.0.2.1"),
        ("::1", [], "::/64"),
        ("2001:db8:1:2:3:4:5:6", [], "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", [], "2001:db8:1:2::/64"),
        ("::1", ["[2001:db8::7]"], "2001:db8::/64"),
        # As some proxies write them.
        ("10.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::/64"),
        ("10.0.0.1", ["[::ffff:203.0.113.9]:4711"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9:99999999"], "10.0.0.1"),
        ("10.0.0.1", ["[203.0.113.9"], "10.0.0.1"),
        ("fe80::1%eth0", ["203.0.113.9"], "fe80::/64"),
        # A proxy of ours is one by its own address; what carries such an address is a stranger.
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("2002:a00:1::1", ["203.0.113.9"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9, 2002:a00:2::1"], "10.0.0.2"),
        ("10.0.0.1", ["203.0.113.9, 64:ff9b::10.0.0.2"], "10.0.0.2"),
        (None, ["203.0.113.9"], "local"),
        ("", ["203.0.113.9"], "local"),
    ],
)
def test_the_address_that_pays(peer: str | None, forwarded: list[str], address: str) -> None:
    assert client_address(peer, forwarded, TRUSTED).address == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "hidden"),
    [
        ("10.0.0.1", ["203.0.113.9:4711"], None),
        ("10.0.0.1", ['"[2001:db8::7]:4711"'], None),
        ("10.0.0.1", ["10.0.0.9"], None),  # a client of the same network
        ("10.0.0.1", ["203.0.113.9:99999999"], "unreadable"),
        ("::1", ["unknown"], "unreadable"),
        ("10.0.0.1", ["unknown, 203.0.113.9"], None),  # never reached
        ("10.0.0.1", ["203.0.113.9, _proxy, 10.0.0.2"], "unreadable"),
        ("fd00::1", [], "missing"),
        ("::1", [], None),  # someone on this machine
        ("192.168.0.1", ["203.0.113.9"], "untrusted"),
        ("100.64.0.1", ["203.0.113.9"], "untrusted"),
        ("127.0.0.1", ["203.0.113.9"], "untrusted"),
        ("::ffff:192.168.0.1", ["203.0.113.9"], "untrusted"),
        ("192.168.0.1", [], None),
        ("8.8.8.8", ["203.0.113.9"], None),  # whoever forges it, and no proxy
        (None, ["203.0.113.9"], None),
    ],
)
def test_a_proxy_that_hides_its_clients(
    peer: str | None, forwarded: list[str], hidden: str | None
) -> None:
    assert client_address(peer, forwarded, TRUSTED).hidden == hidden


def test_the_log_says_once_that_clients_are_hidden() -> None:
    callers = Callers(IdentifyCaller(cast(KeyStore, None), None), cast(AccessRules, None), TRUSTED)
    with capture_logs() as logs:
        for header in ("unknown\xff", "unknown", "203.0.113.9"):
            addresses = {callers.address(_request("10.0.0.1", header)) for _ in range(3)}
    assert addresses == {"203.0.113.9"}
    (line,) = logs
    assert (line["event"], line["reason"], line["peer"], line["forwarded_for"]) == (
        "client_address_hidden", "unreadable", "10.0.0.1", "unknown\\xff",
    )  # fmt: skip
    assert "X-Forwarded-For" in line["fix"]


def _request(peer: str, header: str) -> web.Request:
    transport = Mock()
    transport.get_extra_info = {"peername": (peer, 1)}.get
    headers = {"X-Forwarded-For": header}
    return make_mocked_request("GET", "/", headers=headers, transport=transport)


def test_without_trusted_proxies_headers_never_count() -> None:
    assert client_address("127.0.0.1", ["203.0.113.9"], ()).address == "127.0.0.1"


def test_a_long_chain_is_read_from_its_end() -> None:
    chain = ", ".join(["203.0.113.9"] + ["10.0.0.2"] * 10_000)
    assert client_address("10.0.0.1", [chain], TRUSTED).address == "10.0.0.2"


@pytest.mark.parametrize("text", ["10.0.0.1/8", "everyone", "10.0.0.0/99"])
def test_networks_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_networks(text)


def test_networks_around_an_address_share_a_limit() -> None:
    assert sharing("2001:db8:1:2ff::/64", 20) == [
        ("2001:db8:1:2ff::/64", 20),
        ("2001:db8:1:200::/56", 30),
        ("2001:db8:1::/48", 40),
    ]
    assert [limit for _, limit in sharing("2001:db8::/64", 1)] == [1, 2, 2]
    assert [limit for _, limit in sharing("2001:db8::/64", 0)] == [0, 0, 0]
    for alone in ("192.0.2.1", "local"):
        assert sharing(alone, 7) == [(alone, 7)]
