"""What the commands remember: settings, submissions with their tokens, uploads that were begun."""

from __future__ import annotations

import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from medvid.api import Receipt
from medvid.cli import configuration, memory

URL = "https://one.example"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("MEDVID_URL", "MEDVID_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def receipt(of: UUID | None = None) -> Receipt:
    return Receipt(id=of or uuid4(), state="accepted", status_url="/", owner_token="mvb_x")  # noqa: S106


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_options_go_before_the_environment_before_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert configuration.settings()["url"].origin == "default"
    configuration.write_file({"url": URL, "api_key": 'mvk_"ä\\'})
    assert mode(configuration.path()) == 0o600
    found = configuration.settings()
    assert (found["url"].text, found["api_key"].text) == (URL, 'mvk_"ä\\')
    monkeypatch.setenv("MEDVID_URL", "https://two.example")
    assert configuration.settings()["url"].origin == "MEDVID_URL"
    assert configuration.settings("https://three.example")["url"].text == "https://three.example"
    configuration.write_file({"url": None})
    assert configuration.read_file() == {"api_key": 'mvk_"ä\\'}


def test_a_key_in_the_file_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    configuration.write_file({"url": URL, "api_key": "mvk_secret"})
    assert configuration.settings(f"{URL}/")["api_key"].text == "mvk_secret"
    assert configuration.settings("https://evil.example")["api_key"].text is None
    monkeypatch.setenv("MEDVID_API_KEY", "mvk_meant")
    assert configuration.settings("https://evil.example")["api_key"].text == "mvk_meant"


@pytest.mark.parametrize("text", ["url = 1", "nonsense", 'colour = "red"'])
def test_a_wrong_file_is_named(text: str) -> None:
    configuration.path().parent.mkdir(parents=True)
    configuration.path().write_text(text)
    with pytest.raises(configuration.Misconfigured, match=r"config\.toml"):
        configuration.settings()


def test_submissions_are_found_by_what_people_type() -> None:
    first = UUID("aaaa1111-0000-4000-8000-000000000000")
    second = UUID("aaaa2222-0000-4000-8000-000000000000")
    memory.remember(URL, receipt(first), "One", Path("f"))
    memory.remember(URL, receipt(second), "Two", Path("f"))
    memory.remember("https://two.example", receipt(), "Elsewhere", Path("f"))
    assert mode(memory.path()) == 0o600
    assert [each.model_name for each in memory.submissions(URL)] == ["Two", "One"]
    for named, expected in ((None, "Two"), ("One", "One"), ("aaaa1", "One"), (str(second), "Two")):
        found = memory.find(URL, named)
        assert found is not None
        assert found.model_name == expected
    assert memory.find(URL, "bbbb") is None
    with pytest.raises(memory.Forgotten, match="2 submissions"):
        memory.find(URL, "aaaa")
    with pytest.raises(memory.Forgotten, match="no submission"):
        memory.find("https://new.example", None)


def test_an_upload_keeps_its_key_until_it_is_answered(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"1")
    name, key = memory.upload_key(URL, {"model_name": "M"}, file)
    assert memory.upload_key(URL, {"model_name": "M"}, file) == (name, key)
    assert memory.upload_key(URL, {"model_name": "N"}, file)[1] != key
    file.write_bytes(b"2")
    assert memory.upload_key(URL, {"model_name": "M"}, file)[1] != key
    file.write_bytes(b"1")
    memory.upload_ended(name)
    assert memory.upload_key(URL, {"model_name": "M"}, file)[1] != key
