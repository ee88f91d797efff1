"""What every command on a server shares: its options and the client."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter
from typing import Any, Final

import typer
from rich.console import Console
from rich.prompt import Confirm
from rich.table import Table
from rich.text import Text

from medvid.api import Client, LeaderboardError, Unreachable
from medvid.api.transport import OnRetry
from medvid.cli import config_file, known_submissions
from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import AdminKey, ApiKey, Json, Token, Url
from medvid.cli.printing import Exit, print_json, print_table

_SHORTEST_WAIT_SHOWN: Final = 1.0  # seconds
_OPTIONS: Final[dict[str, tuple[Any, object]]] = {
    "token": (Token, None), "as_json": (Json, False), "url": (Url, None),
    "api_key": (ApiKey, None), "key": (AdminKey, None),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """A command that runs: its client, and where it speaks to people (never standard output)."""

    client: Client
    url: str
    notices: Console
    token: str | None = None
    as_json: bool = False

    def named(self, submission: str | None) -> tuple[str, str | None]:
        """Return the id and the token of the submission that is meant."""
        found = known_submissions.find(self.url, submission)
        if found is None:
            assert submission is not None  # noqa: S101 - else it is found or an error
            return known_submissions.foreign_id(self.url, submission), self.token
        if submission != found.id and not self.as_json:
            self.say(f"{found.model_name} ({found.id})", style="dim")
        return found.id, self.token or found.owner_token

    def say(self, text: str, style: str = "") -> None:
        """Print something for people."""
        self.notices.print(Text(text, style=style), soft_wrap=True)

    def answer(self, found: object, shown: str | Table | Callable[[], None]) -> int:
        """Print what was found as JSON with --json, else what is shown of it; return the status."""
        if self.as_json:
            print_json(found)
        elif isinstance(shown, Table):
            print_table(shown)
        elif callable(shown):
            shown()
        else:
            print(shown)
        return Exit.DONE

    def answer_lines(
        self, found: object, lines: Sequence[str], none: str = "There are none."
    ) -> int:
        """Answer with a list that may be empty."""
        return self.answer(found, "\n".join(lines) if lines else lambda: self.say(none))


def on_server(*options: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a command of a function that takes a session first.

    The command has these options besides the function's own.
    """

    def decorate(body: Callable[..., int]) -> Callable[..., int]:
        signature = inspect.signature(body, eval_str=True)
        own = list(signature.parameters.values())[1:]
        common = [
            Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in _OPTIONS.items()
            if name in options
        ]

        @wraps(body)
        def command(**given: Any) -> int:
            said = {name: given[name] for name in _OPTIONS if name in given}
            for name in options:
                given.pop(name, None)
            if "key" in options:
                said["api_key"] = said.pop("key", None) or os.environ.get("MEDVID_ADMIN_KEY")
            return _run(lambda session: body(session, **given), **said)

        made: Any = command
        made.__signature__ = signature.replace(parameters=[*own, *common])
        made.__annotations__ = {each.name: each.annotation for each in (*own, *common)}
        return command

    return decorate


public = on_server("as_json", "url")
with_key = on_server("as_json", "url", "api_key")
with_token = on_server("token", "as_json", "url", "api_key")
as_administrator = on_server("as_json", "url", "key")


def _run(
    work: Callable[[Session], int], *, url: str | None = None, api_key: str | None = None,
    token: str | None = None, as_json: bool = False,
) -> int:  # fmt: skip
    notices = Console(stderr=True, highlight=False)
    try:
        with _session(url, api_key, token or None, notices, as_json=as_json) as session:
            return work(session)
    except KeyboardInterrupt:
        notices.print("\nInterrupted.")
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        sys.stderr.close()
        return Exit.DONE


@contextmanager
def interruptible(session: Session, stands: str) -> Iterator[None]:
    """Say how things stand where people interrupt; the command then ends."""
    try:
        yield
    except KeyboardInterrupt:
        session.say(f"\nInterrupted. {stands}")
        raise typer.Exit(Exit.INTERRUPTED) from None


@contextmanager
def _session(
    url: str | None, key: str | None, token: str | None, notices: Console, *, as_json: bool
) -> Iterator[Session]:
    settings = config_file.settings(url, key)
    address = (settings["url"].text or "").rstrip("/")
    if settings["api_key"].origin == str(config_file.path()) and config_file.exposed():
        notices.print(
            f"Others can read {config_file.path()}. Run: chmod 600 on it.", style="yellow"
        )

    key = settings["api_key"].text
    with Client(address, key=key, on_retry=tell_retries(notices)) as client:
        try:
            yield Session(client, address, notices, token, as_json)
        except Unreachable as error:
            error.fix = with_default(settings["url"], error.fix)
            raise


def with_default(url: config_file.Value, fix: str) -> str:
    """Return the fix for a server out of reach, which may be the default one."""
    return f"No server was named, so it was {url.text}. {fix}" if url.origin == "default" else fix


def tell_retries(notices: Console) -> OnRetry:
    """Return what tells people that a call is sent again, where they wait for it."""

    def tell(error: LeaderboardError, seconds: float) -> None:
        if seconds >= _SHORTEST_WAIT_SHOWN:
            notices.print(Text(f"{error.detail} Trying again in {seconds:.0f} s.", style="yellow"))

    return tell


def consent(session: Session, question: str, *, sure: bool) -> None:
    """Return where people agree; raises CommandFailed otherwise, also where nobody can be asked."""
    if sure:
        return
    if not sys.stdin.isatty():
        raise CommandFailed(
            f"{question} There is no terminal to ask in.", fix="Give --yes.", code="needs_consent"
        )
    if not Confirm.ask(question, console=session.notices):
        raise CommandFailed("nothing was done.", code="declined")
