"""What only the source text can tell: log events, environment variables, codes of problems.

Which module says something does not count, so that code may move.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.frozen import ROOT
from tests.frozen.product import SOURCES

_LEVELS: Final = ("debug", "info", "warning", "error", "critical", "exception")
_ANYTHING: Final = "{}"
"""Stands for what is known only when the code runs."""


@dataclass(frozen=True, slots=True, order=True)
class LogEvent:
    """A line that may be logged: its event, its level, and the names of its fields."""

    event: str
    level: str
    fields: tuple[str, ...]


def trees() -> list[ast.Module]:
    """Return the product's modules, parsed."""
    paths = (path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py")))
    return [ast.parse(path.read_bytes()) for path in paths]


def log_events(modules: Iterable[ast.Module]) -> list[LogEvent]:
    """Return every call of a structlog logger.

    A logger is what `structlog.get_logger` returned, bound or not. An event made from parts has
    `{}` for what is not known here, so that a dynamic name can be seen, and shows up once.
    Fields given as `**mapping` are shown as `**`. What is bound beforehand is not among them.
    """
    return sorted({event for module in modules for event in _events_of(module)})


def _events_of(module: ast.Module) -> Iterator[LogEvent]:
    loggers = _loggers(module)
    for call in _calls(module):
        target = call.func
        if not isinstance(target, ast.Attribute) or not _is_logger(target.value, loggers):
            continue
        if target.attr in _LEVELS:
            level, event = target.attr, call.args[0] if call.args else None
        elif target.attr == "log":
            level, event = _ANYTHING, call.args[1]
        else:
            continue
        fields = tuple(sorted(each.arg or "**" for each in call.keywords))
        for name in _texts(event):
            yield LogEvent(name, level, fields)


def _loggers(module: ast.Module) -> set[str]:
    """Return the names that loggers have in a module, also as attributes."""
    found: set[str] = set()
    before = -1
    while before != len(found):  # a bound logger may be bound again
        before = len(found)
        for node in ast.walk(module):
            if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if _is_logger(node.value, found):
                found |= {name for target in targets if (name := _name(target))}
    return found


def _is_logger(node: ast.expr, known: set[str]) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
        called = _name(node.func)
        if called == "get_logger":
            return True
        bound = called in ("bind", "new", "unbind", "try_unbind")
        return bound and isinstance(node.func, ast.Attribute) and _is_logger(node.func.value, known)
    return _name(node) in known


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _texts(node: ast.expr | None) -> list[str]:
    """Return every text that an expression may be, as far as it can be told."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return ["".join(_texts(part)[0] for part in node.values)]
    return [_ANYTHING]


def environment_variables(modules: Iterable[ast.Module]) -> list[str]:
    """Return every variable of ours that the text names as a whole."""
    return sorted(
        {
            node.value
            for module in modules
            for node in ast.walk(module)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"_?MEDVID_[A-Z0-9_]*[A-Z0-9]", node.value)
        }
    )


def codes(modules: Iterable[ast.Module]) -> set[str]:
    """Return every code that is given to a problem as a text: `Problem("x")`, `code="x"`."""
    found: set[str] = set()
    for call in (call for module in modules for call in _calls(module)):
        given = [each.value for each in call.keywords if each.arg == "code"]
        if _name(call.func).lower().endswith("problem") and call.args:
            given.append(call.args[0])
        found |= {text for node in given for text in _texts(node)}
    return {code for code in found if re.fullmatch(r"[a-z]+(_[a-z]+)*", code)}


def _calls(module: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module) if isinstance(node, ast.Call))
