"""Prints what an image holds as a software bill of materials (CycloneDX 1.6, JSON).

Runs inside the image's build, with the standard library alone, so that the list is of what was
installed and not of what was meant to be: Python, its packages, and the base's by dpkg.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

_DPKG: Final = Path("/var/lib/dpkg/status")


def bill(found: list[Distribution], debian: str) -> dict[str, Any]:
    """Return the bill of some distributions and of the packages of a dpkg status file, sorted."""
    python = {_name(distribution): _component(distribution) for distribution in found}
    interpreter = _part("application", "python", platform.python_version(), "generic")
    packages = {part["bom-ref"]: part for part in _debian(debian)}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": [
            interpreter,
            *(python[name] for name in sorted(python)),
            *(packages[name] for name in sorted(packages)),
        ],
    }


def _debian(status: str) -> Iterator[dict[str, Any]]:
    """Yield what is installed, by the fields of deb822 paragraphs."""
    for paragraph in status.split("\n\n"):
        lines = [line for line in paragraph.splitlines() if ": " in line and line[0] != " "]
        fields = dict(line.split(": ", 1) for line in lines)
        if fields.get("Status") == "install ok installed":
            yield _part("library", fields["Package"], fields["Version"], "deb/debian")


def _part(kind: str, name: str, version: str, source: str) -> dict[str, Any]:
    purl = f"pkg:{source}/{quote(name)}@{quote(version)}"
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _name(distribution: Distribution) -> str:
    return str(distribution.metadata["Name"]).lower().replace("_", "-").replace(".", "-")


def _component(distribution: Distribution) -> dict[str, Any]:
    component = _part("library", _name(distribution), distribution.version, "pypi")
    license_name = distribution.metadata.get("License-Expression")
    if license_name:
        component["licenses"] = [{"expression": license_name}]
    return component


if __name__ == "__main__":
    base = _DPKG.read_text("utf-8") if _DPKG.exists() else ""
    json.dump(bill(list(distributions()), base), sys.stdout, indent=1)
