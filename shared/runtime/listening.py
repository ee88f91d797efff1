"""Where servers listen: at one address, or at every address of this machine, IPv4 and IPv6."""

from __future__ import annotations

import errno
import socket
from typing import Final

from aiohttp import web

EVERYWHERE: Final = "::"
"""The setting for every address of both kinds."""
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def listen(runner: web.BaseRunner, host: str, port: int) -> web.BaseSite:
    """Return what listens once it is started; raises OSError where the port is taken."""
    if host == EVERYWHERE:
        return web.SockSite(runner, _everywhere(port))
    return web.TCPSite(runner, host, port, reuse_address=True)


def _everywhere(port: int) -> socket.socket:
    """Return a socket for both kinds; event loops give a socket of '::' IPv6 alone.

    Where the machine has no IPv6, it is for IPv4.
    """
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                (EVERYWHERE, port), family=socket.AF_INET6, dualstack_ipv6=True
            )
        except OSError as error:
            if error.errno not in _NO_IPV6:
                raise
    return socket.create_server(("0.0.0.0", port))  # noqa: S104 - what the setting asks for


def host_and_port(host: str, port: int) -> str:
    """Return an address as it is written in URLs: IPv6 ones in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
