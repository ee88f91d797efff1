"""Requests with values that nobody means, made up from a seed, and what their answers must be.

Every parameter of every page, and every header that we look at, gets line breaks, NUL, separators,
broken encodings, numbers out of range. They are sent as bytes, which no client library would do.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.patience import HANG_SECONDS
from tests.processes import LOOPBACK

_SECONDS: Final = HANG_SECONDS
_VIEW: Final = ("q", "track", "sort", "columns", "scoring", "live", "unknown")
PUBLIC: Final[dict[str, tuple[str, ...]]] = {
    "/": _VIEW,
    "/community": _VIEW,
    "/boards/community/snapshots/1": _VIEW,
    "/boards/{}/snapshots/{}": _VIEW,
    "/boards/{}/entries/{}": ("x",),
    "/compare": ("models", "models", "models", "board", "scoring"),
    "/about": ("x",),
    "/submit": ("replaces",),
    "/submissions/{}": ("x",),
    "/static/{}": ("v",),
    "/problems/{}": (),
    "/docs": ("x",),
    "/status": ("x",),
    "/feed.atom": ("x",),
    "/{}/feed.atom": (),
    "/{}": ("x",),
    "/api/v1/leaderboards": ("x",),
    "/api/v1/leaderboards/{}": ("scoring", "track", "as_of", "limit", "cursor", "format"),
    "/api/v1/leaderboards/community": ("scoring", "track", "as_of", "limit", "cursor", "format"),
    "/api/v1/leaderboards/community.csv": ("scoring", "track", "as_of", "limit", "cursor"),
    "/api/v1/leaderboards/community/entries/{}": (),
    "/api/v1/leaderboards/community/events": (),
    "/api/v1/snapshots/{}": ("format",),
    "/api/v1/submissions": ("cursor", "limit"),
    "/api/v1/submissions/{}": ("x",),
    "/api/v1/submissions/{}/events": (),
    "/submissions/{}/verdicts": ("metric", "aspect", "at_most", "source", "order", "page"),
    "/api/v1/submissions/{}/verdicts": (
        "metric",
        "state",
        "aspect",
        "at_most",
        "source",
        "model",
        "cut",
        "order",
        "page",
        "page_size",
        "format",
    ),
    "/api/v1/quotas": ("x",),
    "/api/v1/keys/me": (),
    "/api/v1/status": ("x",),
    "/readyz": ("x",),
}
ADMINISTRATION: Final[dict[str, tuple[str, ...]]] = {
    "/admin": ("x",),
    "/admin/audit": ("cursor", "action", "who", "subject_kind", "subject", "limit"),
    "/admin/boards": ("x",),
    "/admin/boards/export": ("board", "format"),
    "/admin/dead-letters": ("cursor", "state"),
    "/admin/entries": ("cursor", "board", "removed"),
    "/admin/entries/{}": ("x",),
    "/admin/keys": ("cursor",),
    "/admin/rescores": ("x",),
    "/admin/rescores/{}": ("x",),
    "/admin/submissions": ("cursor", "state"),
    "/admin/{}": ("x",),
}
"""The administrators' pages; without a session all of them ask for the key."""
_HEADERS: Final = (
    "Accept", "Accept-Encoding", "Accept-Language", "Authorization", "Content-Type", "Cookie",
    "Expect", "If-Match", "If-Modified-Since", "If-None-Match", "If-Unmodified-Since",
    "Idempotency-Key",
    "Last-Event-ID", "Origin", "Range", "Referer", "Sec-Fetch-Site", "traceparent", "tracestate",
    "User-Agent", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Request-ID",
)  # fmt: skip
_MEANT: Final = (
    b"", b"a", b"community", b"official", b"strict", b"rank", b"-date", b"json", b"csv", b"1", b"0",
    b"00000000-0000-0000-0000-000000000000", b"2026-04-15",
)  # fmt: skip
_ENCODED: Final = (
    b"%0d%0aX:1", b"a%0d%0a%0d%0a<script>", b"%0a", b"%0d", b"%00", b"%01", b"%1f", b"%7f", b"%09",
    b"%26", b"%23", b"%3f", b"%20", b"%25", b"%2f..%2f", b"%5c", b"%22", b"%27", b"%3c%3e", b"%2c",
    b"%ed%a0%80", b"%ff", b"%c3", b"%c2%85", b"%e2%80%a8", b"%e2%80%ae", b"%f0%9f%a9%ba",
    b"%ef%bf%bf", b"%", b"%z", b"%u000d", b"%25%30%64", b"+", b";", b"=", b",", b",,,",
    b"//example.org", b"\\", b"'", b'"', b"<b>", b"..", b"../..", b"{}", b"{{1}}", b"-1",
    b"9" * 30, b"1e999", b"NaN", b"0x1", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80",
    b"\xf0\x9f\xa9\xba", b"a" * 2_000, b"%0a" * 600, b"99999-01-01", b"0000-00-00",
    b"-9999-01-01T00:00:00Z", b"9999-12-31T23:59:59-14:00",
)  # fmt: skip
_FIELDS: Final = (
    b"\xff", b"\xed\xa0\x80", b"a\tb", b"\t", b"a" * 4_000, b"*", b"W/*", b'"', b'""', b'W/"a',
    b"a=b", b"%0d%0aX:1", b"Thu, 01 Jan 99999 00:00:00 GMT", b"Mon, 31 Feb 2026 25:61:61 GMT",
    b"0", b"-1", b"Thu, 01 Jan 0001 00:00:00 -9999", b"9" * 400, b"q=1e999", b"gzip;q=nan",
    b"text/csv;q=\xff", b"application/json;q=0", b"*/*;q=0", b"text/html\xff", b"Bearer",
    b"Bearer \xff", b"Bearer mvb_x", b'Bearer "mvb_x"', b"Basic YTpi", b"Bearer " + b"a" * 500,
    b"bytes=0-0,-1", b"bytes=9-1", b"medvid-admin=\xff; medvid-before=%00",
    b"a=\"\\012\"; $Version=1; =;;=", b"null", b"http://[", b"::", b"1.2.3.4, [::1], \xff",
    b"00-" + b"0" * 32 + b"-" + b"f" * 16 + b"-01", b"a,b;c=d", b"{}", b"<b>",
    b"multipart/form-data; boundary=\xff", b"application/json; charset=nonsense", b"cross-site",
)  # fmt: skip
_KNOWN: Final = frozenset(
    b"access-control-allow-origin access-control-expose-headers allow cache-control"
    b" connection content-disposition content-encoding content-length content-security-policy"
    b" content-type cross-origin-opener-policy cross-origin-resource-policy date etag last-modified"
    b" link location referrer-policy retry-after server set-cookie transfer-encoding vary"
    b" www-authenticate x-accel-buffering x-content-type-options x-request-id x-total-count".split()
)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `head` is without the empty line, `body` as long as it says."""

    head: bytes
    body: bytes

    @property
    def status(self) -> int:
        """Its status; 0 where it is no answer."""
        found = _STATUS.match(self.head)
        return int(found[1]) if found else 0

    @property
    def fault(self) -> str | None:
        """What must not be, if it is."""
        if self.status == 0:
            return "no answer"
        if self.status >= 500:
            return f"status {self.status}"
        names = {line.partition(b":")[0].lower() for line in self.head.split(b"\r\n")[1:]}
        strange = names - _KNOWN
        return f"headers {sorted(strange)}" if strange else None


def fuzzed(
    seed: int,
    count: int,
    addresses: Mapping[str, tuple[str, ...]] = {**PUBLIC, **ADMINISTRATION},
    *fields: bytes,
) -> Iterator[bytes]:
    """Yield so many requests, always the same for a seed; `fields` go with each."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    for number in range(count):
        address, names = list(addresses.items())[number % len(addresses)]
        method = chance.choice((b"GET ", b"GET ", b"GET ", b"HEAD "))
        head = [method + _target(chance, address, names) + b" HTTP/1.1", b"Host: localhost"]
        head += [b"Connection: close", *fields]
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            head.append(chance.choice(_HEADERS).encode() + b": " + chance.choice(_FIELDS))
        yield b"\r\n".join([*head, b"", b""])


def _target(chance: random.Random, address: str, names: Sequence[str]) -> bytes:
    first, *others = address.encode().split(b"{}")
    path = first + b"".join(_value(chance) + part for part in others)
    pairs = [name.encode() + b"=" + _value(chance) for name in names if chance.random() < 0.6]
    if chance.random() < 0.1:
        pairs.append(_value(chance))
    return path + (b"?" + b"&".join(pairs) if pairs else b"")


def _value(chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return chance.choice(_MEANT)
    return b"".join(chance.choice(_ENCODED) for _ in range(chance.choice((1, 1, 2))))


async def exchange(port: int, asked: bytes) -> Answer:
    """Send a request and return its answer, of a stream only the head."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        async with asyncio.timeout(_SECONDS):
            writer.write(asked)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            whole = length is not None and not asked.startswith(b"HEAD ")
            body = await reader.readexactly(int(length[1])) if length and whole else b""
            return Answer(head.removesuffix(b"\r\n\r\n"), body)
    except (OSError, EOFError, TimeoutError):
        return Answer(b"", b"")
    finally:
        writer.transport.abort()


async def faults(port: int, requests: Iterator[bytes], at_once: int = 8) -> list[str]:
    """Send requests, some at once, and return what was wrong with answers, and which they were."""
    found: list[str] = []

    async def work() -> None:
        for asked in requests:
            fault = (await exchange(port, asked)).fault
            if fault is not None:
                found.append(f"{fault}: {asked!r}")

    await asyncio.gather(*(work() for _ in range(at_once)))
    return found
