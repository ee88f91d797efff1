"""What every command on a server shares: the client, notices, errors for people, exit statuses."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from medvid.api import (
    Client,
    LeaderboardError,
    LimitReached,
    NotAuthorized,
    Refused,
    ServerFailed,
    Unreachable,
)
from medvid.cli import configuration, memory
from medvid.cli.problems import problem_text

_WORTH_TELLING_SECONDS = 1.0


class Exit(IntEnum):
    """The exit status of a command, for scripts."""

    DONE = 0
    REFUSED = 1
    """Refused, or failed for good: what the file says, the name, the token."""
    USAGE = 2
    """The command line or the configuration is wrong, or a file cannot be read."""
    LATER = 3
    """The server cannot be reached, is overloaded, or a quota is used up: try again later."""
    INTERRUPTED = 130


class Unfit(LeaderboardError):
    """A check found errors, or people declined; details have been shown."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the options common to all commands said."""

    url: str | None = None
    api_key: str | None = None
    token: str | None = None
    as_json: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """A command at work: its client, and where it speaks to people (never standard output)."""

    client: Client
    options: Options
    url: str
    notices: Console

    def named(self, submission: str | None) -> tuple[str, str | None]:
        """Return the id and the token of the submission that is meant."""
        found = memory.find(self.url, submission)
        token = self.options.token
        if found is None:
            assert submission is not None  # noqa: S101 - else it is found or an error
            return submission, token
        if submission != found.id and not self.options.as_json:
            self.say(f"{found.model_name} ({found.id})", style="dim")
        return found.id, token or found.owner_token

    def say(self, text: str, style: str = "") -> None:
        """Tell people something."""
        self.notices.print(Text(text, style=style), soft_wrap=True)


def run(options: Options, work: Callable[[Session], int]) -> int:
    """Do a command's work and return its exit status; errors become messages, never traces."""
    notices = Console(stderr=True, highlight=False)
    try:
        with _session(options, notices) as session:
            return work(session)
    except LeaderboardError as error:
        complain(error, notices, as_json=options.as_json)
        return status_of(error)
    except KeyboardInterrupt:
        notices.print("\nInterrupted.")
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        sys.stderr.close()
        return Exit.DONE


@contextmanager
def _session(options: Options, notices: Console) -> Iterator[Session]:
    found = configuration.settings(options.url, options.api_key)
    url = (found["url"].text or "").rstrip("/")
    if found["api_key"].origin == str(configuration.path()) and configuration.exposed():
        notices.print(
            f"Others can read {configuration.path()}. Run: chmod 600 on it.", style="yellow"
        )

    def told(error: LeaderboardError, seconds: float) -> None:
        if seconds >= _WORTH_TELLING_SECONDS:
            notices.print(Text(f"{error.detail} Trying again in {seconds:.0f} s.", style="yellow"))

    with Client(url, key=found["api_key"].text, on_retry=told) as client:
        yield Session(client, options, url, notices)


def status_of(error: LeaderboardError) -> Exit:
    """Return the exit status of an error."""
    if isinstance(error, Unreachable | ServerFailed | LimitReached):
        return Exit.LATER
    return Exit.REFUSED if isinstance(error, Refused | Unfit) else Exit.USAGE


def complain(error: LeaderboardError, notices: Console, *, as_json: bool) -> None:
    """Say what went wrong and what to do; with --json also as JSON on standard output."""
    if as_json:
        print_json(_problem(error))
    notices.print(Text(f"medvid: {_sentence(error.detail)}", style="bold red"), soft_wrap=True)
    if isinstance(error, Refused):
        for problem in error.errors:
            notices.print(problem_text(problem), soft_wrap=True)
        more = error.error_count - sum(problem.count for problem in error.errors)
        if more > 0:
            notices.print(f"  … and {more:,} more")
    if error.fix:
        notices.print(Text(error.fix), soft_wrap=True)
    if isinstance(error, NotAuthorized):
        notices.print(Text(
            "Owner tokens: --token or MEDVID_TOKEN. API keys: --api-key, MEDVID_API_KEY or "
            "'medvid config set api_key'."
        ), soft_wrap=True)  # fmt: skip
    if isinstance(error, LimitReached) and error.retry_after:
        notices.print(f"There is room again in {span(error.retry_after)}.")
    if isinstance(error, Refused) and error.request_id:
        notices.print(Text(f"request {error.request_id}, code {error.code}", style="dim"))


_WORD: Final = re.compile(r"[a-z]+(?=[ ,:.;]|'s )")


def _sentence(detail: str) -> str:
    """Return it with a capital letter, unless it begins with a name, whose case counts."""
    word = _WORD.match(detail)
    return detail[:1].upper() + detail[1:] if word and "." not in detail.split()[0][:-1] else detail


def _problem(error: LeaderboardError) -> dict[str, object]:
    if not isinstance(error, Refused):
        return {"error": {"code": "unreachable", "detail": error.detail, "fix": error.fix}}
    return {
        "error": {
            "code": error.code,
            "status": error.status,
            "detail": error.detail,
            "fix": error.fix,
            "request_id": error.request_id,
            "retry_after": error.retry_after,
            "error_count": error.error_count,
            "errors": [problem.model_dump() for problem in error.errors],
        }
    }


def print_json(value: object) -> None:
    """Print an answer as JSON on standard output."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    print(json.dumps(plain, indent=2, ensure_ascii=False), flush=True)


def span(seconds: float) -> str:
    """Return a time span as people say it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            whole, rest = divmod(round(seconds), size)
            below = {86400: 3600, 3600: 60, 60: 1}[size]
            small = {86400: "h", 3600: "min", 60: "s"}[size]
            return f"{whole} {unit}" + (f" {rest // below} {small}" if rest // below else "")
    return f"{seconds:.0f} s"
