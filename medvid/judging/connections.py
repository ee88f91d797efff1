"""Why a connection failed, out of the chain of errors that led to it."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from medvid.judging.calls import CallFailed
from medvid.judging.error_bodies import shown

_MOST_CAUSES = 20
# By name, as several HTTP libraries call theirs so: nothing was sent before these.
_NEVER_SENT = (
    "ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL",
    "LocalProtocolError", "ProxyError", "ClientConnectorError", "ClientConnectorDNSError",
    "ClientProxyConnectionError", "ConnectionTimeoutError",
)  # fmt: skip
_TRANSPORT = "aiohttp"
"""Whose errors say what happened; what they are wrapped in calls any of them a timeout."""


def read_connection_failure(error: BaseException, seconds: float) -> CallFailed:
    """Return what a lost, refused or late connection means.

    `seconds`: what the call had. What cannot pass by itself (a certificate, a wrong scheme) is a
    setting. Once it was sent a call may have been answered; a connection never made was not.
    """
    chain = list(_chain(error))
    setting = _setting(chain)
    if setting is not None:
        detail = f"No connection can be made: check MEDVID_JUDGE_BASE_URL ({shown(setting)})"
        return CallFailed("unusable", "connection", detail, cause="address", said=shown(setting))
    reason = next(filter(None, map(_reason, chain)), "")
    telling = [one for one in chain if type(one).__module__.startswith(_TRANSPORT)] or chain
    names = [type(one).__name__ for one in telling]
    never_made = bool(reason) or any(name in _NEVER_SENT for name in names)
    if not reason and any("Timeout" in name for name in names):
        if never_made:
            detail = "no connection could be made in time: the host does not answer"
            return CallFailed("failing", "timeout", detail)
        detail = f"no answer within {seconds:g} s"
        return CallFailed("failing", "timeout", detail, maybe_billed=True)
    detail = reason or f"it was lost ({names[-1]}{_says(telling[-1])})"
    detail = shown(f"the connection failed: {detail}")
    return CallFailed("failing", "connection", detail, maybe_billed=not never_made)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, with what groups and OS errors hold inside."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _MOST_CAUSES:
        one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = [one.__cause__, one.__context__, getattr(one, "os_error", None)]
        inner += getattr(one, "exceptions", ())
        waiting += [each for each in inner if isinstance(each, BaseException)]


def _setting(chain: list[BaseException]) -> str | None:
    for error in chain:
        # The transport's own errors are of these classes too, without what they say.
        if isinstance(error, ssl.SSLCertVerificationError) and hasattr(error, "verify_message"):
            return f"its certificate is not valid: {error.verify_message}"
        if isinstance(error, ssl.SSLError) and hasattr(error, "reason"):
            reason = error.reason or "unknown"
            if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
                return "it speaks no TLS: http:// instead of https://?"
            return f"TLS failed: {reason}"
        if type(error).__name__ in ("UnsupportedProtocol", "InvalidURL"):
            return "it is no http:// or https:// address"
    return None


def _reason(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return f"its name cannot be resolved (DNS: {error.strerror or error})"
    if isinstance(error, ConnectionRefusedError) or _number(error) == errno.ECONNREFUSED:
        return "refused: nothing listens on its port"
    if _number(error) in (errno.EHOSTUNREACH, errno.ENETUNREACH):
        return "no way leads to it (network unreachable)"
    return ""


def _number(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _says(error: BaseException) -> str:
    return f": {error}" if str(error) else ""
