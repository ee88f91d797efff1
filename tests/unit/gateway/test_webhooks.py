"""Webhooks, the pure part: which addresses may be called, signatures, waits."""

from __future__ import annotations

import base64
import hashlib
import hmac
from uuid import UUID

import pytest

from services.gateway.submissions.options import read_options
from services.gateway.web.addresses import is_public
from services.gateway.webhooks.rules import (
    check_url,
    read_secret,
    retry_delay,
    show_secret,
    signed_headers,
)

INSIDE = [
    "127.0.0.1",
    "127.8.9.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",  # cloud metadata
    "100.100.100.200",  # cloud metadata behind shared address space
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "255.255.255.255",
    "224.0.0.1",
    "240.0.0.1",
    "192.0.0.192",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",  # cloud metadata
    "fc00::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::169.254.169.254",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:5601:5601",  # Teredo, whose client is inside
    "nonsense",
    "",
    "2130706433",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_are_not_called(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://example.org/hook?x=1", None),
        ("http://example.org:8080/", None),
        ("https://93.184.216.34/", None),
        ("ftp://example.org/", "invalid_url"),
        ("javascript:alert(1)", "invalid_url"),
        ("file:///etc/passwd", "invalid_url"),
        ("gopher://example.org/", "invalid_url"),
        ("data:text/html,x", "invalid_url"),
        ("https://", "invalid_url"),
        ("https://user:pass@example.org/", "invalid_url"),
        ("https://example.org\\@127.0.0.1/", "invalid_url"),
        ("https://example.org/\r\nX: y", "invalid_url"),
        ("https://example.org/ x", "invalid_url"),
        ("https://exa\u202emple.org/", "invalid_url"),
        ("https://[::1", "invalid_url"),
        ("https://example.org:99999/", "invalid_url"),
        ("https://" + "a" * 3000, "invalid_url"),
        ("http://example.org:25/", "forbidden_port"),
        ("http://localhost/", "forbidden_address"),
        ("http://LOCALHOST./", "forbidden_address"),
        ("http://x.localhost:8080/", "forbidden_address"),
        ("http://metadata.google.internal/", "forbidden_address"),
        ("http://127.0.0.1/", "forbidden_address"),
        ("http://[::ffff:10.0.0.1]/", "forbidden_address"),
        ("http://169.254.169.254/latest", "forbidden_address"),
    ],
)
def test_addresses_are_looked_at_when_given(url: str, code: str | None) -> None:
    found = [problem.code for problem in check_url(url, private_networks=False)]
    assert found == ([code] if code else [])
    if code in ("forbidden_port", "forbidden_address"):
        assert check_url(url, private_networks=True) == []


def test_signatures_are_those_of_the_specification() -> None:
    secret = b"0" * 24
    event = UUID(int=7)
    headers = signed_headers(event, b'{"a":1}', secret, 1_700_000_000)
    message = b"00000000-0000-0000-0000-000000000007.1700000000." + b'{"a":1}'
    expected = base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()
    assert headers == {
        "Webhook-Id": str(event),
        "Webhook-Timestamp": "1700000000",
        "Webhook-Signature": f"v1,{expected}",
    }


@pytest.mark.parametrize(
    ("text", "length"),
    [
        (show_secret(b"x" * 24), 24),
        (show_secret(b"x" * 64), 64),
        (show_secret(b"x" * 23), None),
        (show_secret(b"x" * 65), None),
        ("whsec_!!!", None),
        ("secret", None),
        ("", None),
    ],
)
def test_secrets_have_a_form(text: str, length: int | None) -> None:
    secret = read_secret(text)
    assert (len(secret) if secret else None) == length


def test_waits_grow_to_a_cap_and_spread() -> None:
    waits = [retry_delay(attempt, 10, 0.5) for attempt in range(1, 9)]
    assert waits[:4] == [10, 50, 250, 1250]
    assert waits[-1] == 12 * 3600
    assert retry_delay(1, 10, 0) == 9
    assert retry_delay(1, 10, 1) == 11
    assert retry_delay(10_000 // 100, 10, 0.5) == 12 * 3600


def test_options_tell_every_problem() -> None:
    options, problems = read_options(
        {"webhook_secret": "x", "evaluate_only": "maybe", "replaces": "1"}
    )
    assert options.webhook_url is None
    assert [problem.code for problem in problems] == [
        "invalid_id", "invalid_choice", "invalid_secret", "contradiction",
    ]  # fmt: skip
