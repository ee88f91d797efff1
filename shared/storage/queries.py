"""SQL lives in `.sql` files; this reads them into named queries.

A file holds blocks, each opened by a line `-- name: the_name`; comments below it belong to it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

_NAME: Final = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


@cache
def load_queries(package: str, filename: str = "queries.sql") -> MappingProxyType[str, str]:
    """Return the named queries of a package's `.sql` file; raises ValueError on a double name."""
    parts = _NAME.split(files(package).joinpath(filename).read_text("utf-8"))
    names = parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{package}/{filename} names a query twice")
    return MappingProxyType(
        {name: text.strip() for name, text in zip(names, parts[2::2], strict=True)}
    )
