"""`./scripts/demo`: start everything, load the sample data, submit, show the board.

`--once` ends after printing: status 0 only if the new entry is on the board with all its metrics.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from medvid.benchmark.tasks import METRIC_KEYS, METRICS
from medvid.cli.printing import place
from services.operate.boards import published_boards, store_boards
from services.operate.ground_truth import store_ground_truth
from services.standalone import StandaloneSettings, running
from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure
from shared.runtime.lifecycle import run_process, serve
from shared.runtime.listening import Door, open_door
from shared.runtime.logs import configure_logs
from shared.runtime.settings import load_settings

_FOLDER: Final = Path(__file__).parent
_PORTS: Final = range(8080, 8180)
_MODEL: Final = "Demo model"
_PATIENCE_SECONDS: Final = 60.0
_TABLE_WIDTH: Final = 118
_console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submission that the demo made."""

    model_name: str
    status_url: str
    token: str


def main() -> int:
    """Run the demo; returns the exit status."""
    arguments = sys.argv[1:]
    if arguments not in ([], ["--once"]):
        print("usage: ./scripts/demo [--once]", file=sys.stderr)  # noqa: T201
        return 2
    complete = False

    async def run(stop: asyncio.Event) -> None:
        nonlocal complete
        complete = await _demo(stop, once=bool(arguments))

    return run_process(run) or (0 if complete else 1)


async def _demo(stop: asyncio.Event, *, once: bool) -> bool:
    """Return whether the new entry is on the board with every metric."""
    settings = load_settings(StandaloneSettings)
    door = _free_door()
    port = int(door[0].getsockname()[1])
    published = settings.test_set or _FOLDER / "test_set.json.gz"
    settings = settings.model_copy(
        update={"port": port, "test_set": published, **_stand_in(settings)}
    )
    log = settings.data_dir / "log" / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as stream:
        configure_logs(settings.log_level, "json", "demo", stream)
        _console.print(f"Starting Postgres and the four services (log: {log})")
        async with running(settings, door) as base:
            url = f"http://127.0.0.1:{port}"
            complete = await _tour(base, url)
            if not once and complete and not stop.is_set():
                _console.print(f"\nOpen [bold]{url}/community[/], or use another terminal:")
                _console.print(f'export MEDVID_URL={url} PATH="$PWD/.venv/bin:$PATH"')
                _console.print("Ctrl-C ends the demo.")
                await serve(base, stop)
    if not once:
        _console.print("Stopped. Run it again: the board is kept in ./var.")
    return complete


def _stand_in(settings: StandaloneSettings) -> dict[str, object]:
    """Let the stand-in judge work where no other is set up; the demo asks for no key."""
    return {"judge_provider": "stub"} if settings.judge_provider == "none" else {}


async def _tour(base: Infrastructure, url: str) -> bool:
    truth = (_FOLDER / "ground_truth.json.gz").read_bytes()
    base.readiness.started = True
    _console.print(await store_ground_truth(base.database, truth, "demo/ground_truth.json.gz"))
    _console.print(await store_boards(base.database, published_boards()))
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=30)) as http:
        submitted = await _submit(http)
        await _watch(http, submitted)
        await _judge(http, submitted)
        board = await _board_with(http, submitted.model_name)
    # Never cut a number: a narrow terminal wraps the lines instead.
    wide = Console(highlight=False, width=max(_console.width, _TABLE_WIDTH))
    wide.print(_table(board, submitted.model_name))
    entry = _entry(board, submitted.model_name)
    missing = [key for key in METRIC_KEYS if entry is None or entry["values"][key] is None]
    if missing:
        _console.print(f"[red]The new entry lacks {', '.join(missing)}.[/]")
    return not missing


def _free_door() -> Door:
    """Listen at the first free port; the demo may run beside other servers, and other demos."""
    for port in _PORTS:
        try:
            door = open_door("127.0.0.1", port)
        except OSError:
            continue
        if port != _PORTS[0]:
            _console.print(f"[yellow]Port {_PORTS[0]} is taken: using {port}.[/]")
        return door
    raise Misconfigured(
        f"no port from {_PORTS[0]} to {_PORTS[-1]} is free.", fix="Stop one of the servers on them."
    )


async def _submit(http: aiohttp.ClientSession) -> Submitted:
    """Send the sample predictions under the first name that the board does not have yet."""
    number = 1
    while True:
        name = _MODEL if number == 1 else f"{_MODEL} {number}"
        form = aiohttp.FormData()
        form.add_field("model_name", name)
        form.add_field("organization", "The demo")
        form.add_field(
            "file",
            (_FOLDER / "predictions.json.gz").read_bytes(),
            filename="predictions.json.gz",
            content_type="application/gzip",
        )
        async with http.post("/api/v1/submissions", data=form) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status == 202:
                _console.print(f"Submitted [bold]{name}[/] with POST /api/v1/submissions")
                return Submitted(name, answer["status_url"], answer["owner_token"])
            if answer.get("code") != "model_name_taken":
                raise Misconfigured(f"the submission was refused: {answer}")
        number += 1


async def _watch(http: aiohttp.ClientSession, submitted: Submitted) -> None:
    """Show each state until the final one."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    headers = {"Authorization": f"Bearer {submitted.token}"}
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=_console, transient=True) as progress:
        shown = progress.add_task("accepted")
        while asyncio.get_running_loop().time() < deadline:
            async with http.get(submitted.status_url, headers=headers) as response:
                status: dict[str, Any] = await response.json()
            progress.update(shown, description=status["state"])
            if status["final"]:
                break
            await asyncio.sleep(0.1)
    steps = " → ".join(step["state"] for step in status["timeline"])
    first, last = (datetime.fromisoformat(status["timeline"][i]["at"]) for i in (0, -1))
    _console.print(f"{steps} in {(last - first).total_seconds():.2f} s")
    if status.get("failure"):
        _console.print(f"[red]{status['failure']['reason']}[/]")


async def _judge(http: aiohttp.ClientSession, submitted: Submitted) -> None:
    """Ask for the judge as the owner, and show its progress."""
    headers = {"Authorization": f"Bearer {submitted.token}"}
    async with http.post(f"{submitted.status_url}/judge", headers=headers) as response:
        receipt: dict[str, Any] = await response.json(content_type=None)
        if response.status != 202:
            raise Misconfigured(f"judging was refused: {receipt}")
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=_console, transient=True) as progress:
        shown = progress.add_task("judging")
        while asyncio.get_running_loop().time() < deadline:
            async with http.get(submitted.status_url, headers=headers) as response:
                run: dict[str, Any] = (await response.json())["judging"]["run"]
            progress.update(shown, completed=run["items_done"], total=run["items"] or None)
            if run["state"] not in ("queued", "running"):
                break
            await asyncio.sleep(0.1)
    _console.print(
        f"Judged with POST {submitted.status_url}/judge: {run['state']}, "
        f"{run['items_done']} distinct pairs, {run['items_cached']} of them known before"
    )


async def _board_with(http: aiohttp.ClientSession, model_name: str) -> dict[str, Any]:
    """Return the community board once it shows the model whole, or when patience ends."""
    deadline = asyncio.get_running_loop().time() + 10
    while True:
        async with http.get("/api/v1/leaderboards/community") as response:
            board: dict[str, Any] = await response.json()
        entry = _entry(board, model_name)
        if (
            entry and None not in entry["values"].values()
        ) or asyncio.get_running_loop().time() > deadline:
            return board
        await asyncio.sleep(0.1)


def _entry(board: dict[str, Any], model_name: str) -> dict[str, Any] | None:
    return next((row for row in board["entries"] if row["model_name"] == model_name), None)


def _table(board: dict[str, Any], model_name: str) -> Table:
    today = datetime.now(UTC).date()
    table = Table(title=f"Community board, {today}", title_justify="left", box=None)
    table.add_column("#", justify="right")
    table.add_column("Model", no_wrap=True)
    for metric in METRICS:
        table.add_column(metric.label.replace("_", "\n", 1), justify="right")
    table.add_column("Mean\nrank", justify="right")
    for row in board["entries"]:
        values = (row["values"][metric.key] for metric in METRICS)
        table.add_row(
            place(row["rank"]),
            Text(row["model_name"]),
            *("n/a" if value is None else f"{value:.3f}" for value in values),
            place(None) if row["mean_rank"] is None else f"{row['mean_rank']:.1f}",
            style="bold green" if row["model_name"] == model_name else None,
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
