"""Every overlay renders, is valid for Kubernetes, and keeps every policy."""

from __future__ import annotations

import re
from collections.abc import Callable

import kubernetes_validate
import pytest

from tests.deploy import code_policies, door_policies, network_policies, pod_policies
from tests.deploy.manifests import INSTALLATIONS, K8S, ROOT, Manifests, changed, render

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


def test_a_mirror_reaches_every_image_and_its_secret_every_pod() -> None:
    """By the blocks of the operations page."""
    page = (ROOT / "docs" / "operations.md").read_text()
    blocks = re.findall(r"```yaml\n(images:.*?)(patches:.*?)```", page, re.DOTALL)
    ((images, patches),) = blocks
    manifests = changed(("images:\n", images), ("replacements:\n", f"{patches}replacements:\n"))
    found = [
        *(each["image"] for pod in manifests.pods() for each in pod.containers),
        *(cluster["spec"]["imageName"] for cluster in manifests.of("Cluster")),
        *(cluster["spec"]["image"] for cluster in manifests.of("RabbitmqCluster")),
    ]
    assert len(found) > 8
    assert {image.partition("/")[0] for image in found} == {"registry.example.org"}
    for account in manifests.of("ServiceAccount"):
        assert account["imagePullSecrets"] == [{"name": "registry"}]


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
