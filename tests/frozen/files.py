"""The text of each frozen file: sorted, a fact a line, the same on every machine."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tests.frozen import gateway, product, sources

_STATES: Final = """
SELECT conrelid::regclass::text AS table, pg_get_constraintdef(oid) AS rule
  FROM pg_constraint
 WHERE contype = 'c' AND conrelid IN ('submissions'::regclass, 'judge_runs'::regclass)
   AND pg_get_constraintdef(oid) ~ '^CHECK \\(\\(state = ANY \\(ARRAY\\['
"""
_KINDS: Final = {"submissions": "submission", "judge_runs": "judging"}


async def contract(database: Any) -> dict[str, str]:
    """Return every file's text as it is now, by the file's name."""
    observed = asyncio.create_task(asyncio.to_thread(product.observe))
    try:
        shown = await gateway.look(database)
        states = await database.pool.fetch(_STATES)
    finally:
        processes = await observed
    commands = processes.pop("commands")
    trees = sources.trees()
    return {
        "answers.txt": _sections(shown.headers),
        "commands.txt": _commands(commands),
        "forms.txt": _sections(shown.forms),
        "log-events.txt": _lines(
            f"{each.event}  {each.level}  {' '.join(each.fields)}".rstrip()
            for each in sources.log_events(trees)
        ),
        "messages.json": _json(product.messages()),
        "metrics.txt": _metrics({name: each["metrics"] for name, each in processes.items()}),
        "openapi.json": _json(shown.document),
        "problems.txt": _problems(shown.document),
        "python-client.txt": _lines(f"{name}{what}" for name, what in commands["python"].items()),
        "report-codes.txt": _report_codes(shown.document, sources.codes(trees)),
        "routes.txt": _lines(shown.routes),
        "settings.txt": _settings(
            {name: each["settings"] for name, each in processes.items()},
            sources.environment_variables(trees),
        ),
        "tables.txt": _sections(
            {
                name: line.split(",")
                for name, line in (shown.tables | product.verdicts_csv()).items()
            }
        ),
        "webhook-events.txt": _lines(
            f"{_KINDS[row['table']]}.{state}"
            for row in states
            for state in re.findall(r"'(\w+)'", row["rule"])
        ),
    }


def _lines(lines: Iterable[str]) -> str:
    """Return lines in order, with a space at the end of none."""
    return "".join(f"{line.rstrip()}\n" for line in sorted(lines))


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _sections(sections: Mapping[str, Iterable[str]]) -> str:
    """Return a heading and indented lines for each; what they are in the order of is kept."""
    return "\n".join(
        f"{heading}\n" + "".join(f"    {line}\n" for line in lines)
        for heading, lines in sorted(sections.items())
    )


def _commands(commands: Mapping[str, Any]) -> str:
    exits = "".join(f"    {status} {name}\n" for name, status in commands["exits"].items())
    parts = [f"exit statuses\n{exits}"]
    for words, text in sorted(commands["help"].items()):
        shown = "\n".join(line.rstrip() for line in text.strip("\n").splitlines()).strip("\n")
        parts.append(f"$ {words} --help\n{shown}\n")
    return "\n\n".join(parts)


def _metrics(services: Mapping[str, Mapping[str, Any]]) -> str:
    def lines(metric: Mapping[str, Any]) -> list[str]:
        facts = [f"{metric['type']} {{{', '.join(metric['labels'])}}}", metric["help"]]
        return [*facts, f"up to {' '.join(metric['buckets'])}"] if metric["buckets"] else facts

    return _by_service(
        {
            service: {name: lines(metric) for name, metric in metrics.items()}
            for service, metrics in services.items()
        }
    )


def _settings(services: Mapping[str, Mapping[str, Any]], named: Iterable[str]) -> str:
    def lines(schema: Mapping[str, Any]) -> list[str]:
        known = {"description": schema.get("description", ""), "default": schema.get("default")}
        kind = {key: value for key, value in schema.items() if key not in known}
        return [
            f"type {json.dumps(kind, sort_keys=True)}",
            f"default {json.dumps(known['default'], sort_keys=True)}",
            *filter(None, [known["description"]]),
        ]

    known = {name for variables in services.values() for name in variables}
    described = {
        service: {name: lines(schema) for name, schema in variables.items()}
        for service, variables in services.items()
    }
    return _by_service(
        described | {"read without a class": {key: [] for key in set(named) - known}}
    )


def _by_service(services: Mapping[str, Mapping[str, list[str]]]) -> str:
    """Return a section for each name; one that services do not agree on has one for each view."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for service, described in services.items():
        for name, lines in described.items():
            found.setdefault((name, tuple(lines)), []).append(service)
    return _sections(
        {f"{name}  ({', '.join(sorted(by))})": lines for (name, lines), by in found.items()}
    )


def _problem_codes(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each["value"] for name, each in document["components"]["examples"].items()}


def _problems(document: Mapping[str, Any]) -> str:
    return _sections(
        {
            f"{code}  {problem['status']} {problem['title']}": [problem["type"], problem["detail"]]
            for code, problem in _problem_codes(document).items()
            if problem["code"] == code
        }
    )


def _report_codes(document: Mapping[str, Any], written: set[str]) -> str:
    """Return the codes of reports, and those that the source names beside them and problems."""
    known = product.report_codes()
    others = written - known.keys() - _problem_codes(document).keys()
    return _sections(
        {
            "of validation reports": sorted(f"{code}: {what}" for code, what in known.items()),
            "others that the source gives to problems": sorted(others),
        }
    )
