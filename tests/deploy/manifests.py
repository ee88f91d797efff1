"""What kustomize makes of an overlay, and ways to look at it."""

from __future__ import annotations

import copy
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.patience import HANG_SECONDS

ROOT: Final = Path(__file__).parents[2]
K8S: Final = ROOT / "deploy" / "k8s"
OVERLAYS: Final = tuple(sorted(path.name for path in (K8S / "overlays").iterdir()))
DOORS: Final = tuple(sorted(path.name for path in (K8S / "routes").iterdir()))
"""What may stand before the gateways: production has one of them, the tests try each."""
SIGN_IN: Final = "sign-in"
OTHER_NAMESPACE: Final = "staging"
_VARIANTS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    **{each: [("routes/gateway-api", f"routes/{each}")] for each in DOORS},
    SIGN_IN: [("routes/gateway-api", "routes/gateway-api\n  - ../../sign-in")],
    # By the one line that the operations page names.
    "another namespace": [("namespace: medvid", f"namespace: {OTHER_NAMESPACE}")],
    "IPv6": [("routes/gateway-api", "routes/gateway-api\n  - ../../ipv6")],
    # Argo CD or Flux makes the namespace, and an image is what was tried, by its digest.
    "GitOps": [
        ("newTag: 0.1.0", f"digest: sha256:{'0' * 64}"),
        ("replacements:\n", "patches:\n  - {patch: '{apiVersion: v1, kind: Namespace, metadata: "
         "{name: medvid}, $patch: delete}'}\nreplacements:\n"),
    ],
}  # fmt: skip
INSTALLATIONS: Final = (*OVERLAYS, *(f"production with {each}" for each in _VARIANTS))
SERVICES: Final = ("gateway", "scorer", "judge", "ranker")
Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that some resource makes."""

    owner: str  # kind/name
    name: str  # of its resource
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def service(self) -> str | None:
        """Which of our services it runs; None for jobs and engines."""
        name = self.name.removeprefix("medvid-")
        return name if name in SERVICES and self.owner.startswith("Deployment/") else None

    @property
    def is_ours(self) -> bool:
        return self.labels.get("app.kubernetes.io/part-of") == "medvid"


class Manifests:
    """The resources of one overlay."""

    def __init__(self, resources: list[Resource]) -> None:
        self.resources = resources

    @property
    def namespace(self) -> str:
        """Where the services are."""
        return str(self.get("Deployment", "medvid-gateway")["metadata"]["namespace"])

    def copy(self) -> Manifests:
        return Manifests(copy.deepcopy(self.resources))

    def of(self, kind: str) -> list[Resource]:
        return [resource for resource in self.resources if resource["kind"] == kind]

    def get(self, kind: str, name: str) -> Resource:
        """Return a resource; ConfigMaps also by their name without the hash."""
        for resource in self.of(kind):
            found = resource["metadata"]["name"]
            if found == name or (kind == "ConfigMap" and found.rpartition("-")[0] == name):
                return resource
        raise KeyError(f"{kind}/{name}")

    def remove(self, kind: str, name: str) -> None:
        self.resources.remove(self.get(kind, name))

    def pods(self) -> Iterator[Pod]:
        for resource in self.resources:
            template = _template(resource)
            if template is not None:
                name = resource["metadata"]["name"]
                labels = template.get("metadata", {}).get("labels", {})
                yield Pod(f"{resource['kind']}/{name}", name, labels, template["spec"])

    def operators_pods(self) -> Iterator[Pod]:
        """Return what we change of pods that an operator makes."""
        for cluster in self.of("RabbitmqCluster"):
            name = cluster["metadata"]["name"]
            spec = cluster["spec"]["override"]["statefulSet"]["spec"]["template"]["spec"]
            yield Pod(f"RabbitmqCluster/{name}", name, {}, spec)

    def our_pods(self) -> list[Pod]:
        return [pod for pod in self.pods() if pod.is_ours]

    def pod(self, service: str) -> Pod:
        return next(pod for pod in self.pods() if pod.service == service)

    def values(self, container: dict[str, Any]) -> dict[str, str]:
        """Return the variables that a container gets as plain values."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", []):
            if "configMapRef" not in source:  # a secret's, whose values nobody knows here
                continue
            found |= self.get("ConfigMap", source["configMapRef"]["name"])["data"]
        for variable in container.get("env", []):
            if "value" in variable:
                found[variable["name"]] = variable["value"]
        return found

    def secrets(self, container: dict[str, Any]) -> dict[str, tuple[str, str]]:
        """Return the variables that come from secrets, with the secret's name and key."""
        return {
            variable["name"]: (reference["name"], reference["key"])
            for variable in container.get("env", [])
            if (reference := variable.get("valueFrom", {}).get("secretKeyRef"))
        }

    def mounted(self, service: str) -> dict[str, str]:
        """Return the files that a service gets from ConfigMaps, by their paths."""
        pod = self.pod(service)
        (container,) = pod.containers
        places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        return {
            f"{places[volume['name']]}/{name}": text
            for volume in pod.spec["volumes"]
            if "configMap" in volume
            for name, text in self.get("ConfigMap", volume["configMap"]["name"])["data"].items()
        }


def is_custom(api_version: str) -> bool:
    """Tell whether a kind is an operator's, not Kubernetes' own."""
    group = api_version.partition("/")[0]
    return group == "gateway.networking.k8s.io" or ("." in group and not group.endswith(".k8s.io"))


def _template(resource: Resource) -> dict[str, Any] | None:
    spec = resource.get("spec", {})
    if resource["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    if resource["kind"] in {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}:
        template: dict[str, Any] = spec["template"]
        return template
    return None


@contextmanager
def _changed(*changes: tuple[str, str], files: Mapping[str, str] | None = None) -> Iterator[Path]:
    """Copy the production overlay, as an operator does, change its kustomization, add files."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "overlay"
        shutil.copytree(K8S / "overlays" / "production", copied)
        file = copied / "kustomization.yaml"
        here = os.path.relpath(K8S, copied.resolve())
        text = file.read_text()
        for before, after in changes:
            assert before in text, before
            text = text.replace(before, after)
        file.write_text(text.replace("../../", f"{here}/"))
        for name, content in (files or {}).items():
            (copied / name).write_text(content)
        yield copied


@functools.cache
def _rendered(overlay: str) -> str:
    name, _, variant = overlay.partition(" with ")
    if not variant:
        return _kustomized(K8S / "overlays" / name)
    with _changed(*_VARIANTS[variant]) as folder:
        return _kustomized(folder)


def _kustomized(folder: Path) -> str:
    kubectl = shutil.which("kubectl")
    assert kubectl, "these tests need kubectl: './scripts/test deploy' installs it"
    done = subprocess.run(  # noqa: S603 - our own folders
        [kubectl, "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"kustomize warns: {done.stderr}"
    return done.stdout


@functools.cache
def _parsed(overlay: str) -> tuple[Resource, ...]:
    return tuple(yaml.load_all(_rendered(overlay), Loader=yaml.CSafeLoader))


def render(overlay: str) -> Manifests:
    """Return an overlay's resources, the caller's own to change."""
    return Manifests(copy.deepcopy(list(_parsed(overlay))))


def changed(*changes: tuple[str, str], files: Mapping[str, str] | None = None) -> Manifests:
    """Return what a copy of the production overlay makes, with parts of its text replaced."""
    with _changed(*changes, files=files) as folder:
        return Manifests(list(yaml.load_all(_kustomized(folder), Loader=yaml.CSafeLoader)))
