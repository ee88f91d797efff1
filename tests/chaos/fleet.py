"""The four services as processes that are started again whenever they end, as a cluster does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from tests.preloaded import Forked, fork

_RESTART_SECONDS: Final = 0.3


class Supervised:
    """One process, started again when it ends."""

    def __init__(
        self, module: str, environment: Mapping[str, str], log: Path, preloaded: Path
    ) -> None:
        self.module = module
        self._preloaded = preloaded
        self.starts = 0
        self._environment = {**os.environ, **environment}
        self._log = log
        self._process: Forked | None = None
        self._task = asyncio.create_task(self._keep_running())

    def kill(self) -> bool:
        """Send SIGKILL; False where it is just being started."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._process.send_signal(signal.SIGKILL)
        return True

    async def stop(self) -> None:
        """End it for good, in order."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await process.wait()
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _keep_running(self) -> None:
        while True:
            with self._log.open("ab") as log:
                self._process = fork(
                    self.module, env=self._environment, stdout=log, stderr=log,
                    preloaded=self._preloaded,
                )  # fmt: skip
            self.starts += 1
            await self._process.wait()
            await asyncio.sleep(_RESTART_SECONDS)


class Fleet:
    """All processes of a distributed installation."""

    def __init__(
        self,
        modules: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        preloaded: Path,
    ) -> None:
        self._preloaded = preloaded
        self._modules = modules
        self._environment = environment
        self._folder = folder
        self.processes: list[Supervised] = []
        self.kills: list[str] = []

    async def __aenter__(self) -> Self:
        self.processes = [
            Supervised(
                module, self._environment, self._folder / f"{number}-{module}.log", self._preloaded
            )
            for number, module in enumerate(self._modules)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(process.stop() for process in self.processes))

    async def kill_one(self, chance: random.Random) -> None:
        """Send SIGKILL to a process, whichever it is."""
        while True:
            process = chance.choice(self.processes)
            if process.kill():
                self.kills.append(process.module)
                return
            await asyncio.sleep(0.05)
