"""Every overlay renders, is valid for Kubernetes, and keeps every policy."""

from __future__ import annotations

from collections.abc import Callable

import kubernetes_validate
import pytest

from tests.deploy import code_policies, door_policies, network_policies, pod_policies
from tests.deploy.manifests import INSTALLATIONS, K8S, Manifests, render

POLICIES = (
    *pod_policies.POLICIES,
    *network_policies.POLICIES,
    *code_policies.POLICIES,
    *door_policies.POLICIES,
)
# The oldest that has a preStop sleep, and the newest that is known.
VERSIONS = ("1.30.0", f"{kubernetes_validate.latest_version()}.0")
Policy = Callable[[Manifests], list[str]]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
@pytest.mark.parametrize("overlay", INSTALLATIONS)
def test_policy(overlay: str, policy: Policy) -> None:
    assert policy(render(overlay)) == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", INSTALLATIONS)
def test_core_kinds_are_valid(overlay: str, version: str) -> None:
    for resource in render(overlay).resources:
        if not is_custom(resource["apiVersion"]):
            kubernetes_validate.validate(resource, version, strict=True)


def test_an_unknown_field_is_found() -> None:
    deployment = render("local").get("Deployment", "medvid-judge")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessprobe"):
        kubernetes_validate.validate(deployment, VERSIONS[1], strict=True)


@pytest.mark.parametrize("overlay", INSTALLATIONS)
def test_everything_is_in_the_namespace(overlay: str) -> None:
    for resource in render(overlay).resources:
        if resource["kind"] != "Namespace":
            assert resource["metadata"]["namespace"] == "medvid", resource["metadata"]["name"]


def test_every_file_is_used() -> None:
    """A manifest that no kustomization lists would be dead text that looks alive."""
    listed = {
        (path.parent / word.strip("- []").split(": ")[-1]).resolve()
        for path in K8S.rglob("kustomization.yaml")
        for line in path.read_text().splitlines()
        for word in [*line.split(","), line.partition("[")[2].rstrip("]")]
    }
    files = {path for path in K8S.rglob("*.*") if path.name != "kustomization.yaml"}
    apart = {K8S / "secrets" / "templates.yaml", K8S / "secrets" / "README.md"}
    assert files - apart <= listed


def is_custom(api_version: str) -> bool:
    group = api_version.partition("/")[0]
    return group == "gateway.networking.k8s.io" or ("." in group and not group.endswith(".k8s.io"))
