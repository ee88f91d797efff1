"""The call that reads the test set's public part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from medvid.api.calls import ServerReply, expect_success, get
from medvid.api.transport import Transport
from medvid.benchmark.unpacking import LARGEST_PUBLIC_FILE

_NOT_MODIFIED: Final = 304


@dataclass(frozen=True, slots=True)
class TestSetFile:
    """A test set as a server publishes it: JSON that nobody has checked, and its ETag."""

    __test__ = False  # pytest: not a test class

    content: bytes
    etag: str | None


async def published_test_set(
    transport: Transport, *, etag: str | None = None
) -> TestSetFile | None:
    """Return the test set without its answers, as the file it is; None where `etag` is still its.

    Raises NotFound where the server publishes none, Unintelligible for more than 64 MiB.
    """
    headers = {"Cache-Control": "no-cache"}  # a cache on the way asks the server, too
    if etag is not None:
        headers["If-None-Match"] = etag
    call = replace(get("/test-set"), headers=headers, largest=LARGEST_PUBLIC_FILE)
    return await transport.repeating(call, _file)


def _file(reply: ServerReply) -> TestSetFile | None:
    expect_success(reply)
    if reply.status == _NOT_MODIFIED:
        return None
    return TestSetFile(reply.body, reply.headers.get("etag"))
