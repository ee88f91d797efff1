"""`python -m services.judge.stub`: the stand-in judge as a process of its own."""

from __future__ import annotations

import argparse
import asyncio

from services.judge.stub.server import Faults, Stub, running_stub
from shared.runtime.lifecycle import run_process


def main() -> int:
    """Serve until stopped; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.judge.stub", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9400)
    parser.add_argument("--faults", default="{}", help='JSON, such as {"latency_seconds": 0.2}')
    arguments = parser.parse_args()
    faults = Faults.model_validate_json(arguments.faults)

    async def serve(stop: asyncio.Event) -> None:
        async with running_stub(Stub(faults), host=arguments.host, port=arguments.port) as url:
            print(f"The stand-in judge serves {url}", flush=True)  # noqa: T201 - for who started us
            await stop.wait()

    return run_process(serve)


if __name__ == "__main__":
    raise SystemExit(main())
