"""`medvid test-set`: the questions of the test set, which every submission begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from medvid.cli.session import Session, public

_FILE: Final = Path("test_set.json")


@public
def get_test_set(
    session: Session,
    output: Annotated[
        Path, typer.Option("--output", "-o", dir_okay=False, help="the file to write")
    ] = _FILE,
) -> int:
    """Get the test set: its questions, in the order in which a submission answers them.

    Where the server publishes it. Its videos are at the address that is named as 'data'.
    """
    found = session.client.published_test_set()
    assert found is not None  # noqa: S101 - no ETag was sent
    output.write_bytes(found.content)
    data = session.client.boards().links.data
    answer = {"file": str(output), "bytes": len(found.content), "data": data}
    return session.answer(answer, f"Written to {output}.{f' Its videos: {data}' if data else ''}")
