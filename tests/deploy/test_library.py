"""The library alone: its wheel, and what it needs, in an environment without the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib.metadata import PackagePath, distribution
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from medvid import api
from tests.deploy.manifests import ROOT
from tests.deploy.test_image import WHEEL, copy_sources
from tests.depth import deep
from tests.patience import HANG_SECONDS

LIGHT: Final = {"aiohttp", "cryptography", "numpy", "orjson", "pydantic", "rich", "typer"}


def needed(names: set[str]) -> set[str]:
    """The distributions that these need, themselves among them, without extras."""
    found: set[str] = set()
    waiting = sorted(names)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        for line in distribution(name).requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the library's wheel, and links to what it says that it needs."""
    folder = tmp_path_factory.mktemp("library")
    for name in ("medvid", "LICENSE"):
        copy_sources(ROOT / name, folder / name)
    subprocess.run(  # noqa: S603 - our own sources
        [*WHEEL, "--wheel-dir", str(folder), str(folder / "medvid")],
        check=True, capture_output=True, timeout=HANG_SECONDS,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    found = folder / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(found)
    for name in needed(LIGHT):
        files: list[PackagePath] = distribution(name).files or []
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            source = Path(str(distribution(name).locate_file(top)))
            if source.exists() and not (found / top).exists():
                (found / top).symlink_to(source)
    return found


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(site), "PYTHONPATH": str(site), "NO_COLOR": "1",
        "COLUMNS": "200",
    }  # fmt: skip
    return subprocess.run(  # noqa: S603 - our own sources; -S: nothing of this environment
        [sys.executable, "-S", "-W", "error", *arguments],
        cwd=site, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip


def test_it_needs_no_more_than_it_says(site: Path) -> None:
    (metadata,) = site.glob("medvid-*.dist-info/METADATA")
    requires = [
        Requirement(line.removeprefix("Requires-Dist: "))
        for line in metadata.read_text().splitlines()
        if line.startswith("Requires-Dist: ")
    ]
    assert {each.name for each in requires if each.marker is None} == LIGHT
    assert not {"shared", "services", "client"}.intersection(path.name for path in site.iterdir())


def test_every_module_can_be_imported(site: Path) -> None:
    modules = [
        ".".join(path.relative_to(site).with_suffix("").parts)
        for path in (site / "medvid").rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    ]
    assert len(modules) > 100
    modules.remove("medvid.judging.endpoint")  # the extra `judge`; who imports it says so
    done = run(
        site, "-c", f"import importlib\nfor each in {modules}: importlib.import_module(each)"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_client_is_at_the_top(site: Path) -> None:
    done = run(site, "-c", "from medvid import AsyncClient, Client; print(Client.__module__)")
    assert (done.returncode, done.stdout) == (0, "medvid.api.clients\n")


def test_the_command_validates_offline(site: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.json"
    file.write_text("{")
    done = run(site, "-m", "medvid", "validate", str(file), "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["ok"] is False


@deep
def test_scoring_says_which_extra_it_lacks(site: Path) -> None:
    data = ROOT / "benchmarks" / "data"
    done = run(
        site, "-m", "medvid", "score", str(data / "ground_truth.json.gz"),
        str(data / "predictions_weak.json.gz"),
    )  # fmt: skip
    assert done.returncode == 1
    assert "install the extra 'scoring'" in done.stderr


@pytest.mark.parametrize("words", [["up"], ["admin", "migrate"], ["admin", "doctor"]])
def test_the_servers_commands_say_where_they_are(site: Path, words: list[str]) -> None:
    done = run(site, "-m", "medvid", *words)
    assert done.returncode == 2
    assert "come with the server, which is not installed here" in done.stderr.replace("\n", " ")


def test_settings_are_those_of_the_client(site: Path) -> None:
    done = run(site, "-m", "medvid", "config", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["services"] == {}


def test_the_former_name_warns() -> None:
    """It comes with the server's distribution, which had it before."""
    program = "import warnings; warnings.simplefilter('error'); import client.api"
    done = subprocess.run(  # noqa: S603 - our own sources
        [sys.executable, "-c", program],
        cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip
    assert "from medvid import Client" in done.stderr.splitlines()[-1]
    assert "DeprecationWarning" in done.stderr.splitlines()[-1]


def test_the_former_name_has_every_name_that_the_library_has() -> None:
    program = "import client.api as former, medvid.api as now; print(len([getattr(former, each) "
    program += "for each in now.__all__ if getattr(former, each) is getattr(now, each)]))"
    done = subprocess.run(  # noqa: S603 - our own sources
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=ROOT, capture_output=True, text=True, timeout=HANG_SECONDS,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (f"{len(api.__all__)}\n", "")
