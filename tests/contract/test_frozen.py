"""What others can see stays as it is, unless a change is meant: CONTRIBUTING.md says how.

One file a kind in tests/released/contract. Each is compared as a whole, so that a change shows as a
difference of lines.
"""

from __future__ import annotations

import os

import pytest

from shared.storage.database import Database
from tests import frozen
from tests.frozen.files import contract


async def test_what_others_can_see_is_as_it_was(database: Database) -> None:
    files = await contract(database)
    if os.environ.get(frozen.VARIABLE):
        frozen.rewrite(files)
    assert frozen.names() == files.keys(), f"run '{frozen.COMMAND}' and say why in CHANGELOG.md"
    changes = [found for name, text in files.items() if (found := frozen.difference(name, text))]
    if changes:
        pytest.fail("\n\n".join(changes), pytrace=False)
