"""What schemathesis cannot guess: words that only this server writes, and files that it accepts.

Loaded by its command; the values that exist on the server under test come in the environment.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import schemathesis
from hypothesis import strategies as st

from services.gateway.web.paging import cursor_of

_MOMENTS = st.datetimes(timezones=st.timezones()).filter(lambda moment: moment.year > 1970)

schemathesis.openapi.format("board-cursor", st.just(os.environ["BOARD_CURSOR"]))
schemathesis.openapi.format(
    "row-cursor", st.builds(lambda moment, id_: cursor_of((moment, id_)), _MOMENTS, st.uuids())
)
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
