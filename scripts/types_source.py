"""Writes what the TypeScript types are made of: the frozen OpenAPI document, but for its problems.

Each operation lists every problem that it may answer with. These have one type, ProblemDetails,
which stays; with the lists the types would be four times as long.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

DOCUMENT: Final = Path(__file__).parents[1] / "tests" / "released" / "contract" / "openapi.json"


def main() -> None:
    """Write it to the standard output."""
    document = json.loads(DOCUMENT.read_text("utf-8"))
    schemas = document["components"]["schemas"]
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"] = {
                status: {key: answer[key] for key in ("description", "content") if key in answer}
                for status, answer in operation["responses"].items()
                if status < "300"
            }
    for schema in schemas.values():
        schema.pop("examples", None)
    json.dump({**document, "components": {"schemas": schemas}}, sys.stdout)


if __name__ == "__main__":
    main()
