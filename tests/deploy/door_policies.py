"""The door before the gateways: it leads to them, has the site's name, lets their work through."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from tests.deploy.code_policies import settings_of
from tests.deploy.manifests import Manifests

_STREAM: Final = {"name": "Accept", "value": "text/event-stream"}
_TIMEOUT: Final = "haproxy.org/timeout-server"
_NO_DOOR: Final = "no-such-door"


def doors_lead_to_the_gateways(manifests: Manifests) -> list[str]:
    """What a route leads to is a port of a Service."""
    ports = {
        (service["metadata"]["name"], key)
        for service in manifests.of("Service")
        for port in service["spec"]["ports"]
        for key in (port["name"], port["port"])
    }
    found = [
        (path["backend"]["service"]["name"], *path["backend"]["service"]["port"].values())
        for ingress in manifests.of("Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    found += [
        (backend["name"], backend["port"])
        for rule in _rules(manifests)
        for backend in rule.get("backendRefs", [])
    ]
    return [f"a door leads to {each}, which is not there" for each in found if each not in ports]


def doors_have_the_sites_name(manifests: Manifests) -> list[str]:
    """The host, and that of the certificate, is the one that all links have."""
    public = urlsplit(settings_of(manifests, "gateway").public_url or "").hostname
    hosts = {
        host
        for ingress in manifests.of("Ingress")
        for host in (
            *(rule["host"] for rule in ingress["spec"]["rules"]),
            *(host for tls in ingress["spec"]["tls"] for host in tls["hosts"]),
        )
    }
    hosts |= {h for route in manifests.of("HTTPRoute") for h in route["spec"]["hostnames"]}
    hosts |= {
        listener["hostname"]
        for gateway in manifests.of("Gateway")
        for listener in gateway["spec"]["listeners"]
    }
    problems = [f"a door is for {host}, links are to {public}" for host in hosts - {public}]
    return problems if public else [*problems, "links have no host"]


def doors_give_uploads_their_time(manifests: Manifests) -> list[str]:
    """An upload comes in and is checked; a stream of events never ends."""
    settings = settings_of(manifests, "gateway")
    needed = settings.upload_seconds + settings.validation_seconds
    times = [
        (str(_STREAM in match.get("headers", [])), rule.get("timeouts", {}).get("request", "none"))
        for rule in _rules(manifests)
        if rule.get("backendRefs")
        for match in rule["matches"]
    ]
    problems = []
    if times and [kind for kind, _ in times] != ["True", "False"]:
        problems.append("streams and the rest have no rule each")
    for kind, text in times:
        seconds = float(text.removesuffix("s")) if text.endswith("s") else -1.0
        if (seconds != 0) if kind == "True" else (seconds < needed):
            problems.append(f"a route ends after {text}")
    for ingress in manifests.of("Ingress"):
        notes = ingress["metadata"]["annotations"]
        if ingress["spec"]["ingressClassName"] == "haproxy":
            seconds = float(notes.get(_TIMEOUT, "0s").removesuffix("s"))
            if seconds < needed:
                problems.append(f"the Ingress ends after {seconds:g} s")
    return problems


def only_the_door_reaches_the_gateways(manifests: Manifests) -> list[str]:
    """Where there is a door, its namespace is let in; without one nobody is."""
    has_door = bool(manifests.of("Ingress") or manifests.of("HTTPRoute"))
    problems = []
    for name in ("gateway-from-door", "certificate-challenge"):
        (rule,) = manifests.get("NetworkPolicy", name)["spec"]["ingress"]
        (source,) = rule["from"]
        (namespace,) = source["namespaceSelector"]["matchLabels"].values()
        if (namespace != _NO_DOOR) != has_door:
            problems.append(f"{name} lets {namespace} in")
    return problems


def _rules(manifests: Manifests) -> list[dict[str, Any]]:
    return [rule for route in manifests.of("HTTPRoute") for rule in route["spec"]["rules"]]


POLICIES = (
    doors_lead_to_the_gateways,
    doors_have_the_sites_name,
    doors_give_uploads_their_time,
    only_the_door_reaches_the_gateways,
)
