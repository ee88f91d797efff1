"""The site under test: all services in this process, the published boards, one judged model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch
from uuid import uuid4

import aiohttp

from services.operate.boards import store_boards
from services.operate.ground_truth import store_ground_truth
from services.standalone import StandaloneSettings, running
from shared.runtime.infrastructure import Infrastructure
from tests.fakes.identity_provider import CLIENT, SECRET, FakeProvider, fake_provider
from tests.patience import HANG_SECONDS
from tests.processes import free_port

DEMO: Final = Path(__file__).parents[2] / "demo"
PREDICTIONS: Final = DEMO / "predictions.json.gz"
ADMIN_KEY: Final = "the-administrators-key-of-the-browser-tests"
FACTS: Final = {
    "parameters": "7e9", "open_weights": "yes", "licence": "Apache-2.0", "trained_on": "AVOS",
    "uses_test_videos": "yes", "prompt": "Answer from the video alone.\n{question}",
}  # fmt: skip
"""What is stated of the demo's model."""
_SECONDS: Final = HANG_SECONDS


@dataclass(slots=True)
class Submitted:
    """A submission with its owner token."""

    id: str
    token: str
    model_name: str


@dataclass(slots=True)
class Site:
    """A running leaderboard."""

    url: str
    base: Infrastructure
    client: aiohttp.ClientSession
    provider: FakeProvider
    demo: Submitted = field(default_factory=lambda: Submitted("", "", ""))
    entry: str = ""

    async def add_demo(self) -> None:
        """Add the model that every test may look at."""
        self.demo = await self.submit("Demo model", organization="The demo", **FACTS)
        status = await self.ranked(self.demo)
        await self.judged(self.demo)
        self.entry = status["entry"]["id"]
        text = "Its prompt is at https://example.org/prompt, which we looked at."
        await self.administer(f"/entries/{self.entry}/notes", text=text)
        made = await self.administer("/boards/official/notes", text="Imports are under review.")
        note = made["note"]["id"]
        await self.administer(f"/notes/{note}/resolve", resolution="All of them were right.")

    async def administer(self, path: str, **body: str) -> dict[str, Any]:
        """Do something as the administrator; gives the answer."""
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        given = {"why": "to see how it looks", **body}
        async with self.client.post(f"/api/v1/admin{path}", json=given, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
        return found

    def address(self, pattern: str) -> str:
        """Return an address in which the demo's ids stand."""
        return pattern.format(submission=self.demo.id, token=self.demo.token, entry=self.entry)

    async def submit(self, model_name: str | None = None, **fields: str) -> Submitted:
        """Submit the sample predictions."""
        name = model_name or f"model {uuid4().hex[:8]}"
        form = aiohttp.FormData({"model_name": name, "organization": "Lab", **fields})
        form.add_field("file", PREDICTIONS.read_bytes(), filename="predictions.json.gz")
        async with self.client.post("/api/v1/submissions", data=form) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            assert response.status == 202, answer
        return Submitted(answer["id"], answer["owner_token"], name)

    async def status(self, submitted: Submitted) -> dict[str, Any]:
        """Return what the owner sees."""
        headers = {"Authorization": f"Bearer {submitted.token}"}
        path = f"/api/v1/submissions/{submitted.id}"
        async with self.client.get(path, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
        return answer

    async def ranked(self, submitted: Submitted) -> dict[str, Any]:
        """Wait until a submission is ranked; gives its status."""
        async with asyncio.timeout(_SECONDS):
            while True:
                status = await self.status(submitted)
                assert status["state"] != "failed", status
                if status["state"] == "ranked":
                    return status
                await asyncio.sleep(0.05)

    async def judged(self, submitted: Submitted) -> dict[str, Any]:
        """Have a ranked submission judged by the stand-in; gives its status."""
        headers = {"Authorization": f"Bearer {submitted.token}"}
        path = f"/api/v1/submissions/{submitted.id}/judge"
        async with self.client.post(path, headers=headers) as response:
            assert response.status == 202, await response.text()
        async with asyncio.timeout(_SECONDS):
            while True:
                status = await self.status(submitted)
                if status["judging"]["result"] is not None:
                    return status
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running_site(folder: Path, *, boards: bytes | None = None) -> AsyncIterator[Site]:
    """Run the whole leaderboard on a port of its own, with its data in `folder`.

    `boards` are imported; without any it is as just installed: no test set, no model.
    """
    port = free_port()
    settings = StandaloneSettings(
        data_dir=folder,
        host="127.0.0.1",
        port=port,
        public_url=f"http://127.0.0.1:{port}",
        sign_in=folder.parent / f"{folder.name}.toml",
        database_url=None,
        rabbitmq_url=None,
        validation_workers=1,
        judge_provider="stub",
        judge_rationale=True,
        admin_key=ADMIN_KEY,
        address_submissions_per_day=1000,
        challenges=Path(__file__).parents[2] / "deploy" / "challenges.toml",
    )
    url = f"http://127.0.0.1:{settings.port}"
    async with (
        fake_provider(free_port()) as provider,
        _running(settings, provider) as base,
        aiohttp.ClientSession(url) as client,
    ):
        site = Site(url, base, client, provider)
        if boards is not None:
            truth = (DEMO / "ground_truth.json.gz").read_bytes()
            await store_ground_truth(base.database, truth, "ground_truth.json.gz")
            await store_boards(base.database, boards)
        base.readiness.started = True
        if boards is not None:
            await site.add_demo()
        yield site


@asynccontextmanager
async def _running(
    settings: StandaloneSettings, provider: FakeProvider
) -> AsyncIterator[Infrastructure]:
    """Run the services with a provider to sign in at, which is another site to browsers."""
    provider.issuer = provider.issuer.replace("127.0.0.1", "localhost")
    assert settings.sign_in is not None
    settings.sign_in.write_text(
        f"""
        private_networks = true
        [providers.example]
        kind = "oidc"
        name = "Example"
        issuer = "{provider.issuer}"
        client_id = "{CLIENT}"
        client_secret_env = "FAKE_SECRET"
        administrators = ["subject-1"]
        """,
        "utf-8",
    )
    try:
        with patch.dict("os.environ", {"FAKE_SECRET": SECRET}):
            async with running(settings) as base:
                yield base
    finally:
        settings.sign_in.unlink()
