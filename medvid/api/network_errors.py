"""Errors of the network and of what stands between, each with its cause and cure."""

from __future__ import annotations

import ssl
import urllib.request
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from medvid.api.errors import BadAddress, LeaderboardError, Unintelligible, Unreachable

if TYPE_CHECKING:
    import aiohttp

MOVED: Final = frozenset({301, 302, 303, 307, 308})
_SET: Final = "set it with --url or MEDVID_URL"
_CHECK: Final = "Check the address (--url, MEDVID_URL) and that the server runs."


def network_error(url: str, error: Exception) -> LeaderboardError:
    """Return the error of a call that got no answer."""
    import aiohttp

    if isinstance(error, aiohttp.ClientHttpProxyError):
        return BadAddress(
            f"the proxy {_proxy(url)} answered {error.status} instead of letting {url} through.",
            fix=_proxy_fix(url),
        )
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return _bad_url(url)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return BadAddress(
            f"the certificate of {url} is not trusted: {_reason(error.certificate_error)}.",
            fix="Use the name that it was made for. Name the file of an authority of your own with "
            "SSL_CERT_FILE.",
        )
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return _no_tls(url, error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _not_connected(url, error)
    if isinstance(error, TimeoutError):
        return Unreachable(f"{url} did not answer in time.", fix="Try again in a while.")
    lost = f"the connection to {url} was lost ({type(error).__name__})."
    if isinstance(error, aiohttp.ServerDisconnectedError) and url.startswith("http:"):
        return Unreachable(lost, fix="Try again; if it stays so, the address may need https.")
    return Unreachable(lost, fix="Try again.")


def moved(url: str, path: str, to: str | None) -> LeaderboardError:
    """Return the error of a server that redirects: tokens go to no other address by themselves.

    `path` is what was asked for at `url`, `to` where the answer is said to be.
    """
    if to is None:
        return BadAddress(f"{url} is not where the server is.", fix=f"Correct it; {_SET}.")
    place = urlsplit(to)
    below = place.path.removesuffix(path) if place.path.endswith(path) else ""
    new = f"{place.scheme}://{place.netloc}{below}" if place.netloc else to
    return BadAddress(f"{url} sends its callers on to {to}.", fix=f"Use {new}; {_SET}.")


def misplaced(url: str, error: LeaderboardError) -> str | None:
    """Return the fix where an answer shows that the address has a path too many."""
    place = urlsplit(url)
    if not place.path.strip("/") or not (
        isinstance(error, Unintelligible) or error.code == "not_found"
    ):
        return None
    return f"If the server is not below {place.path}, use {place.scheme}://{place.netloc}; {_SET}."


def _bad_url(url: str) -> LeaderboardError:
    proxy = _proxy(url)
    if urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname and proxy:
        return BadAddress(f"{proxy!r} is no address of a proxy.", fix=_proxy_fix(url))
    return BadAddress(
        f"{url!r} is no address of a server.",
        fix=f"Write it as in https://example.org; {_SET}.",
    )


def _no_tls(url: str, error: aiohttp.ClientConnectorSSLError) -> LeaderboardError:
    cause = error.os_error
    plain = getattr(cause, "reason", None) in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST")
    if plain:
        return BadAddress(
            f"{url} speaks no TLS: what answers there is plain.",
            fix=f"Write http:// if that is meant, or the port of https; {_SET}.",
        )
    return Unreachable(f"cannot connect to {url}: {_reason(cause)}.", fix=_CHECK)


def _not_connected(url: str, error: aiohttp.ClientConnectorError) -> LeaderboardError:
    import aiohttp

    reason = error.os_error.strerror or str(error.os_error)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Unreachable(
            f"cannot connect to the proxy {_proxy(url)}: {reason}.", fix=_proxy_fix(url)
        )
    return Unreachable(f"cannot connect to {url}: {reason}.", fix=_CHECK)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "reason", None) or str(error)


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment names for an address, without its password."""
    named = urllib.request.getproxies().get(urlsplit(url).scheme)
    return named and named.rpartition("@")[2]


def _proxy_fix(url: str) -> str:
    variable = f"{urlsplit(url).scheme.upper()}_PROXY"
    return f"Correct {variable}, or name {urlsplit(url).hostname} in NO_PROXY to go without."
