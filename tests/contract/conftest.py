"""The worlds that the contract suite of the buses is played in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from shared.storage.database import Database
from tests.conftest import Servers
from tests.contract.buses import LocalWorld, RabbitWorld, World


@pytest.fixture
async def local(database: Database) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        yield LocalWorld(database, stack)


@pytest.fixture
async def rabbit(servers: Servers, rabbit_vhost: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        url = servers.rabbit_url(rabbit_vhost)
        yield RabbitWorld(url, rabbit_vhost, servers.control, stack)


@pytest.fixture(params=["local", "rabbit"])
def world(request: pytest.FixtureRequest) -> World:
    world: World = request.getfixturevalue(request.param)
    return world
