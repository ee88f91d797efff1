"""Every overlay renders, is valid for Kubernetes, and keeps every policy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache

import kubernetes_validate
import pytest

from services.gateway.tracks.configuration import read_tracks
from services.judge.members import members_of
from services.judge.pool_file import pool_of
from tests.deploy import code_policies, door_policies, network_policies, pod_policies
from tests.deploy.manifests import (
    DOORS,
    INSTALLATIONS,
    K8S,
    OTHER_NAMESPACE,
    ROOT,
    Manifests,
    changed,
    is_custom,
    render,
)
from tests.deploy.test_alerts import without_namespace
from tests.depth import deep

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


@pytest.mark.parametrize("version", [pytest.param(VERSIONS[0], marks=deep), VERSIONS[1]])
@pytest.mark.parametrize("overlay", INSTALLATIONS)
def test_core_kinds_are_valid(overlay: str, version: str) -> None:
    for resource in render(overlay).resources:
        if not is_custom(resource["apiVersion"]):
            _validate(json.dumps(resource), version)


@cache
def _validate(resource: str, version: str) -> None:
    """Validate what most installations have alike once: it takes a tenth of a second."""
    kubernetes_validate.validate(json.loads(resource), version, strict=True)


def test_an_unknown_field_is_found() -> None:
    deployment = render("local").get("Deployment", "medvid-judge")
    deployment["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessprobe"):
        kubernetes_validate.validate(deployment, VERSIONS[1], strict=True)


@pytest.mark.parametrize("overlay", INSTALLATIONS)
def test_everything_is_in_the_namespace(overlay: str) -> None:
    manifests = render(overlay)
    expected = OTHER_NAMESPACE if "another namespace" in overlay else "medvid"
    for resource in manifests.resources:
        if resource["kind"] == "Namespace":
            assert resource["metadata"]["name"] == expected
        else:
            assert resource["metadata"]["namespace"] == expected, resource["metadata"]["name"]


def test_another_namespace_is_one_line() -> None:
    """Its alerts, scalers and addresses speak of it alone, so two installations stay apart."""
    manifests = render("production with another namespace")
    (rules,) = manifests.of("PrometheusRule")
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"]]
    assert {rule["labels"]["namespace"] for rule in alerts} == {OTHER_NAMESPACE}
    texts = [rule["expr"] for rule in alerts]
    triggers = [t for each in manifests.of("ScaledObject") for t in each["spec"]["triggers"]]
    texts += [t["metadata"]["query"] for t in triggers if t["type"] == "prometheus"]
    for text in texts:
        assert without_namespace(text, OTHER_NAMESPACE) == set(), text
        assert 'namespace="medvid"' not in text, text
    hosts = [t["metadata"]["host"] for t in triggers if "host" in t["metadata"]]
    assert len(hosts) == 5
    assert all(f".{OTHER_NAMESPACE}.svc" in host for host in hosts)
    assert ".medvid.svc" not in json.dumps(manifests.resources)
    page = (ROOT / "docs" / "operations.md").read_text()
    assert "namespace: staging" in page


def test_a_port_and_a_path_of_the_address_are_no_part_of_the_host() -> None:
    for door in DOORS:
        manifests = changed(
            ("routes/gateway-api", f"routes/{door}"),
            files={
                "gateway.env": "MEDVID_PUBLIC_URL=https://board.example.org:8443/medvid\n"
                "MEDVID_TRUSTED_PROXIES=10.244.0.0/16\n"
            },
        )
        hosts = [
            *(host for route in manifests.of("HTTPRoute") for host in route["spec"]["hostnames"]),
            *(rule["host"] for each in manifests.of("Ingress") for rule in each["spec"]["rules"]),
            *(each["hostname"] for g in manifests.of("Gateway") for each in g["spec"]["listeners"]),
        ]
        assert set(hosts) == {"board.example.org"}, door


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


POOL = """
[[endpoint]]
name = "eu"
base_url = "https://eu.example.org/v1"
api_key_env = "KEY_EU"

[[endpoint]]
name = "us"
base_url = "https://us.example.org/v1"
"""
PANEL = """
[[judge]]
provider = "openai"
model = "gpt-6-luna"
api_key_env = "KEY_EU"
price = { input = 1, output = 2 }

[[judge]]
provider = "stub"
"""


@pytest.mark.parametrize(
    ("file", "content", "variables"),
    [
        ("pool.toml", POOL, "MEDVID_JUDGE_PROVIDER=openai\nMEDVID_JUDGE_MODEL=m\n"
         "MEDVID_JUDGE_CONCURRENCY=8\nMEDVID_JUDGE_POOL=/etc/medvid/pool.toml\n"),
        ("judges.toml", PANEL, "MEDVID_JUDGE_MONTH_CAP_USD=400\n"
         "MEDVID_JUDGES=/etc/medvid/judges.toml\n"),
    ],
)  # fmt: skip
def test_a_judge_with_a_file_and_challenges_keep_every_policy(
    file: str, content: str, variables: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the block of the operations page."""
    monkeypatch.setenv("KEY_EU", "a key")
    page = (ROOT / "docs" / "operations.md").read_text()
    ((components, generated),) = re.findall(
        r"```yaml\ncomponents:\n([^`]*judge-files.*?)configMapGenerator:\n(.*?)```", page, re.DOTALL
    )
    manifests = changed(
        ("components:\n", f"components:\n{components}"),
        ("configMapGenerator:\n", f"configMapGenerator:\n{generated.replace('pool.toml', file)}"),
        files={
            file: content,
            "judge.env": variables,
            "challenges.toml": (ROOT / "deploy" / "challenges.toml").read_text(),
        },
    )
    for policy in POLICIES:
        assert policy(manifests) == [], policy.__name__
    for resource in manifests.resources:
        if not is_custom(resource["apiVersion"]):
            kubernetes_validate.validate(resource, VERSIONS[0], strict=True)
    (judge,) = manifests.pod("judge").containers
    assert {"secretRef": {"name": "medvid-judge-keys", "optional": True}} in judge["envFrom"]
    assert "MEDVID_JUDGE_API_KEY" not in manifests.secrets(judge)
    settings = code_policies.settings_of(manifests, "judge")
    assert len(pool_of(settings)) == 2 or len(members_of(settings).judges) == 2
    assert read_tracks(code_policies.settings_of(manifests, "gateway").challenges)


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
