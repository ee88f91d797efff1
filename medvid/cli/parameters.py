"""What the commands on a server have in common on the command line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from medvid.cli.session import Options


class Scoring(StrEnum):
    """Readings of the metrics."""

    COMPAT = "compat"
    STRICT = "strict"


class Board(StrEnum):
    """The boards."""

    OFFICIAL = "official"
    COMMUNITY = "community"


class Ranking(StrEnum):
    """How equal values share ranks within a column: 1, 2, 2, 4 or 1, 2, 2, 3."""

    COMPETITION = "competition"
    DENSE = "dense"


class VerdictState(StrEnum):
    """What a verdict can be."""

    SCORED = "scored"
    UNSCORED = "unscored"
    OPEN = "open"


class JudgeMetric(StrEnum):
    """The judged metrics."""

    DVC = "dvc_llm"
    VS = "vs_llm"
    RC = "rc_llm"


def complete_submission(incomplete: str) -> list[tuple[str, str]]:
    """Offer remembered submissions to the shell."""
    from medvid.api.errors import LeaderboardError
    from medvid.cli import configuration, memory

    try:
        url = (configuration.settings()["url"].text or "").rstrip("/")
        known = memory.submissions(url)
    except LeaderboardError:
        return []
    return [(each.id, each.model_name) for each in known if each.id.startswith(incomplete)]


Url = Annotated[
    str | None,
    typer.Option(help="the server (or MEDVID_URL, or url in the configuration)", metavar="URL"),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        help="your API key (or MEDVID_API_KEY, or api_key in the configuration)", metavar="KEY"
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        envvar="MEDVID_TOKEN", help="owner token, if the submission was not made from here"
    ),
]
Submission = Annotated[
    str | None,
    typer.Argument(
        help="id, beginning of an id, or model name; the newest made from here when left out",
        autocompletion=complete_submission,
    ),
]
Text = Annotated[str | None, typer.Option()]
NoWait = Annotated[bool, typer.Option("--no-wait", help="return at once")]


File = Annotated[Path, typer.Argument(help="predictions: JSON or JSON Lines, plain or gzip")]
Contact = Annotated[str | None, typer.Option(help="how to reach you; never published")]
ModelUrl = Annotated[str | None, typer.Option(help="http or https address of the model")]
Track = Annotated[str | None, typer.Option(help="the track it competes in")]
Webhook = Annotated[
    str | None, typer.Option("--webhook", help="an address that is told each change, signed")
]
GroundTruth = Annotated[Path | None, typer.Option(help="check against this ground truth first")]
TestSet = Annotated[Path | None, typer.Option(help="check against this test set first")]
Check = Annotated[bool, typer.Option(help="check it, here and on the server, before it counts")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="check only, submit nothing")]
Sure = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]


def options(
    url: str | None, api_key: str | None, token: str | None = None, as_json: bool = False
) -> Options:
    """Return what every command says about the server, the caller and the form of its answer."""
    from medvid.cli.session import Options

    return Options(url, api_key, token or None, as_json)
