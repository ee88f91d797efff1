"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

JSON_OR_GZIP = "JSON or JSON Lines, plain or gzip"


def complete_submission(incomplete: str) -> list[tuple[str, str]]:
    """Offer the shell the submissions that were made from here."""
    from medvid.api.errors import LeaderboardError
    from medvid.cli import config_file, known_submissions

    try:
        url = (config_file.settings()["url"].text or "").rstrip("/")
        known = known_submissions.submissions(url)
    except LeaderboardError:
        return []
    return [(each.id, each.model_name) for each in known if each.id.startswith(incomplete)]


Json = Annotated[bool, typer.Option("--json", help="print JSON instead of text")]
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
AdminKey = Annotated[
    str | None,
    typer.Option(
        "--key", "--api-key", help="administrator's key (or MEDVID_ADMIN_KEY, or your API key)"
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
Sure = Annotated[bool, typer.Option("--yes", "-y", help="do not ask")]
Ranking = Annotated[
    Literal["competition", "dense"],
    typer.Option(help="what follows equal values: 1, 2, 2, 4 (competition) or 1, 2, 2, 3"),
]

File = Annotated[Path, typer.Argument(help="predictions: JSON or JSON Lines, plain or gzip")]
Contact = Annotated[str | None, typer.Option(help="how to reach you; never published")]
ModelUrl = Annotated[str | None, typer.Option(help="http or https address of the model")]
Track = Annotated[
    str | None, typer.Option(help="the challenge's track it competes in: 'medvid tracks'")
]
Webhook = Annotated[
    str | None, typer.Option("--webhook", help="an address that gets each change, signed")
]
FactsFile = Annotated[
    Path | None,
    typer.Option("--facts", help="a TOML or JSON file of facts: size, licence, training data"),
]
StatedFacts = Annotated[
    list[str] | None,
    typer.Option("--fact", help="a fact of the model, NAME=VALUE; may be repeated"),
]
GroundTruth = Annotated[Path | None, typer.Option(help="check against this ground truth first")]
TestSet = Annotated[Path | None, typer.Option(help="check against this test set first")]
Check = Annotated[bool, typer.Option(help="check it, here and on the server, before it counts")]
