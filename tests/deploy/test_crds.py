"""The check against operators' CRDs is strict, as an API server is that was asked to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.crds import problems, read_crds

CRD = {
    "kind": "CustomResourceDefinition",
    "spec": {
        "group": "tools.example.org",
        "names": {"kind": "Lamp"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["watts"],
                                "properties": {
                                    "watts": {"x-kubernetes-int-or-string": True},
                                    "colour": {"type": "string", "nullable": True},
                                    "labels": {
                                        "type": "object",
                                        "additionalProperties": {"type": "string"},
                                    },
                                    "shades": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "properties": {"size": {"type": "integer"}},
                                        },
                                    },
                                    "any": {
                                        "type": "object",
                                        "properties": {"known": {"type": "integer"}},
                                        "x-kubernetes-preserve-unknown-fields": True,
                                    },
                                },
                            }
                        },
                    }
                },
            },
            {"name": "v0", "served": False, "schema": {}},
        ],
    },
}


def _found(folder: Path, spec: dict[str, Any], version: str = "v1") -> list[str]:
    (folder / "lamps.yaml").write_text(yaml.safe_dump({"kind": "List", "items": [CRD]}))
    lamp = {
        "apiVersion": f"tools.example.org/{version}",
        "kind": "Lamp",
        "metadata": {"name": "desk", "labels": {"a": "b"}},
        "spec": spec,
    }
    return problems([lamp, {"apiVersion": "v1", "kind": "Pod"}], read_crds(folder))


@pytest.mark.parametrize(
    "spec",
    [
        {"watts": 5},
        {"watts": "5", "colour": None, "labels": {"any": "text"}, "shades": [{"size": 1}]},
        {"watts": 5, "any": {"known": 1, "unknown": {"deep": True}}},
    ],
)
def test_what_the_schema_allows_is_no_problem(tmp_path: Path, spec: dict[str, Any]) -> None:
    assert _found(tmp_path, spec) == []


@pytest.mark.parametrize(
    ("spec", "place"),
    [
        ({"watts": 5, "color": "red"}, "Lamp/desk.spec: "),
        ({"watts": 5.5}, "Lamp/desk.spec.watts: "),
        ({"watts": 5, "labels": {"a": 1}}, "Lamp/desk.spec.labels.a: "),
        ({"watts": 5, "shades": [{"sise": 1}]}, "Lamp/desk.spec.shades[0]: "),
        ({"watts": 5, "any": {"known": "1"}}, "Lamp/desk.spec.any.known: "),
        ({}, "Lamp/desk.spec: "),
    ],
)
def test_what_it_does_not_is_found_with_its_place(
    tmp_path: Path, spec: dict[str, Any], place: str
) -> None:
    (problem,) = _found(tmp_path, spec)
    assert problem.startswith(place)


def test_a_version_that_is_not_served_is_no_schema(tmp_path: Path) -> None:
    (problem,) = _found(tmp_path, {"watts": 5}, version="v0")
    assert problem == "Lamp/desk: no CRD of tools.example.org/v0"
