"""Prints what this Python environment holds as a software bill of materials (CycloneDX 1.6, JSON).

Runs inside the image's build, with the standard library alone, so that the list is of what was
installed and not of what was meant to be.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, distributions
from typing import Any


def bill(found: list[Distribution]) -> dict[str, Any]:
    """Return the bill of some distributions, sorted by name."""
    components = {_name(distribution): _component(distribution) for distribution in found}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": [components[name] for name in sorted(components)],
    }


def _name(distribution: Distribution) -> str:
    return str(distribution.metadata["Name"]).lower().replace("_", "-").replace(".", "-")


def _component(distribution: Distribution) -> dict[str, Any]:
    name = _name(distribution)
    purl = f"pkg:pypi/{name}@{distribution.version}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": distribution.version,
        "purl": purl,
    }
    license_name = distribution.metadata.get("License-Expression")
    if license_name:
        component["licenses"] = [{"expression": license_name}]
    return component


if __name__ == "__main__":
    json.dump(bill(list(distributions())), sys.stdout, indent=1)
