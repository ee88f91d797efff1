"""The single host: the compose file is well formed, confined, and speaks of what is in the code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from services.standalone import StandaloneSettings
from tests.deploy import code_policies as code
from tests.deploy.alert_rules import PLAIN, plain, promtool
from tests.deploy.manifests import ROOT, SERVICES, render
from tests.patience import HANG_SECONDS

TEXT: Final = (ROOT / "deploy" / "compose.yaml").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(TEXT)
OURS: Final = (*SERVICES, "migrate", "backup", "check-backup", "prune")
MONITORING: Final = ("prometheus", "grafana")
_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
# The keys of the compose specification that are used here, with their types.
_SERVICE: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "networks", "mem_limit", "security_opt", "logging"],
    "properties": {
        "image": {"type": "string"},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "context": {"const": ".."},
                "dockerfile": {"const": "deploy/Dockerfile"},
                "args": {"type": "object"},
            },
        },
        "command": _TEXTS,
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "env_file": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path", "required"],
                "properties": {"path": {"type": "string"}, "required": {"const": False}},
            },
        },
        "user": {"type": "string"},
        "read_only": {"type": "boolean"},
        "cap_drop": _TEXTS,
        "security_opt": _TEXTS,
        "restart": {"const": "unless-stopped"},
        "networks": _TEXTS,
        "ports": _TEXTS,
        "volumes": _TEXTS,
        "tmpfs": _TEXTS,
        "profiles": _TEXTS,
        "hostname": {"type": "string"},
        "shm_size": {"type": "string", "pattern": r"^\d+[mg]$"},
        "mem_limit": {"type": "string", "pattern": r"^\d+[mg]$"},
        "stop_grace_period": {"type": "string", "pattern": r"^\d+s$"},
        "logging": {"type": "object", "required": ["driver", "options"]},
        "healthcheck": {"type": "object"},
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "condition": {
                        "enum": ["service_healthy", "service_completed_successfully"],
                    }
                },
            },
        },
    },
}
_SCHEMA: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "services"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string"},
        "services": {"type": "object", "additionalProperties": _SERVICE},
        "networks": {"type": "object"},
        "volumes": {"type": "object"},
    },
}


def interpolated(text: str, values: dict[str, str]) -> str:
    """Fill in ${NAME}, ${NAME:-default} and ${NAME:?message} as compose does."""

    def value(match: re.Match[str]) -> str:
        given = values.get(match["name"], "")
        if match["kind"] == ":?" and not given:
            raise KeyError(match["name"])
        return given or (match["rest"] if match["kind"] == ":-" else "")

    return re.sub(r"\$\{(?P<name>\w+)(?P<kind>:-|:\?)?(?P<rest>[^{}]*)\}", value, text)


def _service(name: str) -> dict[str, Any]:
    filled = interpolated(TEXT, {"POSTGRES_PASSWORD": "one", "RABBITMQ_PASSWORD": "two"})
    service: dict[str, Any] = yaml.safe_load(filled)["services"][name]
    return service


def _settings(name: str) -> Any:
    with code.environment(_service(name)["environment"]):
        return code.load_settings(code.SETTINGS[name])


def test_it_has_the_form_of_a_compose_file() -> None:
    jsonschema.validate(COMPOSE, _SCHEMA)
    assert set(COMPOSE["services"]) == {*OURS, "postgres", "rabbitmq", *MONITORING}
    for service in COMPOSE["services"].values():
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert set(service.get("depends_on", {})) <= COMPOSE["services"].keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            beside = source.startswith("./") and (ROOT / "deploy" / source).exists()
            assert beside or source in COMPOSE["volumes"]


def test_prometheus_reads_what_it_scrapes_and_the_same_alerts_as_on_kubernetes() -> None:
    folder = ROOT / "deploy" / "prometheus"
    assert promtool(folder, "check", "config", "prometheus.yml") == ""
    assert PLAIN.read_text() == plain(), "run: python -m tests.deploy.alert_rules"
    (job,) = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    assert set(job["dns_sd_configs"][0]["names"]) == set(SERVICES)
    for name in SERVICES:
        assert "engines" in COMPOSE["services"][name]["networks"]
    assert COMPOSE["services"]["prometheus"]["networks"] == ["engines"]


def test_a_wrong_key_is_found() -> None:
    broken = yaml.safe_load(TEXT)
    broken["services"]["judge"]["stop_grace"] = "10s"
    with pytest.raises(jsonschema.ValidationError, match="stop_grace"):
        jsonschema.validate(broken, _SCHEMA)


def test_passwords_must_be_given() -> None:
    with pytest.raises(KeyError, match="POSTGRES_PASSWORD"):
        interpolated(TEXT, {"RABBITMQ_PASSWORD": "two"})
    with pytest.raises(KeyError, match="RABBITMQ_PASSWORD"):
        interpolated(TEXT, {"POSTGRES_PASSWORD": "one"})


@pytest.mark.parametrize("name", OURS)
def test_ours_are_confined(name: str) -> None:
    service = _service(name)
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["user"] == "10001:10001"
    assert service["tmpfs"]
    assert service["image"] == "medvid:local"


@pytest.mark.parametrize("name", OURS)
def test_its_command_starts_and_its_variables_are_settings(name: str) -> None:
    service = _service(name)
    assert code.starts(service["command"])
    kind = code.SETTINGS.get(name, StandaloneSettings)
    assert service.get("environment", {}).keys() <= code.names(kind)
    if name in SERVICES:
        settings = _settings(name)
        assert settings.database_url.get_secret_value() == (
            "postgresql://medvid:one@postgres:5432/medvid"
        )
        assert settings.rabbitmq_url.get_secret_value() == "amqp://medvid:two@rabbitmq:5672/"


@pytest.mark.parametrize("name", SERVICES)
def test_its_work_may_finish(name: str) -> None:
    settings = _settings(name)
    assert settings.drain_seconds >= code.longest(name, settings)
    grace = int(_service(name)["stop_grace_period"].removesuffix("s"))
    assert grace >= code.DRAINS[name] * settings.drain_seconds + code.CLOSING_SECONDS


def test_uploads_fit_the_temporary_space() -> None:
    settings = _settings("gateway")
    (tmpfs,) = _service("gateway")["tmpfs"]
    size = re.search(r"size=(\d+)g", tmpfs)
    assert size
    assert settings.upload_concurrency * settings.upload_bytes <= int(size[1]) << 30


def test_only_the_gateway_and_the_judge_have_a_way_out() -> None:
    assert COMPOSE["networks"]["engines"] == {"internal": True}
    out = {name for name, s in COMPOSE["services"].items() if "outside" in s["networks"]}
    assert out == {"gateway", "judge", "grafana"}  # the last to be reached from the host
    published = {name: s["ports"] for name, s in COMPOSE["services"].items() if "ports" in s}
    assert published.keys() == {"gateway", "grafana"}
    assert published["grafana"] == ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"]
    (port,) = _service("gateway")["ports"]
    assert port == f"127.0.0.1:8080:{_settings('gateway').port}"


@pytest.mark.parametrize("given", [{}, {"OUTSIDE_SUBNET": "10.9.8.0/24"}])
def test_only_the_network_of_the_port_is_a_proxys(given: dict[str, str]) -> None:
    passwords = {"POSTGRES_PASSWORD": "one", "RABBITMQ_PASSWORD": "two"}
    filled = yaml.safe_load(interpolated(TEXT, passwords | given))
    subnets = [each["subnet"] for each in filled["networks"]["outside"]["ipam"]["config"]]
    environment = filled["services"]["gateway"]["environment"]
    assert [environment["MEDVID_TRUSTED_PROXIES"]] == subnets
    assert subnets == [given.get("OUTSIDE_SUBNET", "172.31.250.0/24")]


def test_services_wait_for_the_schema_and_the_engines() -> None:
    for name in SERVICES:
        assert _service(name)["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "rabbitmq": {"condition": "service_healthy"},
        }
    assert _service("migrate")["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for engine in ("postgres", "rabbitmq"):
        assert _service(engine)["healthcheck"]["test"][0] == "CMD"


def test_jobs_run_only_when_asked() -> None:
    for name in ("backup", "check-backup", "prune"):
        assert _service(name)["profiles"] == ["jobs"]
        assert _service(name)["command"] == _job(name)["containers"][0]["args"]
    assert _service("backup")["volumes"] == ["backups:/backups"]


def test_a_check_of_backups_can_change_nothing() -> None:
    """The check reads backups, writes to a volume that goes with it, and knows no password."""
    service = _service("check-backup")
    assert service["volumes"] == ["backups:/backups:ro", "scratch:/data"]
    assert "environment" not in service
    pod = _job("check-backup")
    (container,) = pod["containers"]
    assert not {"env", "envFrom"} & container.keys()
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert mounts["/backups"]["readOnly"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert "ephemeral" in volumes[mounts["/data"]["name"]]


def _job(name: str) -> dict[str, Any]:
    template = render("production").get("CronJob", f"medvid-{name}")["spec"]["jobTemplate"]
    pod: dict[str, Any] = template["spec"]["template"]["spec"]
    return pod


def _backup_job() -> list[str]:
    arguments: list[str] = _job("backup")["containers"][0]["args"]
    return arguments


def test_a_backup_is_checked_and_two_weeks_are_kept(tmp_path: Path) -> None:
    """The job's own script, with a stand-in for `medvid` that notes what it is asked for."""
    shell, options, script = _backup_job()
    backups = tmp_path / "backups"
    backups.mkdir()
    for days in (1, 13, 20):
        made = backups / f"medvid-of-{days}.tar"
        made.touch()
        os.utime(made, (time.time() - days * 86_400,) * 2)
    (backups / "other.tar").touch()
    os.utime(backups / "other.tar", (0, 0))
    stand_in = tmp_path / "medvid"
    stand_in.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$2" != backup ] || touch "$3"\n'
    )
    stand_in.chmod(0o755)
    subprocess.run(  # noqa: S603 - our own script
        [
            shutil.which(shell) or shell,
            options,
            script.replace("$$", "$").replace("/backups", str(backups)),
        ],
        check=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        timeout=HANG_SECONDS,
    )
    kept = {path.name for path in backups.iterdir()}
    (new,) = kept - {"medvid-of-1.tar", "medvid-of-13.tar", "other.tar"}
    assert re.fullmatch(r"medvid-\d{4}-\d\d-\d\dT\d{6}Z\.tar", new)
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"admin backup {backups / new}",
        f"admin restore --check {backups / new}",
    ]


def test_the_engines_are_the_same_everywhere() -> None:
    """One version of each engine on a single host and in the local overlay."""
    local = (ROOT / "deploy" / "k8s" / "overlays" / "local").glob("*.yaml")
    images = set(re.findall(r"image: (\S+)", "".join(path.read_text() for path in local)))
    assert images == {COMPOSE["services"][name]["image"] for name in ("postgres", "rabbitmq")}
