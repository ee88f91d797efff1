"""What front-ends rely on: answers still have all that was pinned with their `schema_version`.

A number's pins are never rewritten. Where a change must break them, it takes the next number, with
pins of its own (CONTRIBUTING.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from medvid.models.base import SCHEMA_VERSION
from medvid.models.boards import Leaderboard, LeaderboardIndex
from medvid.models.entries import EntryDetails
from services.gateway.pages.schema_files import standing_alone
from services.gateway.web.schemas import Schemas
from services.gateway.web.site import Site

PINNED: Final = Path(__file__).parents[1] / "released" / "schemas"
MODELS: Final = (EntryDetails, Leaderboard, LeaderboardIndex)
Json = Mapping[str, Any]


def schemas_now() -> dict[str, Any]:
    """Return the schemas of the answers that carry the number, each standing alone."""
    found = Schemas([(model, "answer") for model in MODELS]).definitions
    return {model.__name__: standing_alone(model.__name__, found, Site()) for model in MODELS}


def lost(before: Json, now: Json) -> list[str]:
    """Return what readers of one schema would miss in another."""
    return list(_lost(before, now, before, now, "", set()))


def _lost(
    old: Json, new: Json, before: Json, now: Json, path: str, seen: set[tuple[str, str]]
) -> Iterator[str]:
    names = (str(old.get("$ref")), str(new.get("$ref")))
    if "$ref" in old and names in seen:
        return
    seen = seen | {names}
    were, are = _kinds(old, before), _kinds(new, now)
    if not are <= were:
        yield f"{path or 'the whole'}: {sorted(are)}, was {sorted(were)}"
        return
    old, new = _resolved(old, before), _resolved(new, now)
    yield from (f"{path}.{name}: may be left out" for name in _gone("required", old, new))
    yield from (f"{path}.{name}: is gone" for name in _gone("properties", old, new))
    for name in old.get("properties", {}).keys() & new.get("properties", {}).keys():
        pair = old["properties"][name], new["properties"][name]
        yield from _lost(*pair, before, now, f"{path}.{name}", seen)
    for name in ("items", "additionalProperties"):
        if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
            yield from _lost(old[name], new[name], before, now, f"{path}[]", seen)


def _gone(member: str, old: Json, new: Json) -> list[str]:
    return sorted(set(old.get(member, ())) - set(new.get(member, ())))


def _resolved(schema: Json, document: Json) -> Json:
    """Return what a reference leads to, and of a nullable thing the thing."""
    things = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    if len(things) == 1:
        schema = things[0]
    name = schema.get("$ref", "").rpartition("/")[2]
    return document["$defs"][name] if name else schema


def _kinds(schema: Json, document: Json) -> set[str]:
    """Return the types of JSON that a schema lets through, a text's with its format."""
    if "anyOf" in schema:
        return {kind for each in schema["anyOf"] for kind in _kinds(each, document)}
    if "$ref" in schema:
        return _kinds(_resolved(schema, document), document)
    kind = schema.get("type", "anything")
    return {f"{kind} {schema['format']}" if "format" in schema else kind}


@pytest.mark.parametrize("model", [model.__name__ for model in MODELS])
def test_nothing_that_was_pinned_is_lost(model: str) -> None:
    pinned = json.loads((PINNED / f"{SCHEMA_VERSION}.json").read_text("utf-8"))
    assert lost(pinned[model], schemas_now()[model]) == []


def test_what_is_lost_is_found() -> None:
    rank = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    row = {
        "type": "object",
        "required": ["rank"],
        "properties": {"rank": rank, "name": {"type": "string"}},
    }

    def board(row: Json) -> dict[str, Any]:
        rows = {"type": "array", "items": {"$ref": "#/$defs/Row"}}
        return {"type": "object", "properties": {"rows": rows}, "$defs": {"Row": row}}

    more = {**row, "properties": {**row["properties"], "more": {"type": "string"}}}
    assert lost(board(row), board(more)) == []
    for change, said in (
        ({"properties": {"rank": rank}}, ".rows[].name: is gone"),
        ({"required": []}, ".rows[].rank: may be left out"),
        (
            {"properties": {**row["properties"], "rank": {"type": "string"}}},
            "rank: ['string'], was",
        ),
        ({"properties": {**row["properties"], "name": rank}}, "name: ['integer', 'null'], was"),
    ):
        (found,) = lost(board(row), board({**row, **change}))
        assert said in found
    assert lost(board(more), board(row)) == [".rows[].more: is gone"]
    without_null = {**row, "properties": {**row["properties"], "rank": {"type": "integer"}}}
    assert lost(board(row), board(without_null)) == []
