"""Where manifests and code meet: settings, ports, queues, times, connections, secrets."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePath
from typing import Any, Final

import yaml

from services.gateway.settings import GatewaySettings
from services.gateway.web.addresses import parse_networks
from services.judge.settings import JudgeSettings
from services.judge.sizing import USUAL_PAIRS
from services.ranker.settings import RankerSettings
from services.scorer.settings import ScorerSettings
from services.standalone import StandaloneSettings
from shared.messaging.topology import JUDGE_BATCHES, QUEUES
from shared.runtime.errors import Misconfigured
from shared.runtime.listening import EVERYWHERE
from shared.runtime.ops import Readiness, ops_routes
from shared.runtime.settings import CommonSettings, load_settings
from tests.deploy.manifests import K8S, SERVICES, Manifests, Pod

SETTINGS: Final[dict[str, type[CommonSettings]]] = {
    "gateway": GatewaySettings,
    "scorer": ScorerSettings,
    "judge": JudgeSettings,
    "ranker": RankerSettings,
}
# A service stops its queues one after the other, each with the whole time to drain.
DRAINS: Final = {
    service: max(1, sum(queue.name.startswith(f"{service}.") for queue in QUEUES))
    for service in SERVICES
}
CLOSING_SECONDS: Final = 15  # workers, bus and pool, after the drains
_SEED: Final = "MEDVID_SIGNING_KEY"
_STATEMENT_SECONDS: Final = 60  # what the pool gives a statement: the longest step of the ranker
# Postgres keeps 3 for superusers; the migration, a CronJob and an operator's shell need some.
_RESERVED_CONNECTIONS: Final = 15
_FILES: Final = Path(tempfile.mkdtemp())
_GIB: Final = 1 << 30
_MIB: Final = 1 << 20


def settings_of(manifests: Manifests, service: str) -> Any:
    """Return a service's settings as its container would read them."""
    (container,) = manifests.pod(service).containers
    values = manifests.values(container)
    values |= dict.fromkeys(manifests.secrets(container), "amqp://from-a-secret")
    if _SEED in values:
        values[_SEED] = "5e" * 32
    files = manifests.mounted(service)
    with environment({name: _written(value, files) for name, value in values.items()}):
        return load_settings(SETTINGS[service])


def _written(value: str, files: Mapping[str, str]) -> str:
    """Return where a mounted file that a setting names is on this machine; else the setting."""
    if value not in files:
        return value
    folder = _FILES / sha256(files[value].encode()).hexdigest()
    folder.mkdir(exist_ok=True)
    path = folder / PurePath(value).name
    path.write_text(files[value])
    return str(path)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("MEDVID_")]:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


_READ_BY_OTHERS: Final = {
    "PGSSLMODE", "PGSSLROOTCERT",  # what speaks with Postgres
    "RABBITMQ_USER", "RABBITMQ_PASSWORD",  # the URL that they become part of
}  # fmt: skip


def variables_are_settings(manifests: Manifests) -> list[str]:
    """Every variable is known to who gets it, and every value is a valid one."""
    problems = []
    for pod in manifests.our_pods():
        for container in pod.containers:
            known = names(SETTINGS[pod.service]) if pod.service else names(StandaloneSettings)
            given = {*manifests.values(container), *manifests.secrets(container)}
            unknown = sorted(given - known - _READ_BY_OTHERS)
            problems += [f"{pod.owner}: {name} is no setting" for name in unknown]
    for service in SERVICES:
        try:
            settings_of(manifests, service)
        except Misconfigured as error:
            problems.append(f"{service}: {error}")
    return problems


def names(settings: type[CommonSettings]) -> set[str]:
    return {f"MEDVID_{name.upper()}" for name in settings.model_fields}


def secrets_have_templates(manifests: Manifests) -> list[str]:
    """Every secret that is read has a template with that key, and no template has a value."""
    documents = yaml.safe_load_all((K8S / "secrets" / "templates.yaml").read_text())
    templates = {document["metadata"]["name"]: document["stringData"] for document in documents}
    problems = [
        f"secret {name} has a value for {key}"
        for name, data in templates.items()
        for key, value in (data or {}).items()
        if value
    ]
    problems += [
        f"secret {name} has no template"
        for name in sorted(_whole_secrets_read(manifests) - templates.keys())
    ]
    problems += [f"Secret/{s['metadata']['name']} is rendered" for s in manifests.of("Secret")]
    for name, key in _secrets_read(manifests):
        if key not in templates.get(name, {}):
            problems.append(f"secret {name} has no template with the key {key}")
    return problems


def _whole_secrets_read(manifests: Manifests) -> set[str]:
    return {
        source["secretRef"]["name"]
        for pod in manifests.pods()
        for container in pod.containers
        for source in container.get("envFrom", [])
        if "secretRef" in source
    }


def _secrets_read(manifests: Manifests) -> set[tuple[str, str]]:
    read = {
        reference
        for pod in manifests.pods()
        for container in pod.containers
        for reference in manifests.secrets(container).values()
    }
    for authentication in manifests.of("TriggerAuthentication"):
        read |= {(r["name"], r["key"]) for r in authentication["spec"]["secretTargetRef"]}
    for store in manifests.of("ObjectStore"):
        read |= {
            (r["name"], r["key"]) for r in store["spec"]["configuration"]["s3Credentials"].values()
        }
    return read


_OF_SECRETS: Final = re.compile(r"//\$\(\w+\):\$\(\w+\)@")
"""A URL whose user and password are variables, which come from secrets in their turn."""


def secret_settings_come_from_secrets(manifests: Manifests) -> list[str]:
    secret = {
        "MEDVID_DATABASE_URL",
        "MEDVID_RABBITMQ_URL",
        "MEDVID_ADMIN_KEY",
        "MEDVID_JUDGE_API_KEY",
    }
    return [
        f"{pod.owner}: {name} is written out"
        for pod in manifests.our_pods()
        for container in pod.containers
        for name, value in sorted(manifests.values(container).items())
        if name in secret and not _OF_SECRETS.search(value)
    ]


def keys_go_to_who_needs_them(manifests: Manifests) -> list[str]:
    """The judge alone holds the provider's key, the gateway alone the administrators'."""
    holders = {"MEDVID_JUDGE_API_KEY": "judge", "MEDVID_ADMIN_KEY": "gateway"}
    problems = []
    for variable, holder in holders.items():
        found = {
            pod.name
            for pod in manifests.our_pods()
            for container in pod.containers
            if variable in manifests.secrets(container)
        }
        # A file's keys are in a secret of their own, and the single judge's is nobody's then.
        if found != {f"medvid-{holder}"} and not (not found and _reads_files(manifests, holder)):
            problems.append(f"{variable} goes to {sorted(found)}")
    return problems


def _reads_files(manifests: Manifests, service: str) -> bool:
    holders = [
        pod.name
        for pod in manifests.our_pods()
        for container in pod.containers
        if any("secretRef" in source for source in container.get("envFrom", []))
    ]
    return f"medvid-{service}" in holders


def ports_are_served(manifests: Manifests) -> list[str]:
    """Container ports are those that the settings make the code listen on, on all addresses."""
    problems = []
    for service in SERVICES:
        settings = settings_of(manifests, service)
        expected = {"ops": settings.ops_port}
        hosts = [settings.ops_host]
        if service == "gateway":
            expected["http"] = settings.port
            hosts.append(settings.host)
        (container,) = manifests.pod(service).containers
        found = {port["name"]: port["containerPort"] for port in container["ports"]}
        if found != expected:
            problems.append(f"{service} opens {found} and serves {expected}")
        if set(hosts) != {EVERYWHERE}:  # a pod's own addresses, fenced by its policies
            problems.append(f"{service} serves on {hosts}")
    return problems + _unserved(manifests)


def _unserved(manifests: Manifests) -> list[str]:
    """Services lead to ports that are there."""
    problems = []
    for service in manifests.of("Service"):
        name = service["metadata"]["name"]
        wanted = service["spec"]["selector"]
        open_ports = {
            port["name"]
            for pod in manifests.pods()
            if wanted.items() <= pod.labels.items()
            for port in pod.containers[0].get("ports", [])
        }
        problems += [
            f"Service/{name} leads to port {port['targetPort']}, which is not there"
            for port in service["spec"]["ports"]
            if port["targetPort"] not in open_ports
        ]
    return problems


def figures_are_not_public(manifests: Manifests) -> list[str]:
    """The gateway shows figures on its public port only where they have no port of their own."""
    settings = settings_of(manifests, "gateway")
    public = ops_routes(Readiness(), metrics=not settings.ops_port)
    return ["anybody reads /metrics"] if "/metrics" in {route.path for route in public} else []


def commands_start(manifests: Manifests) -> list[str]:
    """A container runs a module of ours, or a command that `medvid` has."""
    problems = []
    for pod in manifests.our_pods():
        for container in pod.containers:
            named = container["image"].partition("@")[0].rpartition("/")[2]
            if named.partition(":")[0] != "medvid":
                problems.append(f"{pod.owner} runs {container['image']}")
            if not starts(container["args"]):
                problems.append(f"{pod.owner}: there is no {' '.join(container['args'])}")
    return problems


def starts(args: list[str]) -> bool:
    """Tell whether these arguments run a service or commands that `medvid admin` has."""
    if args[:2] == ["python", "-m"]:
        return args[2] in {f"services.{service}" for service in SERVICES} and bool(
            importlib.util.find_spec(f"{args[2]}.__main__")
        )
    called = set(re.findall(r"\bmedvid admin ([a-z-]+)", " ".join(args)))
    return bool(called) and called <= admin_commands()


def admin_commands() -> set[str]:
    """Return the names of the commands below `medvid admin`."""
    import typer.main

    from medvid.cli.main import app

    command = typer.main.get_command(app)
    return set(command.commands["admin"].commands)  # type: ignore[attr-defined]


def time_to_finish_is_given(manifests: Manifests) -> list[str]:
    """Drain is above the longest piece of work, grace above preStop, all drains and the closing."""
    problems = []
    for service in SERVICES:
        settings = settings_of(manifests, service)
        needed_once = longest(service, settings)
        pod = manifests.pod(service)
        if settings.drain_seconds < needed_once:
            problems.append(
                f"{service} drains {settings.drain_seconds:g} s, its work takes {needed_once:g} s"
            )
        needed = _pre_stop(pod) + DRAINS[service] * settings.drain_seconds + CLOSING_SECONDS
        grace = pod.spec.get("terminationGracePeriodSeconds", 30)
        if grace < needed:
            problems.append(f"{service} is killed after {grace} s and needs {needed:g} s")
    if _pre_stop(manifests.pod("gateway")) < 5:
        problems.append("the gateway ends before the ingress knows")
    return problems


def longest(service: str, settings: Any) -> float:
    if service == "gateway":
        return float(settings.upload_seconds + settings.validation_seconds)
    if service == "scorer":
        return float(settings.scorer_seconds)
    if service == "judge":
        return float(max(settings.judge_timeout_seconds, settings.judge_planning_seconds))
    return _STATEMENT_SECONDS


def _pre_stop(pod: Pod) -> int:
    hook = pod.containers[0].get("lifecycle", {}).get("preStop", {})
    return int(hook.get("sleep", {}).get("seconds", 0))


def startup_is_waited_for(manifests: Manifests) -> list[str]:
    """A start waits for database, schema and broker in turn before the process gives up itself."""
    problems = []
    for service in SERVICES:
        settings = settings_of(manifests, service)
        probe = manifests.pod(service).containers[0]["startupProbe"]
        seconds = probe["periodSeconds"] * probe["failureThreshold"]
        if seconds < 3 * settings.startup_seconds:
            problems.append(f"{service} is killed after {seconds} s of starting")
    return problems


def proxies_are_the_clusters_own(manifests: Manifests) -> list[str]:
    """Else clients of a wide private network could name any address as their own."""
    trusted = parse_networks(settings_of(manifests, "gateway").trusted_proxies)
    problems = [
        f"{network} is wider than pods' networks"
        for network in trusted
        if network.prefixlen < (16 if network.version == 4 else 8) or network.is_global
    ]
    return problems if trusted else ["no proxy is trusted: all clients share one quota"]


def uploads_fit_the_disk(manifests: Manifests) -> list[str]:
    settings = settings_of(manifests, "gateway")
    needed = settings.upload_concurrency * settings.upload_bytes
    pod = manifests.pod("gateway")
    room = min(
        *(_bytes(v["emptyDir"]["sizeLimit"]) for v in pod.spec["volumes"] if "emptyDir" in v),
        _bytes(pod.containers[0]["resources"]["limits"]["ephemeral-storage"]),
    )
    return [] if needed <= room else [f"uploads take up to {needed} bytes of {room}"]


def _bytes(quantity: str) -> int:
    units = {"Gi": _GIB, "Mi": _MIB}
    return int(quantity[:-2]) * units[quantity[-2:]]


def replicas_most(manifests: Manifests, service: str) -> int:
    """Return how many replicas a service may come to have, one more during a rollout."""
    name = f"medvid-{service}"
    for kind, key in (
        ("HorizontalPodAutoscaler", "maxReplicas"),
        ("ScaledObject", "maxReplicaCount"),
    ):
        for scaler in manifests.of(kind):
            if scaler["spec"]["scaleTargetRef"]["name"] == name:
                return int(scaler["spec"][key]) + 1
    return int(manifests.get("Deployment", name)["spec"].get("replicas", 1)) + 1


def connections_suffice(manifests: Manifests) -> list[str]:
    """All pools of all replicas fit into what Postgres allows."""
    used = sum(
        replicas_most(manifests, service) * settings_of(manifests, service).database_pool_size
        for service in SERVICES
    )
    for cluster in manifests.of("Cluster"):
        allowed = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
        if used > allowed - _RESERVED_CONNECTIONS:
            return [f"the pools may hold {used} connections, Postgres has {allowed}"]
    return []


def scalers_know_the_queues(manifests: Manifests) -> list[str]:
    """Queues in the scalers are queues in the code, and those of the service that is scaled."""
    consumed = {
        f"medvid-{service}": {q.name for q in QUEUES if q.name.startswith(f"{service}.")}
        for service in SERVICES
    }
    consumed["medvid-judge"].remove(JUDGE_BATCHES.name)  # which holds what judges are there for
    problems = []
    for scaler in manifests.of("ScaledObject"):
        spec = scaler["spec"]
        target = spec["scaleTargetRef"]["name"]
        rabbit = [t["metadata"] for t in spec["triggers"] if t["type"] == "rabbitmq"]
        if {metadata["queueName"] for metadata in rabbit} != consumed[target]:
            problems.append(f"{target} is scaled by {rabbit}")
        problems += [
            f"{target}: protocol {m['protocol']}" for m in rabbit if m["protocol"] != "http"
        ]
        if "fallback" not in spec:
            problems.append(f"{target} has no fallback")
        unfinished = [t for t in spec["triggers"] if t["type"] == "postgresql"]
        if spec["minReplicaCount"] == 0 and not unfinished:
            problems.append(f"{target} may sleep while work waits in the database")
    return problems


def the_judge_can_grow_to_its_limit(manifests: Manifests) -> list[str]:
    """No limit of the operator's keeps judges idle, and what is left to do asks for them."""
    settings = settings_of(manifests, "judge")
    most = replicas_most(manifests, "judge") - 1
    problems = []
    pairs = (settings.judge_window_batches or math.inf) * (
        settings.judge_batch_pairs or USUAL_PAIRS
    )
    if pairs < 2 * most * settings.judge_concurrency:
        problems.append(f"a window of {pairs:g} pairs feeds fewer than {most} judges")
    for scaler in manifests.of("ScaledObject"):
        queries = [t["metadata"].get("query", "") for t in scaler["spec"]["triggers"]]
        if scaler["spec"]["scaleTargetRef"]["name"] == "medvid-judge" and not any(
            "medvid_judge_backlog_seconds" in query for query in queries
        ):
            problems.append("no trigger asks what is left to judge")
    return problems


def jobs_can_be_replaced(manifests: Manifests) -> list[str]:
    """A Job cannot be changed: what applies manifests by itself is told to make it anew.

    One that vanished by itself would be made again, day after day.
    """
    wanted = {
        "argocd.argoproj.io/sync-options": "Force=true,Replace=true",
        "kustomize.toolkit.fluxcd.io/force": "enabled",
    }
    problems = []
    for job in manifests.of("Job"):
        name = job["metadata"]["name"]
        if not wanted.items() <= job["metadata"].get("annotations", {}).items():
            problems.append(f"Job/{name} makes half an upgrade")
        if "ttlSecondsAfterFinished" in job["spec"]:
            problems.append(f"Job/{name} vanishes")
    return problems


def scaled_deployments_leave_replicas_alone(manifests: Manifests) -> list[str]:
    """Else every 'kubectl apply' would undo what the scaler decided."""
    scalers = [*manifests.of("HorizontalPodAutoscaler"), *manifests.of("ScaledObject")]
    problems = []
    for scaler in scalers:
        name = scaler["spec"]["scaleTargetRef"]["name"]
        if "replicas" in manifests.get("Deployment", name)["spec"]:
            problems.append(f"Deployment/{name} sets replicas beside its scaler")
    return problems


POLICIES = (
    variables_are_settings,
    secrets_have_templates,
    secret_settings_come_from_secrets,
    keys_go_to_who_needs_them,
    ports_are_served,
    figures_are_not_public,
    commands_start,
    time_to_finish_is_given,
    startup_is_waited_for,
    proxies_are_the_clusters_own,
    uploads_fit_the_disk,
    connections_suffice,
    scalers_know_the_queues,
    the_judge_can_grow_to_its_limit,
    jobs_can_be_replaced,
    scaled_deployments_leave_replicas_alone,
)
