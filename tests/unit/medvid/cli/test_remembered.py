"""What the commands remember: settings, submissions with their tokens, uploads that were begun."""

from __future__ import annotations

import asyncio
import resource
import stat
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner

from medvid.api import Receipt
from medvid.cli import config_file, known_submissions
from medvid.cli.main import app

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
    assert config_file.settings()["url"].origin == "default"
    config_file.write_file({"url": URL, "api_key": 'mvk_"ä\\'})
    assert mode(config_file.path()) == 0o600
    found = config_file.settings()
    assert (found["url"].text, found["api_key"].text) == (URL, 'mvk_"ä\\')
    monkeypatch.setenv("MEDVID_URL", "https://two.example")
    assert config_file.settings()["url"].origin == "MEDVID_URL"
    assert config_file.settings("https://three.example")["url"].text == "https://three.example"
    config_file.write_file({"url": None})
    assert config_file.read_file() == {"api_key": 'mvk_"ä\\'}


def test_a_key_in_the_file_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    config_file.write_file({"url": URL, "api_key": "mvk_secret"})
    assert config_file.settings(f"{URL}/")["api_key"].text == "mvk_secret"
    assert config_file.settings("https://evil.example")["api_key"].text is None
    monkeypatch.setenv("MEDVID_API_KEY", "mvk_meant")
    assert config_file.settings("https://evil.example")["api_key"].text == "mvk_meant"


@pytest.mark.parametrize("text", ["url = 1", "nonsense", 'colour = "red"'])
def test_a_wrong_file_is_named(text: str) -> None:
    config_file.path().parent.mkdir(parents=True)
    config_file.path().write_text(text)
    with pytest.raises(config_file.BadConfigFile, match=r"config\.toml"):
        config_file.settings()


def test_submissions_are_found_by_what_people_type() -> None:
    first = UUID("aaaa1111-0000-4000-8000-000000000000")
    second = UUID("aaaa2222-0000-4000-8000-000000000000")
    known_submissions.remember(URL, receipt(first), "One", Path("f"))
    known_submissions.remember(URL, receipt(second), "Two", Path("f"))
    known_submissions.remember("https://two.example", receipt(), "Elsewhere", Path("f"))
    assert mode(known_submissions.path()) == 0o600
    assert [each.model_name for each in known_submissions.submissions(URL)] == ["Two", "One"]
    for named, expected in ((None, "Two"), ("One", "One"), ("aaaa1", "One"), (str(second), "Two")):
        found = known_submissions.find(URL, named)
        assert found is not None
        assert found.model_name == expected
    assert known_submissions.find(URL, "bbbb") is None
    with pytest.raises(known_submissions.UnknownSubmission, match="2 submissions"):
        known_submissions.find(URL, "aaaa")
    with pytest.raises(known_submissions.UnknownSubmission, match="no submission"):
        known_submissions.find("https://new.example", None)


def test_an_upload_keeps_its_key_until_it_is_answered() -> None:
    about = {"model_name": "M"}
    name, key = known_submissions.upload_key(URL, about, b"1")
    assert known_submissions.upload_key(URL, about, b"1") == (name, key)
    assert known_submissions.upload_key(URL, {"model_name": "N"}, b"1")[1] != key
    assert known_submissions.upload_key(URL, about, b"2")[1] != key
    known_submissions.upload_ended(name)
    assert known_submissions.upload_key(URL, about, b"1")[1] != key


async def test_a_receipt_that_could_not_be_kept_is_given_again(home: Path) -> None:
    """The disk is full when the server has answered: there is room for no token."""
    keys: list[str] = []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def accept(request: web.Request) -> web.Response:
        await request.read()
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        return web.json_response(receipt(UUID(int=1)).model_dump(mode="json"), status=202)

    server = web.Application()
    server.router.add_post("/api/v1/submissions", accept)
    (home / "file.json").write_text("[]")
    async with TestServer(server, host="127.0.0.1") as at:
        url = str(at.make_url("")).rstrip("/")
        words = ["submit", str(home / "file.json"), "-m", "M", "-o", "O", "--no-check",
                 "--no-wait", "--url", url]  # fmt: skip
        try:
            lost = await asyncio.to_thread(CliRunner().invoke, app, words)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert lost.exit_code == 2, lost.exception
        assert "XDG_STATE_HOME" in lost.stderr
        again = await asyncio.to_thread(CliRunner().invoke, app, words)
        assert again.exit_code == 0, again.stderr
        assert keys[0] == keys[1]
        (kept,) = known_submissions.submissions(url)
        assert kept.owner_token == receipt().owner_token
        after = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert after.exit_code == 0
    assert keys[2] != keys[0]
