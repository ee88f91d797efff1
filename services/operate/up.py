"""`medvid up`: all services in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def up(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="its port (or MEDVID_PORT); 0 for any")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(file_okay=False, help="its data folder (or MEDVID_DATA_DIR)")
    ] = None,
) -> int:
    """Run the whole leaderboard in this process, until Ctrl-C.

    It says where it is once it serves; its log goes to standard error.
    """
    from services.standalone import main

    given = {"port": port, "data_dir": data_dir}
    return main({name: value for name, value in given.items() if value is not None})
