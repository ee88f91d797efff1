"""The operators' resources: their form, how they refer to one another, and what they ask us."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema
import pytest

from tests.deploy.custom_kinds import SCHEMAS
from tests.deploy.manifests import INSTALLATIONS, Resource, is_custom, render


def _custom(overlay: str) -> list[Resource]:
    return [r for r in render(overlay).resources if is_custom(r["apiVersion"])]


def _check(resource: Resource) -> None:
    _validate(resource["apiVersion"], resource["kind"], json.dumps(resource["spec"]))


@cache
def _validate(version: str, kind: str, spec: str) -> None:
    """Validate what most installations have alike once."""
    _validator(version, kind).validate(json.loads(spec))


@cache
def _validator(version: str, kind: str) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[version, kind])
    return jsonschema.Draft202012Validator(SCHEMAS[version, kind])


@pytest.mark.parametrize("overlay", INSTALLATIONS)
def test_custom_kinds_are_valid(overlay: str) -> None:
    for resource in _custom(overlay):
        _check(resource)


def test_production_has_every_known_kind() -> None:
    assert {(r["apiVersion"], r["kind"]) for r in _custom("production")} == SCHEMAS.keys()


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("ScaledObject", "medvid-judge", {"minReplicas": 0}),
        ("ScaledObject", "medvid-judge", {"maxReplicaCount": "10"}),
        ("Cluster", "medvid-postgres", {"replicas": 3}),
        ("Cluster", "medvid-postgres", {"instances": "3"}),
        ("ScheduledBackup", "medvid-postgres", {"schedule": "0 1 * * *"}),
        ("RabbitmqCluster", "medvid-rabbitmq", {"plugins": []}),
        ("ObjectStore", "medvid-backups", {"retentionPolicy": "30 days"}),
        ("PrometheusRule", "medvid", {"groups": []}),
        ("HTTPRoute", "medvid", {"timeouts": {"request": "370s"}}),
        ("Gateway", "medvid", {"gatewayClass": "envoy"}),
    ],
)
def test_a_wrong_field_is_found(kind: str, name: str, change: dict[str, Any]) -> None:
    resource = render("production").get(kind, name)
    resource["spec"] |= change
    with pytest.raises(jsonschema.ValidationError):
        _check(resource)


def test_references_lead_somewhere() -> None:
    manifests = render("production")
    names = {(resource["kind"], resource["metadata"]["name"]) for resource in manifests.resources}
    for scaler in manifests.of("ScaledObject"):
        assert ("Deployment", scaler["spec"]["scaleTargetRef"]["name"]) in names
        for trigger in scaler["spec"]["triggers"]:
            if trigger["type"] != "prometheus":
                assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in names
    for plugin in manifests.get("Cluster", "medvid-postgres")["spec"]["plugins"]:
        assert ("ObjectStore", plugin["parameters"]["barmanObjectName"]) in names
    for backup in manifests.of("ScheduledBackup"):
        assert ("Cluster", backup["spec"]["cluster"]["name"]) in names


def test_engines_survive_a_lost_node() -> None:
    manifests = render("production")
    postgres = manifests.get("Cluster", "medvid-postgres")["spec"]
    assert postgres["instances"] == 3
    assert postgres["postgresql"]["synchronous"] == {
        "method": "any",
        "number": 1,
        "dataDurability": "required",
    }
    assert postgres["affinity"]["podAntiAffinityType"] == "required"
    rabbitmq = manifests.get("RabbitmqCluster", "medvid-rabbitmq")["spec"]
    assert rabbitmq["replicas"] == 3
    assert "default_queue_type = quorum" in rabbitmq["rabbitmq"]["additionalConfig"]


@pytest.mark.parametrize("overlay", ["production", "production with another namespace"])
def test_the_names_of_the_engines_are_those_that_the_scalers_call(overlay: str) -> None:
    """The operators name a cluster's Services after it."""
    manifests = render(overlay)
    (rabbitmq,) = manifests.of("RabbitmqCluster")
    (postgres,) = manifests.of("Cluster")
    for scaler in manifests.of("ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            host = trigger["metadata"].get("host")
            if trigger["type"] == "rabbitmq":
                assert (
                    host
                    == f"http://{rabbitmq['metadata']['name']}.{manifests.namespace}.svc:15672/"
                )
            elif trigger["type"] == "postgresql":
                assert host == f"{postgres['metadata']['name']}-rw.{manifests.namespace}.svc"
