"""`medvid login` and `medvid logout`: a key by signing in with a browser, on any machine."""

from __future__ import annotations

import platform
import time
from typing import Annotated, Final

import typer

from medvid.api import Client, LeaderboardError
from medvid.api.errors import LimitReached, ServerFailed, Unreachable
from medvid.cli import config_file
from medvid.cli.failures import CommandFailed
from medvid.cli.session import Session, public, with_key
from medvid.models.accounts import Key
from medvid.models.sign_in import DeviceCode

_SHORTEST_SECONDS: Final = 1
_SLOWER_SECONDS: Final = 5
"""How much longer it waits after each refused question (RFC 8628, 3.5)."""


@public
def login(
    session: Session,
    label: Annotated[
        str | None, typer.Option(help="what your account calls this key; this machine's name")
    ] = None,
) -> int:
    """Sign in with a browser, here or on another device, and keep the key that you get."""
    if "api_key" in config_file.read_file():
        raise CommandFailed(
            f"{config_file.path()} has an API key already.",
            fix="Take it out first: medvid logout, or medvid config unset api_key",
        )
    began = session.client.begin_sign_in(label or f"medvid on {platform.node() or 'a machine'}")
    session.say(f"Open {began.verification_uri_complete}")
    session.say(f"and allow the code {began.user_code}. Waiting …")
    key = wait_for_key(session.client, began)
    with Client(session.url, key=key) as client:
        keep_key(client, session.url, key)
        account = client.my_key()
    says = f"Signed in as {account.owner}. The key is in {config_file.path()}."
    return session.answer(account, says)


@with_key
def logout(session: Session) -> int:
    """End the key that you got by signing in, and forget it here."""
    ended: Key | None = None
    try:
        ended = session.client.end_sign_in()
    except LeaderboardError as error:
        if error.code != "unknown_key":  # it was ended elsewhere
            raise
    if config_file.read_file().get("api_key") == session.client.transport.token:
        config_file.write_file({"api_key": None})
    return session.answer(ended, f"Signed out{f' of {ended.owner}' if ended else ''}.")


def keep_key(client: Client, url: str, key: str) -> None:
    """Write a key into the file; raises CommandFailed where that cannot be, and ends the key."""
    try:
        # With its server, because it is sent to no other.
        config_file.write_file({"url": url, "api_key": key})
    except OSError as error:
        client.end_sign_in()
        raise CommandFailed(
            f"cannot write {config_file.path()}: {error.strerror}. The key was ended again.",
            fix="Make its folder writable, or name another in XDG_CONFIG_HOME.",
        ) from None


def wait_for_key(client: Client, began: DeviceCode) -> str:
    """Return the key once it is there; raises CommandFailed, LeaderboardError."""
    deadline = time.monotonic() + began.expires_in
    interval = max(_SHORTEST_SECONDS, began.interval)
    while time.monotonic() < deadline:
        time.sleep(interval)
        try:
            found = client.finish_sign_in(began.device_code)
        except (LimitReached, ServerFailed, Unreachable):  # its code is worth as much afterwards
            interval += _SLOWER_SECONDS
            continue
        if found.key is not None:
            return found.key
    raise CommandFailed("nobody allowed it in time.", fix="Begin again: medvid login")
