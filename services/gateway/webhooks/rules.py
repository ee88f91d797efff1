"""Webhooks: which addresses may be called, what is sent, how it is signed, when it is tried again.

Signatures are those of the Standard Webhooks specification (standardwebhooks.com), which libraries
for most languages check.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from medvid.benchmark.report import Problem, shown
from services.gateway.web.addresses import is_public

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the specification's, so that scanners find a leak
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64
MAX_URL: Final = 2_000
_WEB_PORTS: Final = frozenset({80, 443})
_FIRST_FREE_PORT: Final = 1024
_GROWTH: Final = 5.0
_LONGEST_WAIT: Final = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where to tell, and the secret that signs."""

    url: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """An event: `kind` such as submission.ranked; `data` as event streams have it."""

    id: UUID
    submission_id: UUID
    kind: str
    data: Mapping[str, object]
    happened_at: datetime


def check_url(url: str, *, private_networks: bool) -> list[Problem]:
    """Return every problem of a webhook's address, as far as it can be known without asking DNS."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        sound = parts.scheme in ("http", "https") and bool(host) and "@" not in parts.netloc
    except ValueError:
        host, port, sound = "", None, False
    hidden = any(c.isspace() or not c.isprintable() or c in '<>"\\' for c in url)
    if not sound or hidden or len(url) > MAX_URL:
        return [_problem("invalid_url", url, "an http or https address without user or spaces")]
    if private_networks:
        return []
    if port is not None and port not in _WEB_PORTS and port < _FIRST_FREE_PORT:
        return [_problem("forbidden_port", url, "port 80, 443, or one from 1024 on")]
    if _is_inside(host):
        return [_problem("forbidden_address", url, "an address of the public internet")]
    return []


def _is_inside(host: str) -> bool:
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False  # a name, or a spelling of an address that only the resolver understands
    return not is_public(name)


def _problem(code: str, url: str, expected: str) -> Problem:
    return Problem(
        code, "$.webhook_url", shown(url), expected, "Use an address that we can reach, or none."
    )


def read_secret(text: str) -> bytes | None:
    """Return the bytes of a secret as the specification writes it; None where it is not one."""
    if not text.startswith(SECRET_PREFIX):
        return None
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES else None


def show_secret(secret: bytes) -> str:
    """Return a secret as the specification writes it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def signed_headers(event_id: UUID, body: bytes, secret: bytes, at: int) -> dict[str, str]:
    """Return the headers that prove who sent a body, and when (`at`: seconds since 1970)."""
    message = f"{event_id}.{at}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, message, hashlib.sha256)).decode()
    return {
        "Webhook-Id": str(event_id),
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": f"v1,{signature}",
    }


def retry_delay(attempts: int, first_seconds: float, chance: float) -> float:
    """Return how long to wait after a number of attempts; `chance` (0-1) spreads it by a tenth."""
    wait = first_seconds * _GROWTH ** max(0, attempts - 1)
    return min(wait, _LONGEST_WAIT) * (0.9 + 0.2 * chance)
