"""Holds every custom object of the manifests against the operators' own CRDs, strictly.

    python -m tests.deploy.crds FOLDER

FOLDER has the CRDs as YAML, as operators release them or as `kubectl get crds --output yaml` says
what a cluster has. An unknown field is an error, as for an API server that is asked to be strict;
expressions in CEL are not evaluated. The suite itself reads no CRDs, as they are others' files: it
holds the manifests against the closed schemas of `custom_kinds`. Last held, without a finding:
CRDs of August 2026: KEDA (20th), CloudNativePG and Gateway API (21st), Prometheus' operator (8th),
RabbitMQ's operators (6th, 21st), Barman Cloud (6th), cert-manager (22nd).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jsonschema
import yaml

from tests.deploy.manifests import Resource, is_custom

Schema = dict[str, Any]
Kind = tuple[str, str]
"""An apiVersion and a kind."""

_KEPT_OPEN: Final = "x-kubernetes-preserve-unknown-fields"
_META: Final = ("apiVersion", "kind", "metadata")


def read_crds(folder: Path) -> dict[Kind, Schema]:
    """Return the strict schema of each served version of each CRD in a folder's YAML files."""
    found = {}
    for path in sorted(folder.glob("*.y*ml")):
        for document in yaml.safe_load_all(path.read_text()):
            for crd in _crds(document):
                spec = crd["spec"]
                for version in spec["versions"]:
                    if version.get("served"):
                        kind = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                        found[kind] = strict(version["schema"]["openAPIV3Schema"])
    return found


def _crds(document: Any) -> Iterator[Mapping[str, Any]]:
    if not isinstance(document, dict):
        return
    if document.get("kind") == "CustomResourceDefinition":
        yield document
    for item in document.get("items", []) if document.get("kind") == "List" else []:
        yield from _crds(item)


def strict(schema: Mapping[str, Any], *, root: bool = True) -> Schema:
    """Return a structural schema as JSON Schema that takes no unknown field."""
    closed = {name: value for name, value in schema.items() if not name.startswith("x-")}
    closed.pop("description", None)
    closed.pop("default", None)
    if schema.get("x-kubernetes-int-or-string"):
        closed = {"type": ["integer", "string"], **{k: closed[k] for k in closed if k == "pattern"}}
    if "properties" in schema:
        closed["properties"] = {
            name: strict(value, root=False) for name, value in schema["properties"].items()
        }
        if root:
            closed["properties"] |= {key: {} for key in _META}
        if not schema.get(_KEPT_OPEN) and "additionalProperties" not in schema:
            closed["additionalProperties"] = False
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            closed[name] = strict(schema[name], root=False)
    if closed.pop("nullable", False) and "type" in closed:
        closed["type"] = [closed["type"], "null"]
    return closed


def problems(resources: Sequence[Resource], schemas: Mapping[Kind, Schema]) -> list[str]:
    """Return what is wrong with custom objects, each with its place."""
    found = []
    for resource in resources:
        kind = (resource["apiVersion"], resource["kind"])
        if not is_custom(kind[0]):
            continue
        name = f"{kind[1]}/{resource['metadata']['name']}"
        if kind not in schemas:
            found.append(f"{name}: no CRD of {kind[0]}")
            continue
        validator = jsonschema.Draft202012Validator(schemas[kind])
        found += [f"{name}{e.json_path[1:]}: {e.message}" for e in validator.iter_errors(resource)]
    return found


def main(arguments: Sequence[str]) -> int:
    """Check every installation; returns 1 where something is wrong."""
    from tests.deploy.manifests import INSTALLATIONS, render

    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tests.deploy.crds FOLDER\n")
        return 2
    schemas = read_crds(Path(arguments[0]))
    found = sorted({p for each in INSTALLATIONS for p in problems(render(each).resources, schemas)})
    sys.stdout.write("".join(f"{problem}\n" for problem in found))
    sys.stdout.write(f"{len(schemas)} CRDs, {len(found)} problems.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
