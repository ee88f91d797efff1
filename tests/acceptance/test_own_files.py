"""The owner's own file over HTTP and by command: as it was sent, and how it is parsed."""

from __future__ import annotations

import gzip
from typing import Any

import orjson

from shared.storage.database import Database
from tests.acceptance.gateway_harness import SAMPLES, records, running_gateway

FILE = orjson.dumps(records())


async def test_the_owner_downloads_the_file_and_reads_how_it_is_parsed(database: Database) -> None:
    async with running_gateway(database) as gateway:
        _, receipt = await gateway.submit(FILE)
        path = f"/api/v1/submissions/{receipt['id']}"
        owner = {"Authorization": f"Bearer {receipt['owner_token']}"}

        async def get(what: str, headers: dict[str, str]) -> tuple[int, bytes, Any]:
            async with gateway.client.get(f"{path}/{what}", headers=headers) as response:
                return response.status, await response.read(), response.headers

        for what in ("file", "predictions"):
            assert (await get(what, {}))[0] == 401
            stranger = {"Authorization": f"Bearer mvb_{'x' * 43}"}
            assert (await get(what, stranger))[0] == 401
        status, content, headers = await get("file", owner)
        assert (status, gzip.decompress(content)) == (200, FILE)
        assert headers["Content-Type"] == "application/gzip"
        assert headers["Cache-Control"] == "no-store"

        status, body, _ = await get("predictions?page_size=7&page=2", owner)
        page = orjson.loads(body)
        assert (status, page["total"], len(page["predictions"])) == (200, SAMPLES, 7)
        sent = records()
        for each in page["predictions"]:
            assert each["prediction"] == sent[each["index"]]["prediction"]
        assert (await get("predictions?page=0", owner))[0] == 400
        assert (await get("predictions?task=nothing", owner))[0] == 400
        await database.pool.execute("DELETE FROM payloads")
        status, body, _ = await get("file", owner)
        assert (status, orjson.loads(body)["code"]) == (410, "file_gone")
