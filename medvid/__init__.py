"""The public library: the typed client, the benchmark's own rules, and the `medvid` command.

    from medvid import Client

It imports nothing else of the repository. What is heavy is imported at its first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from medvid.api import AsyncClient, Client

__all__ = ["AsyncClient", "Client"]
_OF_API: Final = frozenset(__all__)


def __getattr__(name: str) -> Any:
    """Import the client when it is asked for: `medvid.benchmark` does not need it."""
    if name not in _OF_API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from medvid import api

    return getattr(api, name)
