"""The `openai` client: one call to an OpenAI-compatible endpoint.

The client's own errors hold the request, and so the key: they end here. What is raised instead is
raised outside of their handling, so that nothing hangs on to them. It reads no reply either: types
differ by provider, and `completions` and `failures` read the bytes.

It is imported when a client is opened: 0.2 s and 15 MB, and an extra of the library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from medvid.judging.calls import CallFailed, Completion
from medvid.judging.completions import read_completion
from medvid.judging.connections import read_connection_failure
from medvid.judging.ends import announced_end
from medvid.judging.error_bodies import load_json
from medvid.judging.failures import read_failure
from medvid.judging.prompt import ChatMessage, Form, reply_schema
from medvid.judging.versions import JudgeVersion, TokenParameter

if TYPE_CHECKING:
    import httpx2
    import openai

_CONNECT_SECONDS: Final = 10.0
_CONNECT_SHARE: Final = 3  # name, connection and TLS have this long each, and a call all of it
_LARGEST_ANSWER: Final = 8 << 20  # bytes; a million characters of thoughts, escaped, are 6 MB
_OF_TRANSFER: Final = (b"content-encoding", b"content-length", b"transfer-encoding")
_SHORTEST_SECRET: Final = (
    8  # characters; endpoints without a key get a word that may occur in texts
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model is asked. `token_parameter` is what the endpoint calls the longest reply.

    `rationale`: whether the schema asks for a reason, too.
    """

    model: str
    max_tokens: int
    temperature: float | None = None
    seed: int | None = None
    token_parameter: TokenParameter = "max_tokens"  # noqa: S105 - tokens of text
    rationale: bool = False
    reasoning_effort: str | None = None

    @classmethod
    def of(cls, version: JudgeVersion, token_parameter: TokenParameter) -> Self:
        """Return how a judge's model is asked."""
        return cls(
            model=version.model,
            max_tokens=version.max_tokens,
            temperature=version.temperature,
            seed=version.seed,
            token_parameter=token_parameter,
            rationale=version.rationale is not None,
            reasoning_effort=version.reasoning_effort,
        )


def open_client(
    *,
    api_key: str,
    base_url: str,
    seconds: float,
    trust_env: bool = True,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> openai.AsyncOpenAI:
    """Return a client without retries of its own.

    It follows no redirect, which would send references to an address that was not configured.
    Proxies of the environment are used if `trust_env`. `query` and `headers` go with every call.
    """
    import openai

    timeout = openai.Timeout(seconds, connect=min(seconds / _CONNECT_SHARE, _CONNECT_SECONDS))
    return openai.AsyncOpenAI(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=timeout,
        default_query=query,
        default_headers=headers,
        http_client=_bounded_client()(
            base_url=base_url, timeout=timeout, follow_redirects=False, trust_env=trust_env
        ),
    )


@cache
def _bounded_client() -> type[httpx2.AsyncClient]:
    """Return the HTTP client's class with an end to every answer, packed ones included.

    One that never ends would take all memory before its time is over.
    """
    import httpx2
    import openai

    class BoundedClient(openai.DefaultAioHttpClient):
        """Reads no more of an answer than `_LARGEST_ANSWER`."""

        async def send(
            self, request: httpx2.Request, *, stream: bool = False, **how: Any
        ) -> httpx2.Response:
            response = await super().send(request, stream=True, **how)
            if stream:
                return response
            try:
                content = await _read(response)
            finally:
                await response.aclose()
            headers = [
                (name, value)
                for name, value in response.headers.raw
                if name.lower() not in _OF_TRANSFER
            ]
            return httpx2.Response(
                response.status_code,
                headers=headers,
                content=content,
                request=request,
                extensions=response.extensions,
            )

    return BoundedClient


async def _read(response: httpx2.Response) -> bytes:
    """Return an answer's whole content, unpacked; raises CallFailed for one that is too large."""
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > _LARGEST_ANSWER:
            detail = f"the answer is larger than {_LARGEST_ANSWER >> 20} MiB"
            raise CallFailed("failing", "too_large", detail, maybe_billed=True)
    return bytes(content)


@dataclass(frozen=True, slots=True)
class OpenAiEndpoint:
    """A ModelEndpoint. `seconds` bounds a whole call; the client only bounds each pause.

    `secrets` are hidden wherever an endpoint repeats them, as the key is.
    """

    client: openai.AsyncOpenAI
    sampling: Sampling
    seconds: float
    secrets: Sequence[str] = ()

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Completion:
        """Return the completion; raises CallFailed and nothing else."""
        sent = _text(messages[-1]["content"]) if messages else ""
        failure: CallFailed
        try:
            async with asyncio.timeout(self.seconds):
                response = await self.client.post(
                    "/chat/completions",
                    cast_to=_response_type(),
                    body=self.request(messages, form),
                )
            completion = read_completion(
                self.without_secrets(response.content),
                response.headers,
                form,
                now=datetime.now(UTC),
                sent=sent,
            )
        except CallFailed as found:
            failure = found
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold the key
            failure = self.failure(error, form, sent)
        else:
            return completion
        raise failure

    async def is_up(self) -> bool:
        """Ask, free of charge, whether a call is worth a try: any answer but a fault says so.

        An endpoint may list no models, or not for this key; then a call decides.
        """
        try:
            async with asyncio.timeout(self.seconds):
                await self.client.models.with_raw_response.list()
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold the key
            status = getattr(error, "status_code", 503)
            return status < 500 and status != 429
        return True

    async def models(self) -> dict[str, date | None]:
        """Return the listed models and their announced ends; raises CallFailed."""
        failure: CallFailed
        try:
            async with asyncio.timeout(self.seconds):
                response = await self.client.models.with_raw_response.list()
            return _listed_models(response.http_response.content)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold the key
            failure = self.failure(error, Form.LINES, "")
        raise failure

    def request(self, messages: Sequence[ChatMessage], form: Form) -> dict[str, Any]:
        """Return the body of a call, which is a batch's line, too."""
        sampling = self.sampling
        parameters: dict[str, Any] = {
            "model": sampling.model,
            "messages": messages,
            sampling.token_parameter: sampling.max_tokens,
        }
        if sampling.temperature is not None:
            parameters["temperature"] = sampling.temperature
        if sampling.seed is not None:
            parameters["seed"] = sampling.seed
        if sampling.reasoning_effort is not None:
            parameters["reasoning_effort"] = sampling.reasoning_effort
        if form is Form.JSON:
            schema = reply_schema(rationale=sampling.rationale)
            named = {"name": "verdict", "strict": True, "schema": schema}
            parameters["response_format"] = {"type": "json_schema", "json_schema": named}
        return parameters

    def failure(self, error: Exception, form: Form, sent: str) -> CallFailed:
        """Return what an error of the client means, without what it holds of the key."""
        import openai

        if isinstance(error, CallFailed):
            return error
        if isinstance(error, openai.APIStatusError):
            return read_failure(
                error.status_code,
                self.without_secrets(error.response.content),
                error.response.headers,
                form,
                now=datetime.now(UTC),
                sent=sent,
            )
        if isinstance(error, openai.APIConnectionError | TimeoutError | OSError):
            return read_connection_failure(error, self.seconds)
        detail = f"the answer cannot be read: {type(error).__name__}"
        return CallFailed("failing", "garbled", detail, maybe_billed=True)

    def without_secrets(self, content: bytes) -> bytes:
        """Return what an endpoint sent without the key, which a careless one may repeat.

        Before anything of it is read or cut: half a key is a secret too.
        """
        for secret in (self.client.api_key, *self.secrets):
            if len(secret) >= _SHORTEST_SECRET:
                content = content.replace(secret.encode(), b"(key)")
        return content


def _text(content: object) -> str:
    """Return a message's text; of parts, pictures among them, the texts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return " ".join(part["text"] for part in parts if "text" in part)


def _response_type() -> type[httpx2.Response]:
    """Return the client's own type of answers, which it hands on as they are.

    Its typed method walks through every field of a request and an answer, which costs more than
    sending it.
    """
    import httpx2

    return httpx2.Response


def _listed_models(body: bytes) -> dict[str, date | None]:
    """Return name and announced end of each model in a list: of objects with an id, or of names."""
    try:
        listed = load_json(body)
    except ValueError:
        return {}
    if isinstance(listed, Mapping):
        listed = listed.get("data", listed.get("models"))
    ends = {}
    for model in listed if isinstance(listed, list) else ():
        name = model.get("id", model.get("name")) if isinstance(model, Mapping) else model
        if isinstance(name, str):
            ends[name] = announced_end(model)
    return ends
