"""Whoever is refused is told what to do about it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import services.gateway

_FOLDER: Final = Path(services.gateway.__file__).parent
_REFUSALS: Final = frozenset({"Conflict", "InvalidInput", "NotAllowed", "NotFound", "Unavailable"})


def test_every_refusal_of_the_gateway_names_its_cure() -> None:
    calls = [
        (path, node)
        for path in _FOLDER.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id in _REFUSALS
    ]  # fmt: skip
    assert len(calls) > 50
    without = [
        f"{path.relative_to(_FOLDER)}:{node.lineno}"
        for path, node in calls
        if not {"fix", None} & {keyword.arg for keyword in node.keywords}
    ]
    assert without == []
