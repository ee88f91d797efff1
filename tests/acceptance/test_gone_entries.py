"""Addresses of entries never die: they lead to the newest version, or to the other board."""

from __future__ import annotations

from typing import Any

import pytest

from medvid.api import AsyncClient, NotFound
from medvid.models.tombstones import Tombstone
from shared.storage.database import Database
from tests.acceptance.gateway_harness import Gateway, owner, send
from tests.acceptance.test_lifecycle_api import ROOT, board, ranked, ranked_gateway


async def kept(gateway: Gateway, entry_id: str) -> Tombstone:
    """What is kept of an entry of the community board; its page leads on as its JSON does."""
    async with AsyncClient(gateway.url) as client:
        with pytest.raises(NotFound) as left:
            await client.entry("community", entry_id)
    assert (left.value.status, left.value.code) == (410, "entry_gone")
    found = left.value.entry
    assert found is not None
    assert found.successor is not None
    status, _, page = await gateway.get(f"/boards/community/entries/{entry_id}")
    assert status == 410
    assert f'href="{found.successor.page}"' in page.decode()
    return found


async def version(gateway: Gateway, before: dict[str, Any], value: float) -> dict[str, Any]:
    return await ranked(gateway, "Model", value, headers=owner(before), replaces=before["id"])


async def entry_of(gateway: Gateway, receipt: dict[str, Any]) -> dict[str, Any]:
    found = await gateway.status(receipt["id"], receipt["owner_token"])
    entry: dict[str, Any] = found["entry"]
    return entry


async def test_replaced_and_moved_entries_lead_to_where_the_model_is(database: Database) -> None:
    async with ranked_gateway(database) as gateway:
        first = await ranked(gateway, "Model", 0.5)
        oldest = (await entry_of(gateway, first))["id"]
        second = await version(gateway, first, 0.6)
        older = (await entry_of(gateway, second))["id"]
        third = await version(gateway, second, 0.7)
        newest = (await entry_of(gateway, third))["id"]
        for entry_id, number in ((oldest, 1), (older, 2)):
            found = await kept(gateway, entry_id)
            assert (found.state, found.version, found.by) == ("replaced", number, None)
            assert found.successor is not None
            assert str(found.successor.entry_id) == newest, "the newest, not the next"
        _, listed = await send(gateway, "GET", "/leaderboards/community/withdrawn")
        assert listed["entries"] == [], "the model is on the board"

        path, why = f"/admin/entries/{newest}/promote", {"why": "verified"}
        assert (await send(gateway, "POST", path, why, **ROOT))[0] == 200
        await board(gateway)
        for entry_id, state in ((newest, "moved"), (oldest, "replaced")):
            found = await kept(gateway, entry_id)
            assert found.state == state
            assert found.successor is not None
            assert (found.successor.board, str(found.successor.entry_id)) == ("official", newest)
        assert (await send(gateway, "GET", f"/leaderboards/official/entries/{newest}"))[0] == 200

        # Taken off there as well, the address of each version still says where to look.
        assert (await send(gateway, "POST", f"/submissions/{third['id']}/withdraw",
                           **owner(third)))[0] == 204  # fmt: skip
        found = await kept(gateway, oldest)
        assert found.successor is not None
        assert (found.successor.board, str(found.successor.entry_id)) == ("official", newest)
        status, problem = await send(gateway, "GET", f"/leaderboards/official/entries/{newest}")
        assert (status, problem["entry"]["state"]) == (410, "withdrawn")
        assert problem["entry"]["successor"] is None
