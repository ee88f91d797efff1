"""What schemathesis cannot guess: words that only this server writes, and files that it accepts.

Loaded by its command; the values that exist on the server under test come in the environment.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import schemathesis
from hypothesis import strategies as st

from services.gateway.web.paging import cursor_of

_MOMENTS = st.datetimes(timezones=st.timezones()).filter(lambda moment: moment.year > 1970)

schemathesis.openapi.format("board-cursor", st.just(os.environ["BOARD_CURSOR"]))
schemathesis.openapi.format(
    "row-cursor", st.builds(lambda moment, id_: cursor_of((moment, id_)), _MOMENTS, st.uuids())
)
schemathesis.openapi.format("track-id", st.sampled_from(["over", "medvidu-2026", "none"]))
schemathesis.openapi.format(
    "entry-ids",
    st.lists(st.uuids(), min_size=1, max_size=6).map(lambda ids: ",".join(map(str, ids))),
)
schemathesis.openapi.format("endpoint-name", st.sampled_from(["us-east", "eu", "none"]))
schemathesis.openapi.format(
    "entry-cursor",
    st.uuids().map(lambda id_: base64.urlsafe_b64encode(id_.bytes + b"a name").decode()),
)
schemathesis.openapi.format(
    "as-of",
    st.one_of(
        st.integers(1, 5).map(str),
        st.dates().map(str),
        st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}".zfill(20)),
    ),
)
schemathesis.openapi.format(
    "binary",
    st.one_of(st.just(Path(os.environ["PREDICTIONS"]).read_bytes()), st.binary(max_size=100)),
)

# By operation: what stands in its path, and who asks. Every third request keeps what was made up.
_SEEDS: dict[str, list[dict[str, str]]] = json.loads(Path(os.environ["SEEDS"]).read_text())
_TURNS = {label: itertools.count() for label in _SEEDS}
_KEYS = frozenset({f"Bearer {os.environ['ADMIN_KEY']}", f"Bearer {os.environ['OWNER_TOKEN']}"})


def _is_id(value: object) -> bool:
    if str(value).isdecimal():  # a snapshot's
        return True
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True


def _is_meant_well(case: Any) -> bool:
    return case.meta is None or case.meta.generation.mode.is_positive


@schemathesis.hook
def before_call(_: Any, case: Any, _kwargs: Any) -> None:
    """Name things that exist, as someone who may; what is wrong on purpose stays wrong."""
    label = case.operation.label
    if label not in _SEEDS or case.headers.get("Authorization", "") not in {*_KEYS, ""}:
        return
    path = case.path_parameters
    if "id" in path and not _is_id(path["id"]):
        return
    turn = next(_TURNS[label])
    if turn % 3 == 2:
        return
    seed = _SEEDS[label][turn % len(_SEEDS[label])]
    for name in {"id", "board"} & path.keys() & seed.keys():
        path[name] = seed[name]
    if _is_meant_well(case):
        case.query.update(
            {name: seed[name] for name in ("a", "b", "current", "models") if name in seed}
        )
    if "bearer" in seed and case.headers.get("Authorization"):
        case.headers["Authorization"] = f"Bearer {seed['bearer']}"
    if "body" in seed and case.method == "POST" and _is_meant_well(case):
        case.body = (
            seed["body"].encode() if isinstance(case.body, bytes) else json.loads(seed["body"])
        )
