"""Whose address counts: proxies we trust are passed through, what anybody may write is not."""

from __future__ import annotations

import pytest

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
    assert client_address(peer, forwarded, TRUSTED) == address


def test_without_trusted_proxies_headers_never_count() -> None:
    assert client_address("127.0.0.1", ["203.0.113.9"], ()) == "127.0.0.1"


def test_a_long_chain_is_read_from_its_end() -> None:
    chain = ", ".join(["203.0.113.9"] + ["10.0.0.2"] * 10_000)
    assert client_address("10.0.0.1", [chain], TRUSTED) == "10.0.0.2"


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
