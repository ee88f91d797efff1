"""`medvid predict` against `transformers serve` with a tiny vision model of random weights.

The server has an environment of its own (`tests/vision_environment.py`).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import aiohttp
import orjson
import pytest

from tests.depth import deep
from tests.patience import HANG_SECONDS
from tests.processes import free_port
from tests.vision import VideoFolder, numbered, real_records, write_test_set
from tests.vision_environment import vision_environment

ROOT: Final = Path(__file__).parents[2]
SAMPLES: Final = 4
pytestmark = deep


@pytest.fixture(scope="module")
def environment() -> Path:
    return vision_environment()


@pytest.fixture(scope="module")
def model(environment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder."""
    folder = tmp_path_factory.mktemp("tiny-vision-model")
    subprocess.run(  # noqa: S603 - our own script
        [environment / "bin" / "python", ROOT / "tests" / "tiny_vision_model.py", folder],
        check=True, capture_output=True, timeout=HANG_SECONDS, env=offline(folder),
    )  # fmt: skip
    return folder


def offline(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "HF_HUB_OFFLINE": "1",
            "NO_PROXY": "127.0.0.1"}  # fmt: skip


@pytest.fixture(scope="module")
def server(environment: Path, model: Path) -> Iterator[str]:
    """The address of a server."""
    port = free_port()
    with (model / "serve.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own environment
            [environment / "bin" / "transformers", "serve", "--host", "127.0.0.1",
             "--port", str(port), "--device", "cpu"],
            stdout=log, stderr=log, env=offline(model),
        )  # fmt: skip
        try:
            asyncio.run(healthy(f"http://127.0.0.1:{port}/health", process))
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            process.wait(HANG_SECONDS)


async def healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(HANG_SECONDS), aiohttp.ClientSession() as http:
        while process.poll() is None:
            try:
                async with http.get(url) as response:
                    if response.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
    raise AssertionError("the server ended")


def test_a_real_server_sees_every_frame(server: str, model: Path, tmp_path: Path) -> None:
    """Each frame is so many tokens of the prompt, as the model's own processor counts."""
    folder = write_test_set(tmp_path, numbered(real_records()[:SAMPLES]))
    tokens = {}
    for frames in (1, 2, 3):
        out = tmp_path / f"p{frames}.json"
        done = predict(folder, server, model, out, "--max-frames", str(frames))
        assert done.returncode == 0, done.stderr
        manifest = orjson.loads(out.with_name(f"p{frames}.manifest.json").read_bytes())
        statuses = manifest["statuses"]
        assert statuses.get("answered", 0) + statuses.get("truncated", 0) == SAMPLES
        assert manifest["models"] == {str(model): SAMPLES}
        tokens[frames] = manifest["tokens"]["prompt"]
        assert len(orjson.loads(out.read_bytes())) == SAMPLES
    a_frame = tokens[2] - tokens[1]
    assert a_frame == tokens[3] - tokens[2]
    # 320 x 240 pixels are sent as 224 x 168: 8 x 6 patches of 28 pixels, and two tokens around.
    assert a_frame == SAMPLES * (8 * 6 + 2)


def predict(
    folder: VideoFolder, url: str, model: Path, out: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "medvid", "predict", str(folder.test_set), "--remap", folder.remap,
         "--base-url", url, "--model", str(model), "--out", str(out), "--max-tokens", "8",
         "--concurrency", "1", *options],
        capture_output=True, text=True, timeout=HANG_SECONDS,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
    )  # fmt: skip
