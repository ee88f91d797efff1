"""Settings from variables and from files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.judge.toml_file import TomlFile
from shared.runtime.errors import Misconfigured
from shared.runtime.settings import SECRETS_DIR, CommonSettings, environment, load_settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets as Kubernetes mounts one: files are links into a folder with dots."""
    for name in ("MEDVID_DATABASE_URL", "MEDVID_RABBITMQ_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(SECRETS_DIR, str(tmp_path))
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..data").symlink_to("..2026")
    return tmp_path


def put(folder: Path, name: str, content: bytes) -> None:
    (folder / "..2026" / name).write_bytes(content)
    (folder / name).symlink_to(f"..data/{name}")


def test_a_setting_may_be_a_file(folder: Path) -> None:
    put(folder, "MEDVID_DATABASE_URL", b"postgresql://secret@host/name\n")
    settings = load_settings(CommonSettings)
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://secret@host/name"
    assert "secret@" not in repr(settings)


def test_the_environment_comes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "MEDVID_RABBITMQ_URL", b"amqp://of-the-file")
    monkeypatch.setenv("MEDVID_RABBITMQ_URL", "amqp://of-the-environment")
    settings = load_settings(CommonSettings)
    assert settings.rabbitmq_url is not None
    assert settings.rabbitmq_url.get_secret_value() == "amqp://of-the-environment"
    assert environment()["MEDVID_RABBITMQ_URL"] == "amqp://of-the-environment"


def test_a_variable_that_a_file_names_may_be_a_file_too(folder: Path) -> None:
    put(folder, "KEY_EU", b"a key\n")
    file = TomlFile("MEDVID_JUDGES", folder / "judges.toml", "See the page.")
    assert file.secret("KEY_EU") == "a key"
    with pytest.raises(Misconfigured, match="KEY_US, which is not set"):
        file.secret("KEY_US")


def test_what_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "MEDVID_DATABASE_URL", b"\xff\xfe")
    with pytest.raises(Misconfigured, match=r"MEDVID_DATABASE_URL is no text"):
        load_settings(CommonSettings)
    monkeypatch.setenv(SECRETS_DIR, str(folder / "gone"))
    with pytest.raises(Misconfigured, match=r"MEDVID_SECRETS_DIR: .*gone: No such file"):
        load_settings(CommonSettings)
    monkeypatch.setenv(SECRETS_DIR, str(folder / "MEDVID_DATABASE_URL"))
    with pytest.raises(Misconfigured, match="Not a directory"):
        load_settings(CommonSettings)


def test_a_wrong_value_in_a_file_is_named_by_its_variable(folder: Path) -> None:
    put(folder, "MEDVID_DRAIN_SECONDS", b"soon")
    with pytest.raises(Misconfigured, match="MEDVID_DRAIN_SECONDS"):
        load_settings(CommonSettings)


def test_files_of_others_are_left_alone(folder: Path) -> None:
    """A shared folder such as /run/secrets holds keystores, pipes and folders, too."""
    put(folder, "keystore.p12", b"\xff\xfe")
    (folder / "rhsm").mkdir()
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    put(folder, "MEDVID_DATABASE_URL", b"postgresql://host/name\r\n")
    assert load_settings(CommonSettings).database_url is not None
    with pytest.raises(Misconfigured, match=r"keystore\.p12 is no text"):
        environment()["keystore.p12"]
    assert {"keystore.p12", "gone", "PATH"} <= set(environment())


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("gone"), os.mkfifo])
def test_a_setting_that_is_no_file_is_not_taken_for_one_that_is_missing(
    folder: Path, make: Callable[[Path], None]
) -> None:
    make(folder / "MEDVID_DATABASE_URL")
    with pytest.raises(Misconfigured, match=r"MEDVID_DATABASE_URL( is no file|: No such file)"):
        load_settings(CommonSettings)
