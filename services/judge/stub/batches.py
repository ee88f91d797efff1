"""The stand-in's Batch API: files and batches in memory, with faults on request.

A batch is answered when it is created, and said to be under way until it was looked at as often as
`BatchFaults.looks` says. So nothing here takes time, and tests wait for none.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

BatchEnd = Literal["completed", "failed", "expired", "cancelled"]
_WINDOW_SECONDS: Final = 24 * 3600
_MOST_LISTED: Final = 100


class BatchFaults(BaseModel):
    """How batches misbehave: shares of their lines, drawn by `seed`; how each of them ends.

    `ends`: of the first batch, the second, and so on; later ones complete. Of one that expires or
    is cancelled, `reached` is the share of the lines that were answered before. `most_waiting`:
    lines that the account may have waiting, beyond which a batch fails. `under_way`: what a batch
    that goes on is called. `late`: so often it is said to have ended before it names its files, of
    which a number of reads are `torn`: their first half. `lists`: whether the key may list batches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    looks: int = Field(default=0, ge=0)
    lost: float = Field(default=0, ge=0, le=1)
    repeated: float = Field(default=0, ge=0, le=1)
    failing: float = Field(default=0, ge=0, le=1)
    reached: float = Field(default=0.5, ge=0, le=1)
    ends: tuple[BatchEnd, ...] = ()
    most_waiting: int | None = Field(default=None, ge=1)
    under_way: str = "in_progress"
    late: int = Field(default=0, ge=0)
    torn: int = Field(default=0, ge=0)
    lists: bool = True
    seed: int = 0


@dataclass
class _Made:
    """A batch that was created: how it will end, and how often it is still said to be under way."""

    facts: dict[str, Any]
    lines: list[dict[str, Any]]
    end: BatchEnd
    looks: int
    late: int
    error: dict[str, Any]
    is_over: bool = False


@dataclass
class StubBatches:
    """Files and batches. `answer` judges the body of one line: its status and body."""

    answer: Callable[[Mapping[str, Any]], tuple[int, Mapping[str, Any]]]
    faults: Callable[[], BatchFaults]
    files: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, _Made] = field(default_factory=dict)
    injected: Counter[str] = field(default_factory=Counter)
    _numbers: int = 0
    _reads: int = 0

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.post("/v1/files", self._upload),
            web.get("/v1/files/{id}/content", self._content),
            web.delete("/v1/files/{id}", self._delete),
            web.post("/v1/batches", self._create),
            web.get("/v1/batches", self._list),
            web.get("/v1/batches/{id}", self._look),
            web.post("/v1/batches/{id}/cancel", self._cancel),
        ]

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        if form.get("purpose") != "batch" or not isinstance(file, web.FileField):
            return _refused(400, "a file with the purpose batch is wanted")
        stored = self._store(file.file.read())
        return web.json_response(
            {
                "id": stored,
                "object": "file",
                "bytes": len(self.files[stored]),
                "created_at": 0,
                "filename": file.filename,
                "purpose": "batch",
                "status": "processed",
            }
        )

    async def _content(self, request: web.Request) -> web.Response:
        content = self.files.get(request.match_info["id"])
        if content is None:
            return _refused(404, "no such file")
        self._reads += 1
        if self._reads <= self.faults().torn:
            content = content[: len(content) // 2]
        return web.Response(body=content)

    async def _delete(self, request: web.Request) -> web.Response:
        file_id = request.match_info["id"]
        if self.files.pop(file_id, None) is None:
            return _refused(404, "no such file")
        return web.json_response({"id": file_id, "object": "file", "deleted": True})

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        content = self.files.get(str(body.get("input_file_id")))
        if content is None:
            return _refused(400, "no such input file")
        lines = [json.loads(line) for line in content.splitlines() if line.strip()]
        names = Counter(line.get("custom_id") for line in lines)
        faults, nth = self.faults(), len(self.made)
        end: BatchEnd = faults.ends[nth] if nth < len(faults.ends) else "completed"
        facts = {
            "id": self._name("batch"),
            "object": "batch",
            "endpoint": body.get("endpoint"),
            "input_file_id": body.get("input_file_id"),
            "completion_window": body.get("completion_window"),
            "metadata": body.get("metadata"),
            "status": "validating",
            "created_at": 0,
            "expires_at": _WINDOW_SECONDS,
            "output_file_id": None,
            "error_file_id": None,
            "errors": None,
            "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
        }
        error = {"code": "invalid", "message": "The input file is invalid.", "line": 1}
        if not lines or names.most_common(1)[0][1] > 1:
            end = "failed"
        waiting = sum(len(other.lines) for other in self.made.values() if not other.is_over)
        if faults.most_waiting is not None and waiting + len(lines) > faults.most_waiting:
            end = "failed"
            error = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}
        looks = 0 if end == "failed" else faults.looks
        self.made[facts["id"]] = _Made(facts, lines, end, looks, faults.late, error)
        return web.json_response(facts)

    async def _list(self, request: web.Request) -> web.Response:
        if not self.faults().lists:
            return _refused(403, "this key may not list batches")
        newest = [made.facts for made in reversed(self.made.values())]
        after = request.query.get("after")
        if after is not None:
            newest = newest[[facts["id"] for facts in newest].index(after) + 1 :]
        page = newest[: min(int(request.query.get("limit", "20")), _MOST_LISTED)]
        return web.json_response(
            {"object": "list", "data": page, "has_more": len(page) < len(newest)}
        )

    async def _look(self, request: web.Request) -> web.Response:
        made = self.made.get(request.match_info["id"])
        if made is None:
            return _refused(404, "no such batch")
        if not made.is_over:
            if made.looks > 0:
                made.looks -= 1
                made.facts["status"] = self.faults().under_way
            else:
                self._end(made, made.end)
        if made.is_over and made.late > 0:
            made.late -= 1
            return web.json_response(made.facts | {"output_file_id": None, "error_file_id": None})
        return web.json_response(made.facts)

    async def _cancel(self, request: web.Request) -> web.Response:
        made = self.made.get(request.match_info["id"])
        if made is None:
            return _refused(404, "no such batch")
        if made.is_over:
            return _refused(409, f"a batch that is {made.facts['status']} cannot be cancelled")
        made.end = "cancelled"
        made.facts["status"] = "cancelling"
        return web.json_response(made.facts)

    def _end(self, made: _Made, end: BatchEnd) -> None:
        """Answer the lines of a batch and say how it ended."""
        made.is_over = True
        made.facts["status"] = end
        if end == "failed":
            made.facts["errors"] = {"data": [made.error]}
            return
        faults = self.faults()
        reached = len(made.lines)
        if end != "completed":
            reached = int(reached * faults.reached)
        output, errors = list[str](), list[str]()
        for line in made.lines[:reached]:
            self._answer(line, faults, output, errors)
        for line in made.lines[reached:]:
            said = {"code": f"batch_{end}", "message": "This request could not be executed."}
            errors.append(_line(line, None, said))
        random.Random(faults.seed).shuffle(output)  # noqa: S311 - no order is promised
        made.facts["output_file_id"] = self._store("".join(output).encode()) if output else None
        made.facts["error_file_id"] = self._store("".join(errors).encode()) if errors else None
        counts = {"completed": len(output), "failed": len(errors)}
        made.facts["request_counts"] = {"total": len(made.lines), **counts}

    def _answer(
        self, line: Mapping[str, Any], faults: BatchFaults, output: list[str], errors: list[str]
    ) -> None:
        drawn = random.Random(f"{faults.seed}|{line['custom_id']}").random()  # noqa: S311 - faults
        if drawn < faults.lost:
            self.injected["lost"] += 1
            return  # neither asked nor answered
        drawn -= faults.lost
        if drawn < faults.failing:
            self.injected["failing_line"] += 1
            body = {"error": {"message": "overloaded", "type": "stub", "code": None}}
            errors.append(_line(line, {"status_code": 503, "request_id": "", "body": body}, None))
            return
        drawn -= faults.failing
        status, answer = self.answer(line["body"])
        response = {"status_code": status, "request_id": "", "body": answer}
        written = output if status < 300 else errors
        written.append(_line(line, response, None))
        if drawn < faults.repeated:
            self.injected["repeated"] += 1
            written.append(_line(line, response, None))

    def _store(self, content: bytes) -> str:
        file_id = self._name("file")
        self.files[file_id] = content
        return file_id

    def _name(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}-{self._numbers}"


def _line(line: Mapping[str, Any], response: object, error: object) -> str:
    said = {"id": "", "custom_id": line["custom_id"], "response": response, "error": error}
    return json.dumps(said) + "\n"


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "stub"}}, status=status)
