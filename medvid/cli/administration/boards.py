"""`medvid admin` about whole boards: import, export, how they rank."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer

from medvid.benchmark.tasks import Board
from medvid.cli.administration.session import OnBoard, Why, done, reason
from medvid.cli.failures import CommandFailed
from medvid.cli.parameters import Sure
from medvid.cli.printing import Exit, place
from medvid.cli.session import Session, as_administrator, consent, on_server
from medvid.models.administration import ImportAnswer
from medvid.models.jobs import SeriesDifference


@as_administrator
def import_boards(
    session: Session,
    file: Annotated[Path, typer.Argument(help="an export, .json or .csv")],
    update: Annotated[
        bool,
        typer.Option(
            "--update", help="change models that a board has already to what the file says"
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would change")] = False,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Import boards: all rows or none, after showing what would change."""
    is_csv = file.suffix.lower() == ".csv"
    text = _read_text(file) if is_csv else None
    boards = None if is_csv else read_json(file)
    given = (why or "a dry run") if dry_run else reason(session, why)

    def imported(*, dry_run: bool) -> ImportAnswer:
        return session.client.admin.import_boards(
            why=given, boards=boards, csv=text, existing="update" if update else "keep",
            dry_run=dry_run,
        )  # fmt: skip

    if not dry_run and not sure:
        session.say(_import_text(imported(dry_run=True)))
        consent(session, "Import that?", sure=sure)
    result = imported(dry_run=dry_run)
    return session.answer(result, _import_text(result))


@on_server("url", "key")
def export(
    session: Session,
    board: OnBoard = None,
    form: Annotated[Literal["json", "csv"], typer.Option("--format")] = "json",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="a file")] = None,
) -> int:
    """Write boards so that importing them again changes nothing."""
    text = session.client.admin.export_boards(board=board, form=form)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, "utf-8", newline="")
        session.say(f"Written to {output}.")
    return Exit.DONE


@as_administrator
def ranking(
    session: Session,
    board: Annotated[Board, typer.Argument(help="the board")],
    rule: Annotated[
        Literal["competition", "dense"],
        typer.Argument(help="what follows equal values: 1, 2, 2, 4 (competition) or 1, 2, 2, 3"),
    ],
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Choose how a board ranks; it is ranked again."""
    consent(session, f"Rank the {board} board by {rule} ranks?", sure=sure)
    change = session.client.admin.set_ranking(board, rule, why=reason(session, why))
    text = f"The {board} board's ranking is {rule}."
    return session.answer(change, done(text, changed=change.changed))


@as_administrator
def series(
    session: Session,
    board: Annotated[Board, typer.Argument(help="the board")],
    current: Annotated[
        str | None, typer.Option("--judge", help="the judge version whose values it ranks")
    ] = None,
    other_judges: Annotated[
        Literal["ranked", "missing"] | None, typer.Option(help="values of other judge versions")
    ] = None,
    published: Annotated[
        Literal["ranked", "missing"] | None, typer.Option(help="values without a recorded judge")
    ] = None,
    why: Why = None,
    sure: Sure = False,
) -> int:
    """Show which judge's values a board ranks, or change that after showing what it does."""
    admin = session.client.admin
    found = admin.series_difference(
        board, current=current, other_judges=other_judges, published=published
    )
    if found.before == found.after:
        return session.answer(found, _series_text(found))
    if not sure:
        session.say(_series_text(found))
    consent(session, f"Rank the {board} board so?", sure=sure)
    change = admin.set_series(
        board, why=reason(session, why), revision=found.revision, current=found.after.current,
        other_judges=found.after.other_judges, published=found.after.published,
    )  # fmt: skip
    text = f"The {board} board ranks by judge {found.after.current or 'none'}."
    return session.answer(change, done(text, changed=change.changed))


def _series_text(found: SeriesDifference) -> str:
    after = found.after
    lines = [
        f"{found.board} board: judge {after.current or 'none yet'}; values of other judges are "
        f"{after.other_judges}, published ones {after.published}."
    ]
    for scoring, rows in found.scorings.items():
        moved = [row for row in rows if row.moves]
        lines.append(f"{scoring}: {len(moved)} of {len(rows)} entries move.")
        lines += (
            f"  {place(row.rank.before)} -> {place(row.rank.after)}  {row.model_name}"
            for row in moved
        )
    return "\n".join(lines)


def _import_text(result: ImportAnswer) -> str:
    out = io.StringIO()
    lines = csv.writer(out, delimiter="\t", lineterminator="\n")
    for row in result.rows:
        if row.kind == "unchanged":
            continue
        lines.writerow([row.kind, row.board, row.model_name])
        for name, field in row.fields.items():
            lines.writerow(["", name, f"{field.before} -> {field.after}"])
    counts = ", ".join(f"{count} {kind}" for kind, count in result.counts.items())
    return f"{out.getvalue()}{'Would be' if result.dry_run else 'Rows'}: {counts}."


def read_json(file: Path) -> Any:
    """Return what a JSON file holds; raises CommandFailed."""
    try:
        return orjson.loads(_read_text(file))
    except orjson.JSONDecodeError as error:
        raise CommandFailed(
            f"{file} is no JSON: {error}.", fix="Fix it, or name it .csv."
        ) from None


def _read_text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"cannot read {file}: {error}.", fix="Check its name.") from None
