"""What the operations page tells people to type exists: commands, settings, resources, files."""

from __future__ import annotations

import re
from typing import Final

from services.standalone import StandaloneSettings
from tests.deploy.code_policies import admin_commands, names
from tests.deploy.manifests import ROOT, render

PAGE: Final = (ROOT / "docs" / "operations.md").read_text()


def test_its_commands_exist() -> None:
    told = set(re.findall(r"medvid admin ([a-z][a-z-]+)", PAGE))
    assert {"load-ground-truth", "import-board", "doctor", "backup", "restore"} <= told
    assert told - admin_commands() == set()


def test_its_settings_exist() -> None:
    told = {name for name in re.findall(r"MEDVID_[A-Z_]+[A-Z]", PAGE) if "KEEP" not in name}
    assert told - names(StandaloneSettings) == set()


def test_its_resources_exist() -> None:
    known = {
        f"{resource['kind'].lower()}/{resource['metadata']['name']}"
        for overlay in ("local", "production")
        for resource in render(overlay).resources
    }
    told = set(
        re.findall(
            r"\b((?:deployment|deploy|job|cronjob|service|scaledobject|certificate|cluster)"
            r"[/ ]medvid[a-z-]*)",
            PAGE,
        )
    )
    wanted = {name.replace(" ", "/").replace("deploy/", "deployment/") for name in told}
    # cert-manager makes the one for the Ingress, the reader the other.
    made_by_others = {"certificate/medvid-tls", "job/medvid-restore"}
    assert len(wanted) > 8
    assert wanted - known - made_by_others == set()


def test_its_files_exist() -> None:
    told = set(re.findall(r"`((?:deploy(?!/medvid)|demo|docs)/[A-Za-z0-9_./-]+)`", PAGE))
    links = set(re.findall(r"\]\(([a-z_./-]+\.md)\)", PAGE))
    assert {path for path in told if not (ROOT / path).exists()} == set()
    assert {link for link in links if not (ROOT / "docs" / link).exists()} == set()
