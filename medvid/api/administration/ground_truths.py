"""Calls about the versions of the ground truth."""

from __future__ import annotations

from typing import Final

from medvid.api.administration.actions import do
from medvid.api.calls import Call, get
from medvid.api.methods import method
from medvid.api.transport import Transport
from medvid.models.administration import ChangeAnswer, GroundTruthList, LoadedView
from medvid.models.base import API

_GZIP: Final = b"\x1f\x8b"


async def ground_truths(transport: Transport) -> GroundTruthList:
    """Return the versions of the ground truth."""
    return await transport.ask(get("/admin/ground-truths"), GroundTruthList)


async def load_ground_truth(
    transport: Transport, content: bytes, *, why: str, current: bool = False
) -> LoadedView:
    """Load a version from a file's content: JSON, plain or gzip."""
    kind = "application/gzip" if content.startswith(_GZIP) else "application/json"
    call = Call(
        "POST",
        f"{API}/admin/ground-truths",
        query={"why": why, "current": str(current).lower()},
        headers={"Content-Type": kind},
        content=content,
        repeatable=True,
    )
    return await transport.ask(call, LoadedView)


async def reload_ground_truth(
    transport: Transport, file: str, *, why: str, current: bool = False
) -> LoadedView:
    """Load a version from a file of the server's own folder."""
    path = "/ground-truths/reload"
    return await do(transport, path, LoadedView, why, file=file, current=current)


async def choose_ground_truth(transport: Transport, version: str, *, why: str) -> ChangeAnswer:
    """Choose the version that uploads are checked against."""
    return await do(transport, "/ground-truths/current", ChangeAnswer, why, version=version)


class GroundTruthMethods:
    """Calls about ground truths, in the form of the client that has them."""

    ground_truths = method(ground_truths)
    load_ground_truth = method(load_ground_truth)
    reload_ground_truth = method(reload_ground_truth)
    choose_ground_truth = method(choose_ground_truth)
