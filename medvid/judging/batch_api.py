"""OpenAI's Batch API through the `openai` client: files and batches, each step safe to repeat.

A file costs nothing; a batch does. So nothing is paid twice if a batch is looked for by its key
before it is created: a caller that dies after `submit`, before it wrote the id down, submits again
and gets the same batch. Two callers at the same time are the caller's to prevent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from medvid.judging.batch_lines import ADDRESS
from medvid.judging.calls import CallFailed
from medvid.judging.endpoint import OpenAiEndpoint
from medvid.judging.error_bodies import load_json, shown
from medvid.judging.prompt import Form

WINDOW: Final = "24h"
KEY: Final = "medvid_batch"
"""The name under which a batch's metadata holds our key."""
_LARGEST_OUTPUT: Final = 1 << 30  # bytes; 50,000 lines of 20,000 characters
_PAGE: Final = 100
_MOST_ERRORS: Final = 3
_MOST_PAGES: Final = 1_000
"""Of the account's list of batches: one that goes on behind a hundred thousand has no end."""
_ENDS: Final = ("completed", "failed", "expired", "cancelled")
STATES: Final = ("validating", "in_progress", "finalizing", "cancelling", *_ENDS)
_T = TypeVar("_T")
End = Literal["completed", "failed", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class ProviderBatch:
    """A batch as its provider tells it.

    `end`: how it ended, None while it goes on. `done` of `total` lines are answered or failed;
    both are 0 until the provider has read them. `errors`: why it was refused, for a human;
    `is_full`: because the account has as much waiting as it may have.
    """

    id: str
    state: str
    end: End | None
    total: int
    done: int
    outputs: tuple[str, ...]
    """Files of answers and of errors, where there are any; of one that did not complete, too."""
    expires_at: int | None
    """Unix time (s)."""
    errors: str = ""
    is_full: bool = False


@dataclass(frozen=True, slots=True)
class BatchApi:
    """Files and batches of one endpoint. Every method raises CallFailed and nothing else.

    `seconds` bounds each request: files are larger than answers, so it is not the endpoint's.
    """

    endpoint: OpenAiEndpoint
    seconds: float = 600.0

    async def upload(self, name: str, content: bytes) -> str:
        """Store a file of lines there; returns its id."""
        file = (f"{name}.jsonl", content, "application/jsonl")
        stored = await self._guarded(self.endpoint.client.files.create(file=file, purpose="batch"))
        return stored.id

    async def submit(self, file_id: str, key: str) -> ProviderBatch:
        """Return the batch of this key; where there is none, have it made of the file."""
        return await self.find(key) or await self.create(file_id, key)

    async def create(self, file_id: str, key: str, seconds: float | None = None) -> ProviderBatch:
        """Have a batch made of a file, which is paid for; within `seconds`, if given."""
        body = {
            "input_file_id": file_id,
            "endpoint": ADDRESS,
            "completion_window": WINDOW,
            "metadata": {KEY: key},
        }
        return _batch(await self._call("POST", "/batches", body, seconds))

    async def find(self, key: str) -> ProviderBatch | None:
        """Return the batch of this key, the newest of several, or None.

        Reads the account's whole list, a hundred at a time: it has no search.
        """
        after: str | None = None
        for _ in range(_MOST_PAGES):
            query = f"?limit={_PAGE}" + (f"&after={after}" if after else "")
            page = await self._call("GET", f"/batches{query}")
            listed = [each for each in _list(page.get("data")) if isinstance(each, Mapping)]
            for each in listed:
                metadata = each.get("metadata")
                if isinstance(metadata, Mapping) and metadata.get(KEY) == key:
                    return _batch(each)
            last = listed[-1].get("id") if listed else None
            if not page.get("has_more") or not isinstance(last, str) or last == after:
                break
            after = last
        return None

    async def look(self, batch_id: str) -> ProviderBatch:
        """Return how a batch is."""
        return _batch(await self._call("GET", f"/batches/{batch_id}"))

    async def cancel(self, batch_id: str) -> ProviderBatch:
        """Ask that a batch ends; what was answered comes, and is billed. One that ended stays."""
        try:
            return _batch(await self._call("POST", f"/batches/{batch_id}/cancel"))
        except CallFailed as refusal:
            batch = await self.look(batch_id)
            if batch.end is None:
                raise refusal from None
            return batch

    async def read(self, file_id: str) -> bytes:
        """Return a file of answers or errors, without the key."""
        return self.endpoint.without_secrets(await self._guarded(self._content(file_id)))

    async def delete(self, file_id: str) -> None:
        """Have a file deleted; one that is gone already is no failure."""
        await self._guarded(self._deleted(file_id))

    async def _content(self, file_id: str) -> bytes:
        content = bytearray()
        files = self.endpoint.client.files.with_streaming_response
        async with files.content(file_id) as response:
            async for piece in response.iter_bytes():
                content += piece
                if len(content) > _LARGEST_OUTPUT:
                    detail = f"the file is larger than {_LARGEST_OUTPUT >> 20} MiB"
                    raise CallFailed("failing", "too_large", detail)
        return bytes(content)

    async def _deleted(self, file_id: str) -> None:
        try:
            await self.endpoint.client.files.delete(file_id)
        except Exception as error:
            if getattr(error, "status_code", None) != 404:
                raise

    async def _call(
        self, method: str, path: str, body: object = None, seconds: float | None = None
    ) -> Mapping[str, Any]:
        return await self._guarded(self._answer(method, path, body), seconds)

    async def _answer(self, method: str, path: str, body: object) -> Mapping[str, Any]:
        """Return what an address answers: the bytes are read, as types differ by provider."""
        import httpx2

        client = self.endpoint.client
        if method == "GET":
            response = await client.get(path, cast_to=httpx2.Response)
        else:
            response = await client.post(path, cast_to=httpx2.Response, body=body)
        answer = load_json(self.endpoint.without_secrets(response.content))
        if not isinstance(answer, Mapping):
            raise CallFailed("failing", "garbled", "the answer is no object", maybe_billed=True)
        return answer

    async def _guarded(self, work: Awaitable[_T], seconds: float | None = None) -> _T:
        """Turn what the client raises into a CallFailed that holds none of it, nor hangs on it."""
        failure: CallFailed
        try:
            async with asyncio.timeout(seconds or self.seconds):
                return await work
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold the key
            failure = self.endpoint.failure(error, Form.LINES, "")
        raise failure


def _batch(answer: Mapping[str, Any]) -> ProviderBatch:
    """Return a batch of what a provider says; raises CallFailed for one without id or state."""
    batch_id, state = answer.get("id"), answer.get("status")
    if not isinstance(batch_id, str) or not isinstance(state, str):
        raise CallFailed("failing", "garbled", "the answer is no batch", maybe_billed=True)
    counts = answer.get("request_counts")
    counts = counts if isinstance(counts, Mapping) else {}
    files = (answer.get("output_file_id"), answer.get("error_file_id"))
    expires_at = answer.get("expires_at")
    return ProviderBatch(
        id=batch_id,
        state=shown(state),
        end=next((end for end in _ENDS if end == state), None),
        total=_count(counts.get("total")),
        done=_count(counts.get("completed")) + _count(counts.get("failed")),
        outputs=tuple(name for name in files if isinstance(name, str) and name),
        expires_at=expires_at if isinstance(expires_at, int) else None,
        errors=_errors(answer.get("errors")),
        is_full=any(map(_says_full, _listed_errors(answer.get("errors")))),
    )


def _errors(errors: object) -> str:
    listed = _listed_errors(errors)
    named = [
        f"{f'line {line}: ' if isinstance(line := each.get('line'), int) else ''}"
        f"{shown(str(each.get('message') or each.get('code') or ''))}"
        for each in listed[:_MOST_ERRORS]
        if isinstance(each, Mapping)
    ]
    more = len(listed) - _MOST_ERRORS
    return "; ".join(named) + (f"; and {more} more" if more > 0 else "")


def _listed_errors(errors: object) -> list[Any]:
    return _list(errors.get("data") if isinstance(errors, Mapping) else errors)


def _says_full(error: object) -> bool:
    """Tell whether an error is that of the limit of tokens that an account may have waiting."""
    if not isinstance(error, Mapping):
        return False
    says = str(error.get("message") or "").lower()
    return error.get("code") == "token_limit_exceeded" or "enqueued token" in says


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
