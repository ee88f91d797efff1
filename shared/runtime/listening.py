"""Where servers listen: at one address, or at every address of this machine, IPv4 and IPv6."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Final

from aiohttp import web

EVERYWHERE: Final = "::"
"""The setting for every address of both kinds."""
_NO_IPV6: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})

Door = Sequence[socket.socket]
"""Sockets that listen: who connects before they are served waits, and nobody else has the port."""


def open_door(host: str, port: int) -> Door:
    """Listen at an address, or at all that a name has; raises OSError where the port is taken."""
    if host == EVERYWHERE:
        return [_everywhere(port)]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, place in sorted({(each[0], each[4][:2]) for each in found}):
            opened.append(socket.create_server(place, family=family))
    except OSError:
        close_door(opened)
        raise
    return opened


def close_door(door: Door) -> None:
    """Close the sockets."""
    for each in door:
        each.close()


async def serve_at(runner: web.BaseRunner, door: Door) -> None:
    """Let a runner serve who comes through a door; it closes it at its end."""
    for each in door:
        await web.SockSite(runner, each).start()


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
