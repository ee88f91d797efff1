"""Calls about entries."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date
from typing import Any, TypedDict, Unpack

from medvid.api.administration.actions import PAGE_SIZE, do
from medvid.api.calls import EntryId, get, post
from medvid.api.methods import method, stream
from medvid.api.transport import Transport
from medvid.models.administration import EntriesPage, EntryAction, ManagedEntryView, RowChangeView


class Metadata(TypedDict, total=False):
    """What can be changed about an entry besides its name; None empties a field."""

    organization: str | None
    team: str | None
    authors: str | None
    model_url: str | None
    track: str | None
    contact: str | None


async def entries(
    transport: Transport,
    *,
    board: str | None = None,
    model_name: str | None = None,
    removed: bool = False,
) -> AsyncGenerator[ManagedEntryView, None]:
    """Yield entries with what is not public, by name; with `removed`, removed ones too."""
    call = get("/admin/entries", board=board, model_name=model_name, limit=PAGE_SIZE,
               removed="true" if removed else None)  # fmt: skip
    async for page in transport.pages(call, EntriesPage):
        for entry in page.entries:
            yield entry


async def entry(transport: Transport, entry: EntryId) -> ManagedEntryView:
    """Return an entry with what is not public."""
    return await transport.ask(get(f"/admin/entries/{entry}"), ManagedEntryView)


async def add_entry(
    transport: Transport, board: str, row: Mapping[str, Any], *, why: str
) -> RowChangeView:
    """Add an entry with given scores; a row as in an export."""
    return await do(transport, "/entries", RowChangeView, why, board=board, entry=row)


async def promote(
    transport: Transport,
    entry: EntryId,
    *,
    why: str,
    verified_on: date | str | None = None,
    note: str | None = None,
) -> EntryAction:
    """Verify an entry, today or on a day: it moves to the official board."""
    day = None if verified_on is None else str(verified_on)
    path = f"/entries/{entry}/promote"
    return await do(transport, path, EntryAction, why, verified_on=day, note=note)


async def demote(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Bring an official entry back to the community board."""
    return await do(transport, f"/entries/{entry}/demote", EntryAction, why)


async def remove(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Take an entry off its board; its name is free, its scores stay."""
    return await do(transport, f"/entries/{entry}/remove", EntryAction, why)


async def erase(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Erase the names of an entry that left its board; its tombstone stays without them."""
    return await do(transport, f"/entries/{entry}/erase", EntryAction, why)


async def restore(transport: Transport, entry: EntryId, *, why: str) -> EntryAction:
    """Bring a removed entry back, if its name is still free."""
    return await do(transport, f"/entries/{entry}/restore", EntryAction, why)


async def rename(transport: Transport, entry: EntryId, model_name: str, *, why: str) -> EntryAction:
    """Give an entry another name."""
    path = f"/entries/{entry}/rename"
    return await do(transport, path, EntryAction, why, model_name=model_name)


async def edit(
    transport: Transport, entry: EntryId, *, why: str, **fields: Unpack[Metadata]
) -> EntryAction:
    """Change an entry's metadata; fields left out stay."""
    call = post(f"/admin/entries/{entry}/edit", {"why": why, **fields}, repeatable=True)
    return await transport.ask(call, EntryAction)


async def set_facts(
    transport: Transport,
    entry: EntryId,
    facts: Mapping[str, object],
    *,
    why: str,
    release: Sequence[str] = (),
) -> EntryAction:
    """State facts of an entry's model, by name; None makes one unknown, others stay.

    What changes is held; `release` names facts that the model's owner may change again.
    """
    body = {"why": why, "facts": facts} | ({"release": list(release)} if release else {})
    call = post(f"/admin/entries/{entry}/facts", body, repeatable=True)
    return await transport.ask(call, EntryAction)


class EntryMethods:
    """Calls about entries, in the form of the client that has them."""

    add_entry = method(add_entry)
    promote = method(promote)
    demote = method(demote)
    remove = method(remove)
    erase = method(erase)
    restore = method(restore)
    rename = method(rename)
    edit = method(edit)
    set_facts = method(set_facts)
    entry = method(entry)
    entries = stream(entries)
