"""`medvid facts`: what is stated of a submission's model; and how commands are given facts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated

import orjson
import typer

from medvid.cli.failures import CommandFailed, WrongUsage
from medvid.cli.files import read_file
from medvid.cli.parameters import FactsFile, Submission
from medvid.cli.printing import problem_line
from medvid.cli.session import Session, with_token
from medvid.models.fact_texts import fact_values, shown_fact, shown_facts
from medvid.models.facts import FACTS, FactChange, FactsAnswer, ModelFacts, check_facts

_LARGEST_FILE = 1 << 16


@with_token
def facts(
    session: Session,
    submission: Submission = None,
    stated: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE; NAME= makes it unknown again; may be repeated"),
    ] = None,
    file: FactsFile = None,
) -> int:
    """Show what is stated of a submission's model, or change it: size, licence, training data.

    What is not named stays. Every change is public on the entry's page, with its day.
    """
    found_id, token = session.named(submission)
    given = read_facts(file, stated or ())
    if not given:
        known = session.client.status(found_id, token=token).facts
        return session.answer(FactsAnswer(facts=known, changed=False), lambda: show_facts(known))
    answer = session.client.set_facts(found_id, given, token=token)
    return session.answer(answer, lambda: _show(session, answer))


def _show(session: Session, answer: FactsAnswer) -> None:
    show_facts(answer.facts)
    if not answer.changed:
        session.say("It was so before.")


def show_facts(facts: ModelFacts | None) -> None:
    """Print the facts that are known, for people."""
    known = shown_facts(facts)
    if not known:
        print(f"Nothing is stated of the model. Facts are {', '.join(FACTS)}.")
    for label, text in known:
        print(f"{label}: {text}")


def change_text(change: FactChange) -> str:
    """Return a change of facts in one line."""
    parts = [
        f"{name} {shown_fact(name, change.before.get(name))} -> {shown_fact(name, after)}"
        for name, after in change.after.items()
        if name != "prompt"
    ]
    parts += ["another prompt"] if "prompt" in change.after else []
    return f"{change.at:%Y-%m-%d}, {change.by}: {', '.join(parts)}"


def read_facts(file: Path | None, stated: Iterable[str]) -> dict[str, object]:
    """Return facts of a file and of NAME=VALUE texts as JSON values; a text wins.

    Raises CommandFailed with every problem, UnreadableFile, WrongUsage.
    """
    given = (_of_file(file) if file else {}) | fact_values(_pairs(stated))
    _, problems = check_facts(given)
    if problems:
        raise CommandFailed(
            "facts of the model have errors:\n"
            + "\n".join(f"  {problem_line(each)}" for each in problems),
            fix="Nothing was sent.", code="invalid_facts",
            report={"problems": list(map(asdict, problems))},
        )  # fmt: skip
    return given


def _pairs(stated: Iterable[str]) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for text in stated:
        name, equals, value = text.partition("=")
        if not equals or name not in FACTS:
            raise WrongUsage(f"{text!r} is no NAME=VALUE.", fix=f"Names are {', '.join(FACTS)}.")
        pairs[name] = value
    return pairs


def _of_file(file: Path) -> dict[str, object]:
    content = read_file(file, _LARGEST_FILE)
    try:
        if file.suffix.lower() == ".json":
            found = orjson.loads(content)
        else:
            found = tomllib.loads(content.decode())
    except (orjson.JSONDecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CommandFailed(
            f"cannot read {file}: {error}.", fix="Write TOML, or JSON in a file named .json."
        ) from None
    if not isinstance(found, dict):
        raise CommandFailed(f"{file} holds no object.", fix="Name facts and their values.")
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in found.items()
    }
