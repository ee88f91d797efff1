"""What goes wrong in a command: one place says it, to people on standard error, and to scripts.

With --json, standard output gets `{"error": {"code": ..., "detail": ..., "fix": ...}}`, with what
was found in a file as `report` or `errors`. Branch on `code`; texts may change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from medvid.api.errors import (
    LeaderboardError,
    LimitReached,
    NotAuthorized,
    Refused,
    ServerFailed,
    Unreachable,
)
from medvid.api.uploads import UnreadableFile
from medvid.cli.printing import Exit, print_json, problem_text, span
from medvid.models.problems import sentence

_REFUSED_FIELDS: Final = "code status detail fix request_id retry_after error_count errors"


class CommandFailed(LeaderboardError):
    """A check found errors, or people declined; `report` holds what was found, for scripts."""

    code = "failed"

    def __init__(
        self,
        detail: str,
        *,
        fix: str = "",
        code: str | None = None,
        report: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail, fix=fix)
        self.code = code or type(self).code
        self.report = report


class WrongUsage(LeaderboardError):
    """The command line asks for what cannot be."""

    code = "wrong_usage"


def unusable_file(error: OSError) -> LeaderboardError:
    """Return which file or disk cannot be used, and why."""
    name = "a file" if error.filename is None else error.filename
    return UnreadableFile(f"{name} cannot be used: {error.strerror or error}.")


def status_of(error: LeaderboardError) -> Exit:
    """Return the exit status of an error."""
    if isinstance(error, Unreachable | ServerFailed | LimitReached):
        return Exit.LATER
    return Exit.REFUSED if isinstance(error, Refused | CommandFailed) else Exit.USAGE


def complain(error: LeaderboardError, *, as_json: bool) -> Exit:
    """Say what went wrong and what to do; return the exit status."""
    notices = Console(stderr=True, highlight=False)
    if as_json:
        print_json(_document(error))
    notices.print(Text(f"medvid: {sentence(error.detail)}", style="bold red"), soft_wrap=True)
    if isinstance(error, Refused):
        for problem in error.errors:
            notices.print(problem_text(problem), soft_wrap=True)
        more = error.error_count - sum(problem.count for problem in error.errors)
        if more > 0:
            notices.print(f"  … and {more:,} more")
    for line in _what_to_do(error):
        notices.print(Text(line), soft_wrap=True)
    if isinstance(error, NotAuthorized):
        notices.print(Text(
            "Owner tokens: --token or MEDVID_TOKEN. API keys: --api-key, MEDVID_API_KEY or "
            "'medvid config set api_key'."
        ), soft_wrap=True)  # fmt: skip
    if isinstance(error, LimitReached) and error.retry_after:
        notices.print(f"There is room again in {span(error.retry_after)}.")
    if isinstance(error, Refused) and error.request_id:
        notices.print(Text(f"request {error.request_id}, code {error.code}", style="dim"))
    return status_of(error)


def _what_to_do(error: LeaderboardError) -> Iterator[str]:
    """Yield the fix, or what is kept of an entry that left its board."""
    entry = error.entry if isinstance(error, Refused) else None
    if entry is None:
        if error.fix:
            yield error.fix
        return
    name = f"{entry.model_name} ({entry.organization})" if entry.model_name else "(name erased)"
    ranks = "; ".join(
        f"number {had.best} at best, {had.last} at last ({had.scoring})" for had in entry.ranks
    )
    yield f"{name}: {ranks}."
    if entry.note:
        yield f"Note: {entry.note}"
    if entry.successor is not None:
        after = entry.successor
        yield f"See 'medvid entry {after.entry_id} --board {after.board}'."


def _document(error: LeaderboardError) -> dict[str, object]:
    if isinstance(error, Refused):
        refused = {name: getattr(error, name) for name in _REFUSED_FIELDS.split()}
        return {"error": refused | ({"entry": error.entry} if error.entry else {})}
    found: dict[str, object] = {"code": error.code, "detail": error.detail, "fix": error.fix}
    if isinstance(error, CommandFailed) and error.report is not None:
        found["report"] = error.report
    return {"error": found}
