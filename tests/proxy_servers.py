"""Debian's nginx and HAProxy before gateways.

nginx is as it is by default: one failure marks a gateway as down.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.patience import HANG_SECONDS
from tests.processes import LOOPBACK, ServerError, free_port

EVERYTHING: Final = "location / { proxy_pass http://gateways; }"
_CONFIG: Final = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{}}
http {{
  log_format upstreams '$status|$upstream_status|$request_uri';
  access_log {folder}/access.log upstreams;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream gateways {{
{gateways}
  }}
  server {{
    listen 127.0.0.1:{port};
    {locations}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx."""

    port: int
    folder: Path

    def errors(self) -> str:
        """What it wrote down about its upstreams: failures, and gateways that it takes for down."""
        lines = (self.folder / "error.log").read_text("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if "upstream" in line)

    def retried(self) -> list[str]:
        """Requests that one gateway left without an answer, so that another was asked."""
        lines = (self.folder / "access.log").read_text("utf-8", "replace").splitlines()
        return [line for line in lines if "," in line.split("|", 2)[1]]


@asynccontextmanager
async def nginx_before(
    urls: Sequence[str], folder: Path, *, locations: str = EVERYTHING
) -> AsyncIterator[Nginx]:
    """Run an nginx that divides requests among the gateways at `urls`; its files in `folder`.

    `locations` are the blocks of its server; what they hand on goes to `http://gateways`.
    """
    port = free_port()
    gateways = "\n".join(f"    server {urlsplit(url).netloc};" for url in urls)
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(folder=folder, gateways=gateways, port=port, locations=locations), "utf-8"
    )
    arguments = ("-c", str(config), "-p", str(folder), "-e", str(folder / "error.log"))
    async with _running("nginx", arguments, port):
        yield Nginx(port, folder)


@asynccontextmanager
async def haproxy(config: str, port: int, folder: Path) -> AsyncIterator[int]:
    """Run an HAProxy that listens on a port by its configuration; yields the port."""
    file = folder / "haproxy.cfg"
    file.write_text(config, "utf-8")
    async with _running("haproxy", ("-db", "-f", str(file)), port):
        yield port


@asynccontextmanager
async def _running(name: str, arguments: Sequence[str], port: int) -> AsyncIterator[None]:
    program = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        raise ServerError(f"{name} is not installed: run ./scripts/test or install the package")
    process = await asyncio.create_subprocess_exec(program, *arguments)
    try:
        async with asyncio.timeout(HANG_SECONDS):
            while not await _listens(port):
                if process.returncode is not None:
                    raise ServerError(f"{name} ended with status {process.returncode}")
                await asyncio.sleep(0.02)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    return True
