"""A claim takes no more rows than its limit, whatever plan Postgres makes.

A locking subquery of a join may run again for each row of the other side, and then takes more.
"""

from __future__ import annotations

from uuid import uuid4

from shared.messaging.local import LocalBus
from shared.storage.database import Database
from shared.storage.queries import load_queries
from tests.contract.buses import QUEUES, WORK, outgoing

_PLANS = ("enable_hashjoin", "enable_hashagg", "enable_mergejoin", "enable_material",
          "enable_memoize", "enable_sort", "enable_indexscan", "enable_bitmapscan")  # fmt: skip


async def test_a_claim_keeps_to_its_limit_in_a_nested_loop(database: Database) -> None:
    sql = load_queries("shared.messaging")
    bus = LocalBus(database, QUEUES)
    await bus.publish([outgoing(str(number).encode()) for number in range(12)])
    async with database.transaction() as transaction:
        for plan in _PLANS:
            await transaction.connection.execute(f"SET LOCAL {plan} = off")
        claimed = await transaction.connection.fetch(sql["claim"], WORK.name, 3, uuid4(), 30.0)
    assert len(claimed) == 3
