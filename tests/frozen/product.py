"""What only the code itself can tell; the one place here that names modules of the product.

A refactoring that moves a module corrects the imports of this file, and no frozen file changes.

Metrics and settings are read in a fresh process for each service, which has imported nothing but
its entry point, and the command line in one with a terminal of a fixed width:

    python -m tests.frozen.product service gateway      # prints JSON
    python -m tests.frozen.product commands
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, redirect_stdout
from importlib import import_module
from io import StringIO
from typing import Any, Final

from tests.frozen import ROOT
from tests.patience import HANG_SECONDS

SERVICES: Final = {
    "gateway": "services.gateway.__main__",
    "judge": "services.judge.__main__",
    "ranker": "services.ranker.__main__",
    "scorer": "services.scorer.__main__",
}
COMMANDS: Final = "medvid.cli.main"
SOURCES: Final = ("client", "medvid", "services", "shared")
"""Folders of the product's source text; one that does not exist is passed over."""

_COLUMNS: Final = 100
_PROCESSORS: Final = 64
"""Some defaults depend on the machine: they are shown as on one with so many processors."""


def observe() -> dict[str, Any]:
    """Return what fresh processes tell: by service, and under 'commands'."""
    asked = {name: ("service", name) for name in SERVICES} | {"commands": ("commands",)}
    with ThreadPoolExecutor(len(asked)) as pool:
        return dict(zip(asked, pool.map(_in_a_fresh_process, asked.values()), strict=True))


def _in_a_fresh_process(arguments: tuple[str, ...]) -> Any:
    foreign = ("MEDVID_", "_MEDVID", "TYPER_", "_TYPER", "FORCE_", "PY_COLORS", "GITHUB_", "OTEL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    width = {"COLUMNS": str(_COLUMNS), "TERMINAL_WIDTH": str(_COLUMNS), "LINES": "50"}
    plain = {"NO_COLOR": "1", "TERM": "dumb", "LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "tests.frozen.product", *arguments],
        cwd=ROOT,
        env=kept | width | plain,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


# ------------------------------------------------------------------ in the fresh processes
def _service(name: str) -> dict[str, Any]:
    import_module(SERVICES[name])
    return {"metrics": _metrics(), "settings": _settings()}


def _metrics() -> dict[str, Any]:
    """Return every metric of this process's registry; those of its library are left out."""
    from prometheus_client import REGISTRY
    from prometheus_client.metrics import MetricWrapperBase

    from shared.runtime.metrics import SYSTEM

    SYSTEM.update({}, age=0, fresh_seconds=3600)  # else it has nothing to export
    found: dict[str, Any] = {}
    for collector in list(REGISTRY._collector_to_names):  # noqa: SLF001 - it has no other list
        families = list(collector.collect())
        for family in families:
            labels = getattr(family, "_labelnames", ())
            buckets: list[float] = []
            if isinstance(collector, MetricWrapperBase):
                labels = collector._labelnames  # noqa: SLF001
                buckets = list(getattr(collector, "_upper_bounds", ()))
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = {
                "type": family.type,
                "labels": sorted(labels),
                "buckets": [f"{bound:g}" for bound in buckets],
                "help": family.documentation,
            }
    return {name: metric for name, metric in found.items() if name.startswith("medvid")}


def _settings() -> dict[str, Any]:
    """Return the schema of every variable that the service's settings read."""
    from pydantic_settings import BaseSettings

    found: dict[str, Any] = {}
    for settings in _most_special(BaseSettings):
        prefix = settings.model_config["env_prefix"].upper()
        schema = settings.model_json_schema()
        for field, described in schema["properties"].items():
            described.pop("title", None)
            found[prefix + field.upper()] = described
        for model, described in schema.get("$defs", {}).items():
            found[f"({model})"] = described
    return found


def _most_special(settings: Any) -> Iterator[Any]:
    below = settings.__subclasses__()
    if not below:
        yield settings
    for each in below:
        yield from _most_special(each)


def _commands() -> dict[str, Any]:
    """Return the help of every command, what commands exit with, and the Python client."""
    from typer import Context
    from typer.main import get_command

    whole = get_command(import_module(COMMANDS).app)  # once, as it takes long

    def helps(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        with redirect_stdout(StringIO()) as shown:
            whole.main([*words[1:], "--help"], prog_name=words[0], standalone_mode=False)
        yield " ".join(words), shown.getvalue()
        if hasattr(command, "list_commands"):
            context = Context(command, info_name=words[-1])
            for name in sorted(command.list_commands(context)):
                yield from helps(command.get_command(context, name), (*words, name))

    return {
        "help": dict(helps(whole, ("medvid",))),
        "exits": _exit_statuses(),
        "python": _python_client(),
    }


def _exit_statuses() -> dict[str, int]:
    from medvid.cli.printing import Exit

    return {each.name: int(each) for each in Exit}


def _python_client() -> dict[str, str]:
    """Return every public name of the Python client, and how it is made, called or read."""
    from medvid import api

    found = {name: _described(getattr(api, name), api.__all__) for name in api.__all__}
    with api.Client("http://127.0.0.1:1") as client:  # its methods are its instances'
        for prefix, methods in (("Client", client), ("Client.admin", client.admin)):
            for name in dir(methods):
                if not name.startswith("_") and callable(method := getattr(methods, name)):
                    found[f"{prefix}.{name}"] = _parameters(method)
    return found


def _described(value: Any, public: list[str]) -> str:
    if not inspect.isclass(value):
        return f" = {value!r}"
    if issubclass(value, Exception):
        return (
            f": {', '.join(each.__name__ for each in value.mro()[1:] if each.__name__ in public)}"
        )
    if hasattr(value, "model_fields"):
        return f": {', '.join(sorted(value.model_fields))}"
    return _parameters(value)


def _parameters(callable_: Any) -> str:
    signature = inspect.signature(callable_)
    kept = [
        each.replace(annotation=inspect.Parameter.empty)
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    return str(inspect.Signature(kept))


# ------------------------------------------------------------------ in the test's process
def report_codes() -> dict[str, str]:
    """Return every code of a validation report with its meaning."""
    from medvid.benchmark.report import Code

    return {code.value: code.meaning for code in Code}


def messages() -> dict[str, Any]:
    """Return the messages with their fields, and what of the bus has a name."""
    from shared.contracts.messages import Envelope, Message
    from shared.messaging.rabbit.topology import EXCHANGE, all_queues
    from shared.messaging.topology import HINTS, QUEUES

    return {
        "envelope": _fields(Envelope),
        "exchange": EXCHANGE,
        "hints": sorted(HINTS),
        "messages": {
            f"{message.type} version {message.version}": _fields(message)
            for message in Message.__subclasses__()
            if message.__module__ == Message.__module__  # a test may have made some of its own
        },
        "queues": {
            queue.name: {
                "at_the_broker": sorted(all_queues(queue)),
                "delivery_limit": queue.delivery_limit,
                "retry_delays": list(queue.retry_delays),
                "types": sorted(queue.types),
            }
            for queue in QUEUES
        },
    }


def _fields(model: Any) -> dict[str, Any]:
    fields: dict[str, Any] = model.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in field.items() if key not in ("title", "description")}
        for name, field in fields.items()
    }


def verdicts_csv() -> dict[str, str]:
    """Return the first lines of the tables of verdicts: the API's, and the command's."""
    from medvid.api import Verdict
    from medvid.cli.judge import _row
    from services.gateway.judging.models import VerdictPage, verdicts_csv

    served = verdicts_csv(VerdictPage(page=1, page_size=1, total=0, verdicts=[]))
    blank: dict[str, Any] = dict.fromkeys(Verdict.model_fields) | {
        "metrics": [],
        "sources": [],
        "scores": None,
    }
    return {
        "GET /api/v1/submissions/{id}/verdicts?format=csv": served.splitlines()[0],
        "medvid verdicts": ",".join(_row(Verdict.model_construct(**blank))),
    }


def running_gateway(database: Any, **settings: Any) -> AbstractAsyncContextManager[Any]:
    """Run a gateway, as the acceptance tests do."""
    from tests.acceptance.gateway_harness import running_gateway as running

    return running(database, load=False, **settings)


def operations_server() -> AbstractAsyncContextManager[int]:
    """Run the small server that every service has beside its work."""
    from shared.runtime.ops import Readiness, ops_server

    return ops_server(Readiness({}), host="127.0.0.1", port=0)


if __name__ == "__main__":
    os.cpu_count = lambda: _PROCESSORS
    made = _service(sys.argv[2]) if sys.argv[1] == "service" else _commands()
    sys.stdout.write(json.dumps(made))
