"""Who may talk to whom."""

from __future__ import annotations

from typing import Any, Final

from tests.deploy.manifests import Manifests, Pod, Resource

# The few ways out of the cluster, by the pods that have them.
_WAYS_OUT: Final = {
    "judge-to-provider": "medvid-judge",
    "gateway-to-webhooks": "medvid-gateway",
    "gateway-to-identity-providers": "medvid-gateway",
}
_INSIDE: Final = {
    "0.0.0.0/0": {
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    },
    "::/0": {"::1/128", "fc00::/7", "fe80::/10"},
}
"""The ways out of both kinds, each with the networks that it leaves out."""

_ON_THE_NODE: Final = {"169.254.20.10/32"}
"""Where NodeLocal DNSCache listens."""


def everything_is_denied_first(manifests: Manifests) -> list[str]:
    for policy in manifests.of("NetworkPolicy"):
        spec = policy["spec"]
        for_all = spec["podSelector"] == {} and set(spec["policyTypes"]) == {"Ingress", "Egress"}
        if for_all and not spec.get("ingress") and not spec.get("egress"):
            return []
    return ["no policy denies by default"]


def only_the_judge_and_webhooks_leave(manifests: Manifests) -> list[str]:
    """An address block opens a way out. Two of our pods have one: over TLS, and not inwards."""
    problems = []
    for policy, rule in _egress(manifests):
        name = policy["metadata"]["name"]
        ours = [pod for pod in manifests.our_pods() if _selects(policy["spec"]["podSelector"], pod)]
        if not ours or not _leaves(rule):
            continue
        if {pod.name for pod in ours} != {_WAYS_OUT.get(name)}:
            problems.append(f"{name} lets {', '.join(pod.name for pod in ours)} out")
        blocks = [target.get("ipBlock", {}) for target in rule.get("to", [{}])]
        if [block.get("cidr") for block in blocks] != list(_INSIDE):
            problems.append(f"{name} does not lead out by IPv4 and IPv6 alone")
        problems += [
            f"{name} reaches inner networks of {block.get('cidr')}"
            for block in blocks
            if not set(block.get("except", [])) >= _INSIDE.get(block.get("cidr"), {"none"})
        ]
        if [port["port"] for port in rule.get("ports", [])] != [443]:
            problems.append(f"{name} is not for TLS alone")
    return problems


def each_service_reaches_what_it_needs(manifests: Manifests) -> list[str]:
    """Postgres for all of ours, RabbitMQ for the services, names for everybody."""
    problems = []
    for pod in manifests.our_pods():
        needed = [53, 5432] + ([_broker_port(manifests)] if pod.service else [])
        reached = {
            port["port"]
            for policy, rule in _egress(manifests)
            if _selects(policy["spec"]["podSelector"], pod)
            for port in rule.get("ports", [])
        }
        problems += [f"{pod.owner} cannot reach port {p}" for p in needed if p not in reached]
    return problems


def _broker_port(manifests: Manifests) -> int:
    clusters = manifests.of("RabbitmqCluster")
    return 5671 if any("tls" in cluster["spec"] for cluster in clusters) else 5672


def engines_let_the_services_in(manifests: Manifests) -> list[str]:
    """Whoever may leave for an engine is let in by it on the same port."""
    problems = []
    broker = _broker_port(manifests)
    for port, label in ((5432, "cnpg.io/cluster"), (broker, "app.kubernetes.io/name")):
        value = "medvid-postgres" if port == 5432 else "medvid-rabbitmq"
        engine = {label: value}
        rules = [
            rule
            for policy in manifests.of("NetworkPolicy")
            if policy["spec"]["podSelector"].get("matchLabels") == engine
            for rule in policy["spec"].get("ingress", [])
            if port in [p["port"] for p in rule.get("ports", [])]
        ]
        for pod in manifests.our_pods():
            if port == broker and pod.service is None:
                continue
            if not any(_admits(rule, pod) for rule in rules):
                problems.append(f"{value} does not let {pod.owner} in")
    return problems


def nobody_is_open_to_all(manifests: Manifests) -> list[str]:
    return [
        f"{policy['metadata']['name']} lets anybody in"
        for policy in manifests.of("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        if not rule.get("from") or {} in rule["from"] or not rule.get("ports")
    ]


def every_service_has_a_policy(manifests: Manifests) -> list[str]:
    """Beyond the default: a pod that nothing may reach, and that reaches nothing, is forgotten."""
    named = [p for p in manifests.of("NetworkPolicy") if p["spec"]["podSelector"] != {}]
    return [
        f"{pod.owner} has no network policy of its own"
        for pod in manifests.our_pods()
        if not any(_selects(policy["spec"]["podSelector"], pod) for policy in named)
    ]


def _egress(manifests: Manifests) -> list[tuple[Resource, dict[str, Any]]]:
    return [
        (policy, rule)
        for policy in manifests.of("NetworkPolicy")
        for rule in policy["spec"].get("egress", [])
    ]


def _leaves(rule: dict[str, Any]) -> bool:
    blocks = [target["ipBlock"]["cidr"] for target in rule.get("to", []) if "ipBlock" in target]
    return "to" not in rule or any(cidr not in _ON_THE_NODE for cidr in blocks)


def _admits(rule: dict[str, Any], pod: Pod) -> bool:
    return any(
        _selects(source["podSelector"], pod) for source in rule["from"] if "podSelector" in source
    )


def _selects(selector: dict[str, Any], pod: Pod) -> bool:
    if not selector.get("matchLabels", {}).items() <= pod.labels.items():
        return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", "only In is used"
        if pod.labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


POLICIES = (
    everything_is_denied_first,
    only_the_judge_and_webhooks_leave,
    each_service_reaches_what_it_needs,
    engines_let_the_services_in,
    nobody_is_open_to_all,
    every_service_has_a_policy,
)
