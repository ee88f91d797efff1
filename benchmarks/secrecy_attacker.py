"""An attacker of the private answers: makes files, sends them, and reads all that comes back."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import aiohttp
import orjson

from medvid.benchmark.tasks import METRICS, task_of

Records = list[dict[str, Any]]
Kind = tuple[str, str]
"""A task and a source."""
Learnt = dict[tuple[str, ...], object]
"""What a server tells, by where in the answers it stands."""

_OWN: Final = frozenset(
    [
        "id",
        "entry_id",
        "submission_id",
        "url",
        "page",
        "status_url",
        "permalink",
        "snapshot",
        "snapshots",
        "model_name",
        "at",
        "since",
        "until",
        "ranked_at",
        "updated_at",
        "changed_at",
        "created_at",
        "revision",
        "requested_at",
        "completed_at",
        "timeline",
        "history",
        "file_sha256",
        "file_bytes",
        "report",
        "provenance",
        "replaces",
        "replaced_by",
        "name",
    ]
)
"""Names, ids, times, and what follows from the attacker's own text and the public test set."""
_FILES_FROM_AN_ADDRESS: Final = 10


@dataclass(slots=True)
class Answers:
    """The private answers: the attacker knows none, the experiment all."""

    records: Records
    places: dict[Kind, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, truth: bytes) -> Answers:
        """Read a ground truth file in the published layout (gzip)."""
        found = cls(orjson.loads(gzip.decompress(truth)))
        for index, record in enumerate(found.records):
            task = task_of(record["qa_type"])
            assert task is not None  # noqa: S101 - a valid file
            found.places.setdefault((task.value, record["data_source"]), []).append(index)
        return found

    def answer(self, index: int) -> str:
        """Return a sample's right answer as its reference words it."""
        text: str = self.records[index]["conversations"][1]["value"]
        return text

    def wrong(self, kind: Kind, index: int) -> str:
        """Return an answer of the same kind that is another sample's and another one."""
        own = self.answer(index)
        return next(text for place in self.places[kind] if (text := self.answer(place)) != own)

    def file(self, answers: Mapping[int, str], otherwise: Sequence[str] | None = None) -> Records:
        """Return a file with these answers; the other samples have no text, or that of a file."""
        return [
            {
                "id": record["id"],
                "qa_type": record["qa_type"],
                "prediction": answers.get(index, otherwise[index] if otherwise else ""),
            }
            for index, record in enumerate(self.records)
        ]

    def parts(self, kind: Kind) -> tuple[dict[int, str], list[bool], list[int]]:
        """Return answers of which one value tells several labels; which are right; of how many.

        Each part of an answer, such as an aspect, is guessed for one sample, and has a score that
        is never right for 0, 1, 3, 7 … others: so the mean of each part has a weight of its own.
        """
        places = self.places[kind]
        named = [part.rpartition(":") for part in self.answer(places[0]).split(", ")]
        counts = [*(2**number for number in range(len(named) - 1)), len(places)]
        texts: dict[int, list[str]] = {place: [] for place in places}
        right = []
        for number, ((name, _, score), count) in enumerate(zip(named, counts, strict=True)):
            guessed, *others = [*places[number:], *places[:number]][:count]
            guess = f"{name}:{score}"
            right.append(guess in self.answer(guessed))
            texts[guessed].append(guess)
            for other in others:
                texts[other].append(f"{name}: 9/5")
        return {place: ", ".join(said) for place, said in texts.items()}, right, counts

    def pair(self, number: int) -> tuple[dict[int, str], dict[int, str]]:
        """Return right and wrong answers to the sample with this number, of every kind."""
        right = {places[number]: self.answer(places[number]) for places in self.places.values()}
        wrong = {
            places[number]: self.wrong(kind, places[number]) for kind, places in self.places.items()
        }
        return right, wrong


@dataclass(slots=True)
class Attacker:
    """Sends files and reads everything that comes back; changes its address as it likes."""

    http: aiohttp.ClientSession
    address: str | None = None
    sent: int = 0
    judge: bool = False
    """Whether to wait for the judge, too."""
    refused: dict[str, int] = field(default_factory=dict)

    async def send(self, records: Records, **fields: str) -> tuple[int, dict[str, Any]]:
        """Submit a file under a fresh name."""
        form = aiohttp.FormData({"model_name": f"m {uuid4()}", "organization": "x", **fields})
        packed = gzip.compress(orjson.dumps(records), 1)
        form.add_field("file", packed, filename="p.json.gz")
        self.sent += 1
        path = "/api/v1/submissions"
        async with self.http.post(path, data=form, headers=self._from()) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status != HTTPStatus.ACCEPTED:
                self.refused[answer["code"]] = self.refused.get(answer["code"], 0) + 1
            return response.status, answer

    async def learn(self, records: Records) -> Learnt:
        """Have a file scored, on a board where it may be, and return what it shows; withdraw it."""
        status, receipt = await self.send(records)
        if receipt.get("code") == "coverage_too_low":
            status, receipt = await self.send(records, evaluate_only="true")
        assert status == HTTPStatus.ACCEPTED, receipt  # noqa: S101 - the experiment's check
        learnt = await self._everything(receipt)
        await self.withdraw(receipt)
        return learnt

    async def withdraw(self, receipt: Mapping[str, Any]) -> None:
        """Take a submission back."""
        owner = {"Authorization": f"Bearer {receipt['owner_token']}"}
        async with self.http.post(f"{receipt['status_url']}/withdraw", headers=owner) as response:
            assert response.ok, await response.text()  # noqa: S101 - the experiment's check

    async def _everything(self, receipt: Mapping[str, Any]) -> Learnt:
        owner = {"Authorization": f"Bearer {receipt['owner_token']}"}
        status = await self.ranked(receipt["status_url"], owner)
        learnt = flat(status, ("status",))
        entry = status["entry"]
        if entry is not None:
            path = f"/api/v1/leaderboards/{entry['board']}"
            learnt |= flat(await self._get(f"{path}/entries/{entry['id']}"), ("entry",))
            learnt |= flat(await self._row(path, entry["id"]), ("board",))
        return learnt

    async def ranked(self, url: str, owner: Mapping[str, str]) -> dict[str, Any]:
        """Return a submission's status once all that comes of it is there."""
        async with asyncio.timeout(500):  # measured at the lowest priority: others come first
            while True:
                status = await self._get(url, owner)
                # Of what is only evaluated no similarity is ever shown.
                alone = status.get("mode") == "evaluate_only"
                measured = alone or all(status["similarities"].values())
                judged = not self.judge or status["judging"]["result"] is not None
                if status["state"] == "ranked" and measured and judged:
                    return status
                await asyncio.sleep(0.05)

    async def _row(self, board: str, entry_id: str) -> dict[str, Any]:
        """Return an entry's row on a board that is ranked with all that is known of it."""
        async with asyncio.timeout(500):  # measured at the lowest priority: others come first
            while True:
                entries = (await self._get(board))["entries"]
                row: dict[str, Any] = next(row for row in entries if row["entry_id"] == entry_id)
                judged = "vs_llm" in row.get("withheld", ()) or row["values"]["vs_llm"] is not None
                if judged or not self.judge:
                    return row
                await asyncio.sleep(0.05)

    async def _get(self, path: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        async with self.http.get(path, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    def _from(self) -> dict[str, str]:
        block = self.sent // _FILES_FROM_AN_ADDRESS
        return {"X-Forwarded-For": self.address or f"10.7.{block // 250}.{block % 250 + 1}"}


def flat(answer: object, path: tuple[str, ...]) -> Learnt:
    """Return an answer's parts by where they stand, without what is the attacker's own."""
    if isinstance(answer, dict):
        parts = {key: value for key, value in answer.items() if key not in _OWN}
        return _joined(flat(value, (*path, key)) for key, value in parts.items())
    if isinstance(answer, list):
        named = [(each.get("metric") or each.get("scoring") if isinstance(each, dict) else None)
                 or str(place) for place, each in enumerate(answer)]  # fmt: skip
        return _joined(flat(each, (*path, name)) for name, each in zip(named, answer, strict=True))
    return {path: answer}


def _joined(parts: Any) -> Learnt:
    learnt: Learnt = {}
    for part in parts:
        learnt |= part
    return learnt


def distinguishable(one: Learnt, other: Learnt) -> list[tuple[str, ...]]:
    """Return where two answers differ."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def channels(paths: Sequence[tuple[str, ...]]) -> set[Kind]:
    """Return of which tasks and sources something differs; the source is empty where it is all."""
    tasks = {metric.key: metric.task.value for metric in METRICS} | {
        "vs_similarity": "video_summary",
        "rc_similarity": "region_caption",
        "dvc_similarity": "dense_captioning",
    }
    found = set()
    for path in paths:
        task = next((tasks[name] for name in path if name in tasks), None)
        if task is not None:
            source = path[path.index("by_source") + 1] if "by_source" in path else ""
            found.add((task, source))
    by_source = {kind for kind in found if kind[1]}
    return by_source | {kind for kind in found if kind[0] not in {task for task, _ in by_source}}
