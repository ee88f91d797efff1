"""A RabbitMQ node for tests, its management API and its command line."""

# ruff: noqa: S603 - every command here is ours

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote
from uuid import uuid4

from tests.certificates import ServerCertificate
from tests.patience import HANG_SECONDS
from tests.processes import LOOPBACK, Process, ServerError, free_port

RABBITMQ_BIN: Final = Path("/usr/lib/rabbitmq/bin")


class RabbitServer:
    """A RabbitMQ node of its own: own name, ports, folders, cookie and port mapper (epmd)."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="medvid-mq-"))
        self._node = Process(self._folder / "log")
        self._epmd = Process(self._folder / "epmd.log")
        self._name = f"medvid_{uuid4().hex[:8]}@localhost"
        self._port, self._http_port, self._epmd_port = free_port(), free_port(), free_port()
        self._tls_port = free_port()
        self._certificate = ServerCertificate.make(self._folder)
        self._env = self._environment()

    def __enter__(self) -> Self:
        self.launch()
        self.await_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def launch(self) -> None:
        """Start the server processes (main thread only) without waiting for them."""
        if not (RABBITMQ_BIN / "rabbitmq-server").exists():
            raise ServerError(
                "RabbitMQ is not installed: run ./scripts/test or install the package"
            )
        epmd = shutil.which("epmd") or "/usr/bin/epmd"
        if not (self._folder / "epmd.log").exists():
            self._epmd.launch([epmd, "-port", str(self._epmd_port), "-address", LOOPBACK])
        self._node.launch([str(RABBITMQ_BIN / "rabbitmq-server")], env=self._env)

    def await_ready(self) -> None:
        """Wait until it takes clients."""
        self._node.await_ready(self._answers, "RabbitMQ")

    def stop(self) -> None:
        """Shut the node down in order; its queues stay on disk."""
        self._node.end(signal.SIGTERM)

    def kill(self) -> None:
        """End the node as a crash would."""
        self._node.end(signal.SIGKILL)

    def close(self) -> None:
        """End all its processes and remove its data; idempotent."""
        self._node.end(signal.SIGKILL)
        self._epmd.end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, vhost: str = "/") -> str:
        """Return the URL of one of its virtual hosts."""
        return f"amqp://guest:guest@{LOOPBACK}:{self._port}/{quote(vhost, safe='')}"

    def tls_url(self, vhost: str = "/") -> str:
        """Return the URL of a virtual host over TLS, without the file of its authority."""
        return f"amqps://guest:guest@{LOOPBACK}:{self._tls_port}/{quote(vhost, safe='')}"

    @property
    def authority(self) -> Path:
        """The file of the authority that signed its certificate."""
        return self._certificate.authority

    @property
    def port(self) -> int:
        """Where it takes clients."""
        return self._port

    @property
    def http(self) -> Management:
        """Its management API."""
        return Management(self._http_port)

    @property
    def control(self) -> RabbitControl:
        """Its command line."""
        return RabbitControl(self._env)

    def _answers(self) -> bool:
        try:
            return bool(self.http.call("GET", "/api/healthchecks/node").get("status") == "ok")
        except (OSError, ServerError, ValueError):
            return False

    def _environment(self) -> dict[str, str]:
        (self._folder / "plugins").write_text("[rabbitmq_management].\n")
        (self._folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {LOOPBACK}:{self._port}\n"
            f"listeners.ssl.1 = {LOOPBACK}:{self._tls_port}\n"
            f"ssl_options.certfile = {self._certificate.certificate}\n"
            f"ssl_options.keyfile = {self._certificate.key}\n"
            f"management.tcp.ip = {LOOPBACK}\n"
            f"management.tcp.port = {self._http_port}\n"
            "disk_free_limit.absolute = 50MB\n"
            "log.file = false\n"
            "log.console = true\n"
            "log.console.level = warning\n"
        )
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),  # holds the Erlang cookie
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_CTL_DIST_PORT_MIN": "42000",
            "RABBITMQ_CTL_DIST_PORT_MAX": "43000",
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "plugins"),
            # Its schedulers sleep when they have nothing to do, instead of looking for work.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1}"
                " +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
            "RUNNING_UNDER_SYSTEMD": "true",  # the start script then becomes the node itself
        }


class Management:
    """RabbitMQ's HTTP API, as far as tests need it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return the decoded answer; raises ServerError for a status of 400 or more."""
        connection = HTTPConnection(LOOPBACK, self.port, timeout=HANG_SECONDS)
        try:
            credentials = b64encode(b"guest:guest").decode()
            headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise ServerError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content) if content else {}

    def add_vhost(self, name: str) -> None:
        """Make a virtual host that guest may use."""
        self.call("PUT", f"/api/vhosts/{quote(name, safe='')}")

    def remove_vhost(self, name: str) -> None:
        """Remove a virtual host with all its queues; its clients are disconnected."""
        self.call("DELETE", f"/api/vhosts/{quote(name, safe='')}")


@dataclass(frozen=True, slots=True)
class RabbitControl:
    """rabbitmqctl for one node; each call takes about half a second."""

    env: dict[str, str]

    def call(self, *arguments: str) -> str:
        """Run a command and return its output."""
        argv = [str(RABBITMQ_BIN / "rabbitmqctl"), "-q", *arguments]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerError(f"rabbitmqctl {arguments[0]}: {done.stderr or done.stdout}")
        return done.stdout

    def sync(self) -> None:
        """Write out where the quorum queues are.

        RabbitMQ does so half a second late; killed before, 3.10 has lost a queue declared since.
        """
        self.call("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def close_connections(self, vhost: str) -> None:
        """Close every client's connection to a virtual host."""
        self.call("close_all_connections", "--vhost", vhost, "closed by a test")
