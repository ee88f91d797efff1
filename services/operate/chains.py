"""What the doctor says of the boards' chains: whether they are whole, signed, and of what is shown.

`medvid verify` tells strangers the same of one archive; this looks at what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from medvid.evidence.signatures import Signer, is_signed, key_id_of
from services.operate.findings import CheckOutcome
from shared.storage.database import Database
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "chains.sql")
_LINKED_WITHIN_SECONDS: Final = 300.0
_CHANGED: Final = (
    "Somebody changed the database. Compare with a backup, and with the hashes that others kept "
    "(docs/evidence.md)."
)


async def chains(database: Database, signer: Signer | None) -> CheckOutcome:
    """Examine every board's chain; `signer` is of the key that is set here, if one is."""
    pool = database.pool
    if row := await pool.fetchrow(_SQL["chain_broken"]):
        says = f"link {row['number']} of the {row['board']} board does not follow the one before."
        return CheckOutcome("failed", says, _CHANGED)
    if row := await pool.fetchrow(_SQL["documents_changed"]):
        says = (
            f"snapshot {row['id']} of the {row['board']} board is not what link {row['number']} "
            "says of it."
        )
        return CheckOutcome("failed", says, _CHANGED)
    heads = await pool.fetch(_SQL["chain_heads"])
    if found := _signatures(heads, signer):
        return found
    if unlinked := await pool.fetchval(_SQL["documents_unlinked"], _LINKED_WITHIN_SECONDS):
        fix = "Start a ranker of this version, which links them; where one runs, see its log."
        return CheckOutcome("warning", f"{unlinked} snapshots and statistics have no link.", fix)
    if not heads:
        return CheckOutcome("ok", "no board has been ranked yet.")
    shown = "; ".join(
        f"{row['board']}: {row['number']} links, "
        + (f"the last signed by {row['key_id']}" if row["key_id"] else "the last unsigned")
        for row in heads
    )
    return CheckOutcome("ok", f"unbroken chains. {shown}.")


def _signatures(heads: Sequence[asyncpg.Record], signer: Signer | None) -> CheckOutcome | None:
    """Return what is wrong with the newest signatures, which cover all links before them."""
    for row in heads:
        where = f"link {row['number']} of the {row['board']} board"
        key_id, key = row["key_id"], row["public_key"]
        if key_id is not None and (
            key_id_of(key) != key_id or not is_signed(row["body"], row["signature"], key)
        ):
            return CheckOutcome("failed", f"{where} is not signed by its key {key_id}.", _CHANGED)
        if signer is not None and key_id != signer.key_id:
            own = f"by {key_id}" if key_id else "by no key"
            says = f"{where} is signed {own}, and MEDVID_SIGNING_KEY here is {signer.key_id}."
            fix = (
                "Give the rankers this key and restart them; the next link is signed by it. After "
                "a change of keys nothing else is needed."
            )
            return CheckOutcome("warning", says, fix)
    return None
