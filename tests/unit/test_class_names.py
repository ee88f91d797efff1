"""One class name, one meaning: no two classes of the product have the same name."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("medvid", "shared", "services", "client")
TWICE: Final[Mapping[str, str]] = {
    "Conflict": "an error of the server, and the client's of that answer",
    "Interval": "the exact interval, and what is served of it",
    "NotFound": "an error of the server, and the client's of that answer",
    "RankStatistics": "how firm a rank is, and what is served of it",
    "Similarity": "the exact value, and what is served of it",
    "SourceScore": "the exact value, and what is served of it",
    "SourceSimilarity": "the exact value, and what is served of it",
    "SubmissionStatus": "the API's, and the client's, which has the owner's fields too",
    "Verdict": "what a completion means to the judge, and what is served of it",
}
"""Names that two classes share, for one thing on both sides of the API."""


def test_a_class_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 400
    found = {name: files for name, files in places.items() if len(files) > 1}
    assert {name: files for name, files in found.items() if name not in TWICE} == {}
    assert {name: len(files) for name, files in found.items()} == dict.fromkeys(TWICE, 2)


def test_choices_are_in_one_order() -> None:
    """Python takes Literals of the same values for one: help and messages would show whichever
    order was imported first.
    """
    orders: dict[frozenset[str], dict[tuple[str, ...], str]] = defaultdict(dict)
    for path in (file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("Literal"):
                values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                order = tuple(map(ast.unparse, values))
                orders[frozenset(order)][order] = f"{path.relative_to(ROOT)}:{node.lineno}"
    assert len(orders) > 20
    assert [places for places in orders.values() if len(places) > 1] == []
