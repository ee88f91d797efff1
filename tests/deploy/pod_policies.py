"""What every pod must be: restricted, bounded, probed, spread, told apart. A policy returns what
breaks it, in words."""

from __future__ import annotations

from typing import Any

from shared.runtime.ops import Readiness, ops_routes
from tests.deploy.manifests import Manifests, Pod


def containers_are_restricted(manifests: Manifests) -> list[str]:
    """The restricted Pod Security standard, and a read-only root on top of it."""
    problems = []
    for pod in (*manifests.pods(), *manifests.operators_pods()):
        for container in pod.containers:
            missing = _unrestricted(pod, container)
            problems += [f"{pod.owner} {container['name']}: {what}" for what in missing]
    return problems


def _unrestricted(pod: Pod, container: dict[str, Any]) -> list[str]:
    above = pod.spec.get("securityContext", {})
    own = container.get("securityContext", {})
    both = above | own
    capabilities = own.get("capabilities", {})
    checks = {
        "may run as root": both.get("runAsNonRoot") is True and both.get("runAsUser") != 0,
        "has no seccomp profile": both.get("seccompProfile", {}).get("type") == "RuntimeDefault",
        "may gain privileges": own.get("allowPrivilegeEscalation") is False,
        "is privileged": not own.get("privileged"),
        "keeps capabilities": capabilities.get("drop") == ["ALL"] and not capabilities.get("add"),
        "may write to its root": own.get("readOnlyRootFilesystem") is True,
        "shares the node": not any(
            pod.spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")
        ),
        "mounts the node": not any("hostPath" in volume for volume in pod.spec.get("volumes", [])),
        "opens a port of the node": not any("hostPort" in p for p in container.get("ports", [])),
    }
    return [problem for problem, passes in checks.items() if not passes]


def namespace_enforces_restricted(manifests: Manifests) -> list[str]:
    """Where the manifests make it: where others do, they set the labels of the operations page."""
    problems = []
    for namespace in manifests.of("Namespace"):
        labels = namespace["metadata"].get("labels", {})
        enforced = labels.get("pod-security.kubernetes.io/enforce")
        if enforced != "restricted":
            problems.append(f"the namespace enforces {enforced}")
    return problems


def pods_hold_no_token(manifests: Manifests) -> list[str]:
    problems = [
        f"{pod.owner} mounts a token"
        for pod in manifests.pods()
        if pod.spec.get("automountServiceAccountToken") is not False
    ]
    accounts = {a["metadata"]["name"]: a for a in manifests.of("ServiceAccount")}
    for pod in manifests.our_pods():
        account = accounts.get(pod.spec.get("serviceAccountName", "default"))
        if account is None or account.get("automountServiceAccountToken") is not False:
            problems.append(f"{pod.owner} has no service account without a token")
    return problems


def pods_get_no_service_links(manifests: Manifests) -> list[str]:
    """A Service named medvid would set MEDVID_PORT=tcp://..., which no gateway can read."""
    return [
        f"{pod.owner} gets the namespace's Services as variables"
        for pod in manifests.pods()
        if pod.spec.get("enableServiceLinks") is not False
    ]


def containers_are_bounded(manifests: Manifests) -> list[str]:
    """Requests for both, a limit for memory; none for CPU, which would only slow what is there."""
    problems = []
    for pod in manifests.pods():
        for container in pod.containers:
            resources = container.get("resources", {})
            requests, limits = resources.get("requests", {}), resources.get("limits", {})
            if not {"cpu", "memory"} <= requests.keys() or "memory" not in limits:
                problems.append(f"{pod.owner} {container['name']}: resources are incomplete")
        problems += [
            f"{pod.owner}: emptyDir {volume['name']} has no size"
            for volume in pod.spec.get("volumes", [])
            if pod.is_ours and "sizeLimit" not in volume.get("emptyDir", {"sizeLimit": ""})
        ]
    return problems


def services_are_probed(manifests: Manifests) -> list[str]:
    """Liveness asks for the loop alone; a restart mends neither database nor broker.

    Who works off queues is ready when both answer. The gateway is when it serves: unready gateways
    would take boards and the status page from everybody while the database is away.
    """
    served = {route.path for route in ops_routes(Readiness())}
    problems = []
    for pod in manifests.pods():
        if pod.service is None:
            continue
        (container,) = pod.containers
        ports = {port["name"] for port in container["ports"]}
        asked = {
            "livenessProbe": ("/healthz", "ops"),
            "readinessProbe": ("/healthz", "http")
            if pod.service == "gateway"
            else ("/readyz", "ops"),
            "startupProbe": ("/healthz", "ops"),
        }
        for probe, (path, port) in asked.items():
            get = container.get(probe, {}).get("httpGet", {})
            if (get.get("path"), get.get("port")) != (path, port) or port not in ports:
                problems.append(f"{pod.owner}: {probe} does not ask {path} on port {port}")
            assert path in served
    return problems


def services_are_spread(manifests: Manifests) -> list[str]:
    problems = []
    for pod in manifests.pods():
        if pod.service is None:
            continue
        spread = pod.spec.get("topologySpreadConstraints", [])
        keys = {
            constraint["topologyKey"]
            for constraint in spread
            if constraint["labelSelector"]["matchLabels"].items() <= pod.labels.items()
        }
        if not {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} <= keys:
            problems.append(f"{pod.owner} is not spread over hosts and zones")
    return problems


def services_have_disruption_budgets(manifests: Manifests) -> list[str]:
    budgets = [
        budget["spec"]["selector"]["matchLabels"] for budget in manifests.of("PodDisruptionBudget")
    ]
    return [
        f"{pod.owner} has no disruption budget"
        for pod in manifests.pods()
        if pod.service and not any(labels.items() <= pod.labels.items() for labels in budgets)
    ]


def budgets_let_nodes_be_drained(manifests: Manifests) -> list[str]:
    """With a minimum instead, a single replica would hold its node forever."""
    return [
        f"PodDisruptionBudget/{budget['metadata']['name']} may block a node"
        for budget in manifests.of("PodDisruptionBudget")
        if budget["spec"].get("maxUnavailable") != 1
    ]


def selectors_find_their_pods(manifests: Manifests) -> list[str]:
    labels = [pod.labels for pod in manifests.pods()]
    problems = []
    for kind in ("Deployment", "StatefulSet", "Service"):
        for resource in manifests.of(kind):
            selector = resource["spec"]["selector"]
            wanted = selector if kind == "Service" else selector["matchLabels"]
            if not any(wanted.items() <= found.items() for found in labels):
                problems.append(f"{kind}/{resource['metadata']['name']} selects no pod")
    return problems


POLICIES = (
    containers_are_restricted,
    namespace_enforces_restricted,
    pods_hold_no_token,
    pods_get_no_service_links,
    containers_are_bounded,
    services_are_probed,
    services_are_spread,
    services_have_disruption_budgets,
    budgets_let_nodes_be_drained,
    selectors_find_their_pods,
)
