"""Every service as people start it, `python -m`: elsewhere tests fork them (`tests/preloaded`)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import AsyncExitStack
from pathlib import Path

from tests.depth import is_deep
from tests.patience import HANG_SECONDS
from tests.preloaded import NOTHING, forked
from tests.processes import drop_to, free_port

SERVICES = ("gateway", "scorer", "judge", "ranker")
FEW = ("judge", "ranker")
"""The gateway is started so in `test_gateway_submissions.py`; a deep run starts all."""
ROOT = Path(__file__).parents[2]


async def test_every_service_starts_and_ends_when_told(
    postgres_url: str, rabbit_url: str, tmp_path: Path
) -> None:
    given = {
        "MEDVID_DATABASE_URL": postgres_url,
        "MEDVID_RABBITMQ_URL": rabbit_url,
        "MEDVID_DATA_DIR": str(tmp_path),
        "MEDVID_PORT": str(free_port()),
        "MEDVID_SCORER_PROCESSES": "1",
        "MEDVID_VALIDATION_WORKERS": "1",
    }
    async with asyncio.timeout(HANG_SECONDS), AsyncExitStack() as stack:
        processes = []
        for service in SERVICES if is_deep() else FEW:
            process = await asyncio.create_subprocess_exec(
                *drop_to(None), sys.executable, "-m", f"services.{service}",
                cwd=ROOT, env={**os.environ, **given}, stdin=DEVNULL, stderr=PIPE,
            )  # fmt: skip
            stack.callback(end, process)
            processes.append(process)
        for process in processes:
            assert process.stderr is not None
            while b"service_ready" not in (line := await process.stderr.readline()):
                assert line, "it ended before it was ready"
            process.terminate()
        for process in processes:
            _, said = await process.communicate()
            assert process.returncode == 0, said
            assert b"Traceback" not in said


def end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


async def test_a_forked_process_is_told_from_a_started_one_by_nothing(tmp_path: Path) -> None:
    """Its arguments, folder, environment, files and exit status are those that were asked for."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "print(sys.argv[1:], os.getcwd(), os.environ['A'], 'PATH' in os.environ, __name__)\n"
        "print('no', file=sys.stderr)\n"
        "os.kill(os.getpid(), 9) if sys.argv[1] == 'dies' else sys.exit(int(sys.argv[1]))\n"
    )
    for argument, status in (("0", 0), ("3", 3), ("dies", -signal.SIGKILL)):
        with (tmp_path / "out").open("w+b") as out:
            process = await forked(
                "program", argument, cwd=tmp_path, stdout=out, stderr=out,
                env={"A": "b"},
            )  # fmt: skip
            assert await process.wait() == process.returncode == status
            out.seek(0)
            said = out.read().decode()
        assert "no\n" in said
        if argument != "dies":  # what it had printed by then was still its own
            assert f"['{argument}'] {tmp_path} b False __main__" in said
    waits = await forked("http.server", "0", stdout=NOTHING, stderr=NOTHING)
    waits.terminate()
    assert await waits.wait() == -signal.SIGTERM


async def test_starting_imports_no_vendor_that_is_not_used_yet() -> None:
    """The model's client and the exporter of spans cost a start as much as all else."""
    program = (
        "import sys, services.standalone\n"
        "print([name for name in ('openai', 'opentelemetry.sdk')"
        " if name in sys.modules])"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=ROOT, stdin=DEVNULL, stdout=PIPE
    )
    said, _ = await process.communicate()
    assert said == b"[]\n"
