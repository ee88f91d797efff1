"""The `openai` client: one call to an OpenAI-compatible endpoint, and what its failures mean.

The client's own errors hold the request, and so the key: they end here. What is raised instead is
raised outside of their handling, so that nothing hangs on to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from medvid.judging.prompt import ChatMessage, Form, reply_schema
from medvid.judging.retry import parse_retry_after
from services.judge.ports import Answer, CallFailed

# Half a second of a processor and 40 MB, which a judge that asks no model does not need: imported
# where a client is opened, and from then on there.
if TYPE_CHECKING:
    import openai
    from openai.types.chat import ChatCompletion

_CURES: Final = {
    401: "The endpoint refuses the key: set MEDVID_JUDGE_API_KEY to one that is valid there, and "
    "restart the judge.",
    402: "The account has no credit left: add some, or use the key of another account.",
    403: "The key is known but may not do this: allow its project to use MEDVID_JUDGE_MODEL from "
    "this address, or use another key.",
    404: "There is no such model or path: check MEDVID_JUDGE_MODEL and MEDVID_JUDGE_BASE_URL.",
    405: "The address takes no chat completions: check MEDVID_JUDGE_BASE_URL (it ends in /v1 at "
    "most providers).",
}
"""What is the same for every pair, and what to do about it."""
_NO_QUOTA: Final = "The account's quota is used up: raise it, or use the key of another account."
_MOVED: Final = "The endpoint has moved: set MEDVID_JUDGE_BASE_URL to its new address."
_PASSING: Final = (408, 409)
_SHOWN_CHARACTERS: Final = 300
_CONNECT_SECONDS: Final = 10.0
_SHORTEST_SECRET: Final = (
    8  # characters; endpoints without a key get a word that may occur in texts
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the model is asked. `token_parameter` is what the endpoint calls the longest reply."""

    model: str
    max_tokens: int
    temperature: float | None = None
    seed: int | None = None
    token_parameter: str = "max_tokens"  # noqa: S105 - tokens of text


def open_client(
    *, api_key: str, base_url: str, seconds: float, trust_env: bool = True
) -> openai.AsyncOpenAI:
    """Return a client without retries of its own.

    It follows no redirect: references would go where nobody sent them. Proxies of the environment
    are used if `trust_env`.
    """
    import openai

    timeout = openai.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
    return openai.AsyncOpenAI(
        api_key=api_key,
        base_url=base_url,
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultAsyncHttpxClient(
            base_url=base_url, timeout=timeout, follow_redirects=False, trust_env=trust_env
        ),
    )


@dataclass(frozen=True, slots=True)
class OpenAiEndpoint:
    """Implements Endpoint. `seconds` bounds a whole call; the client only bounds each pause."""

    client: openai.AsyncOpenAI
    sampling: Sampling
    seconds: float

    async def ask(self, messages: Sequence[ChatMessage], form: Form) -> Answer:
        """Return the answer; raises CallFailed and nothing else."""
        from openai.types.chat import ChatCompletion

        try:
            async with asyncio.timeout(self.seconds):
                completion: object = await self.client.chat.completions.create(
                    model=self.sampling.model,
                    messages=cast(Any, messages),
                    **self._parameters(form),
                )
        except Exception as error:  # noqa: BLE001 - whatever it is, it may hold the key
            failure = self._failure(error, form)
        else:
            if isinstance(completion, ChatCompletion):
                return self._answer(completion)
            failure = _garbled("the answer is no chat completion")
        raise failure

    async def is_up(self) -> bool:
        """Ask for the list of models, which costs nothing. An endpoint without one is up too."""
        import openai

        try:
            async with asyncio.timeout(self.seconds):
                await self.client.models.list()
        except openai.APIStatusError as error:
            return error.status_code < 500 and error.status_code not in (401, 403, 429)
        except (openai.OpenAIError, TimeoutError, ValueError):
            return False
        return True

    def _parameters(self, form: Form) -> dict[str, Any]:
        sampling = self.sampling
        parameters: dict[str, Any] = {sampling.token_parameter: sampling.max_tokens}
        if sampling.temperature is not None:
            parameters["temperature"] = sampling.temperature
        if sampling.seed is not None:
            parameters["seed"] = sampling.seed
        if form is Form.JSON:
            schema = {"name": "verdict", "strict": True, "schema": reply_schema()}
            parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
        return parameters

    def _failure(self, error: Exception, form: Form) -> CallFailed:
        import openai

        if isinstance(error, openai.APIStatusError):
            return self._refusal(error, form)
        if isinstance(error, openai.APITimeoutError | TimeoutError):
            detail = f"no answer within {self.seconds:g} s"
            return CallFailed("failing", "timeout", detail, maybe_billed=True)
        if isinstance(error, openai.APIConnectionError):
            why = type(error.__cause__).__name__ if error.__cause__ else "lost"
            # Once it was sent it may have been answered; a connection never made was not.
            sent = "Connect" not in why
            detail = f"the connection failed: {why}"
            return CallFailed("failing", "connection", detail, maybe_billed=sent)
        return _garbled(f"the answer cannot be read: {type(error).__name__}")

    def _refusal(self, error: openai.APIStatusError, form: Form) -> CallFailed:
        status = error.status_code
        outcome, detail = str(status), self._shown(error)
        if status == 429 and error.code != "insufficient_quota":
            kind = "throttled"
        elif status >= 500 or status in _PASSING:
            kind = "failing"
        elif status < 400 or status == 429 or status in _CURES:
            kind = "unusable"
        elif form is Form.JSON and _is_about_schema(error):
            kind = "no_schema"
        else:
            kind = "rejected"
        if kind == "unusable":
            detail = f"{_cure(status)} ({detail})"
        header = error.response.headers.get("retry-after")
        retry_after = parse_retry_after(header, datetime.now(UTC))
        return CallFailed(cast(Any, kind), outcome, detail, retry_after=retry_after)

    def _shown(self, error: openai.APIStatusError) -> str:
        return _clean(self._without_key(f"{error.status_code}: {error.message}"))

    def _answer(self, completion: ChatCompletion) -> Answer:
        """Read an answer as the endpoint sent it: the client does not check types."""
        usage = completion.usage
        choice: Any = completion.choices[0] if completion.choices else None
        message = getattr(choice, "message", None)
        return Answer(
            content=self._text(getattr(message, "content", None)),
            refusal=self._text(getattr(message, "refusal", None)),
            finish_reason=self._text(getattr(choice, "finish_reason", None)),
            model=_clean(self._without_key(str(completion.model or ""))),
            usage=(_whole(usage.prompt_tokens), _whole(usage.completion_tokens)) if usage else None,
        )

    def _text(self, value: object) -> str | None:
        return self._without_key(value) if isinstance(value, str) else None

    def _without_key(self, text: str) -> str:
        """Return what an endpoint said without the key, which a careless one may repeat."""
        key = self.client.api_key
        return text if len(key) < _SHORTEST_SECRET else text.replace(key, "(key)")


def _cure(status: int) -> str:
    return _MOVED if status < 400 else _CURES.get(status, _NO_QUOTA)


def _garbled(detail: str) -> CallFailed:
    return CallFailed("failing", "garbled", detail, maybe_billed=True)


def _is_about_schema(error: openai.APIStatusError) -> bool:
    words = ("response_format", "json_schema", "schema")
    return error.status_code in (400, 422) and any(word in error.message for word in words)


def _whole(tokens: object) -> int:
    """Return a count of tokens, 0 for what is none: a wrong bill must not stop the work."""
    return tokens if isinstance(tokens, int) and tokens > 0 else 0


def _clean(text: str) -> str:
    """Return text that any log, table or page can hold."""
    shown = text[:_SHOWN_CHARACTERS].encode("utf-8", "replace").decode()
    return "".join(character if character.isprintable() else " " for character in shown)
