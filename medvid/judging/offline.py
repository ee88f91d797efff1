"""Judging without a server: the distinct pairs of one file, asked of one endpoint by one process.

Prompt, reply form, reader and retry rule are those of the server's judge. What a server shares
between replicas (budgets, rates, claims, health) is one object here.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from medvid.judging.calls import (
    FINAL,
    NOTHING_USED,
    CallFailed,
    Completion,
    ModelEndpoint,
    Usage,
)
from medvid.judging.explanations import explained
from medvid.judging.forms import FormChoice
from medvid.judging.model_names import counts_as
from medvid.judging.plans import DistinctPair, task_of_metrics
from medvid.judging.pricing import MICROUSD, TokenPrice
from medvid.judging.prompt import Form, build_messages, estimate_tokens
from medvid.judging.replies import REASONING_LIMIT, InvalidReply, ReadVerdict, read_reply
from medvid.judging.retry import RetryPolicy
from medvid.judging.rubric import Rubric
from medvid.judging.verdict_file import VerdictFile
from medvid.judging.versions import JudgeVersion

POLICY: Final = RetryPolicy(attempts=8, base=0.5, longest=120)
"""More patient than the server's, which tries a pair again later."""
_FAILURES: Final = 10
"""After this many pairs in a row without an answer, or without a verdict, no more is paid for."""


class Stopped(Exception):
    """Judging stops before its end; the text says why and what to do.

    `may_pass`: the same command may work later. What was judged is in the file either way.
    """

    def __init__(self, detail: str, *, may_pass: bool = False) -> None:
        super().__init__(detail)
        self.may_pass = may_pass


@dataclass(slots=True)
class _Tally:
    attempts: int = 0
    used: Usage = NOTHING_USED
    microusd: int = 0
    asked_again: bool = False


@dataclass(slots=True)
class OfflineJudge:
    """Judges pairs into a file. `limit`: most that the file's verdicts may cost, in microusd."""

    endpoint: ModelEndpoint
    version: JudgeVersion
    rubric: Rubric
    price: TokenPrice
    file: VerdictFile
    limit: int | None = None
    policy: RetryPolicy = POLICY
    draw: Callable[[], float] = random.random
    model_prefix: str | None = None
    form: FormChoice = field(default_factory=FormChoice)
    unscored: Counter[str] = field(default_factory=Counter, init=False)
    _reserved: int = field(default=0, init=False)
    _unsettled: int = field(default=0, init=False)
    """Cost of calls whose pairs are not in the file yet."""
    _settled: asyncio.Condition = field(default_factory=asyncio.Condition, init=False)
    _in_vain: int = field(default=0, init=False)

    async def judge(
        self, texts: Sequence[DistinctPair], concurrency: int, advance: Callable[[], None]
    ) -> None:
        """Judge what has no verdict, several at a time; raises Stopped, calls under way first.

        The first pair goes alone: it shows whether the endpoint works, and in which form. Pairs
        that failed before go last, so that they stop nothing that was not tried yet.
        """
        missing = [text for text in texts if text.sha256 not in self.file.scored]
        left = iter(sorted(missing, key=lambda text: text.sha256 in self.file.used))
        stopped: list[Stopped] = []

        async def work(most: int | None = None) -> None:
            for text in left:
                if stopped:
                    return
                try:
                    await self._judge(text)
                except Stopped as reason:
                    stopped.append(reason)
                    return
                advance()
                if most == 1:
                    return

        await work(1)
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
        if stopped:
            raise stopped[0]

    async def _judge(self, text: DistinctPair) -> None:
        """Bring one pair to a verdict in the file, or to the reason why it has none."""
        tally, failed = _Tally(), 0
        reply: ReadVerdict | None = None
        reason: str | None = None
        detail = model = ""
        try:
            while reason is None and reply is None:
                try:
                    completion, form = await self._ask(text, tally)
                except CallFailed as failure:
                    failed += 1
                    reason, detail = await self._failed(failure, failed)
                    continue
                model = completion.model
                self._require_model(model)
                try:
                    reply = read_reply(
                        completion.content,
                        finish_reason=completion.finish_reason,
                        refusal=completion.refusal,
                        rationale=self.rubric.rationale,
                        parser=self.version.parser,
                    )
                    self.form.worked(form)
                except InvalidReply as error:
                    if tally.asked_again or error.reason == REASONING_LIMIT:
                        reason, detail = error.reason, error.detail
                    tally.asked_again = True
        finally:
            self._keep(text, reply, reason or "stopped", detail, model, tally)
        self._note(reason, detail)

    async def _failed(self, failure: CallFailed, failed: int) -> tuple[str | None, str]:
        """Wait before the next attempt; returns why there is none. Raises Stopped."""
        if failure.kind == "unusable":
            raise Stopped(f"{explained(failure).rstrip('.')}.")
        if failure.kind in FINAL:
            return "refused" if failure.kind == "refused" else "rejected", failure.detail
        seconds = self.policy.wait(failed, failure.retry_after, self.draw)
        if seconds is None:
            return "no_answer", failure.detail
        await asyncio.sleep(seconds)
        return None, ""

    def _note(self, reason: str | None, detail: str) -> None:
        """Count pairs without a verdict; raises Stopped after many in a row."""
        if reason is None:
            self._in_vain = 0
            return
        self.unscored[reason] += 1
        self._in_vain += 1
        if self._in_vain >= _FAILURES:
            raise Stopped(
                f"{_FAILURES} pairs in a row got no verdict ({reason}: {detail}).",
                may_pass=reason == "no_answer",
            )

    def _require_model(self, said: str) -> None:
        if not counts_as(self.version.model, said, prefix=self.model_prefix):
            raise Stopped(
                f"the endpoint answers as the model {said or '(none named)'}, not "
                f"{self.version.model}: give --model as it is named there, or --model-prefix."
            )

    async def _ask(self, text: DistinctPair, tally: _Tally) -> tuple[Completion, Form]:
        """Call in the form that is known; where it is refused, in the other."""
        form = self.form.next
        try:
            completion = await self._call(text, form, tally)
        except CallFailed as failure:
            if not self.form.tries_lines(failure, form):
                raise
            form = Form.LINES
            completion = await self._call(text, form, tally)
        return completion, form

    async def _call(self, text: DistinctPair, form: Form, tally: _Tally) -> Completion:
        messages = build_messages(
            self.rubric,
            text.prediction.decode(),
            text.reference.decode(),
            task_of_metrics(text.metrics),
            form=form,
            limit=self.version.max_caption_characters,
            reminder=tally.asked_again,
        )
        prompt = estimate_tokens(messages, at_most=True)
        reserved = self.price.most(prompt, self.version.max_tokens)
        await self._reserve(reserved)
        with self._settling(reserved, tally) as spent:
            tally.attempts += 1
            try:
                completion = await self.endpoint.ask(messages, form)
            except CallFailed as failure:
                if not failure.maybe_billed:
                    spent[0] = 0
                usage = failure.usage
                raise
            else:
                usage = completion.usage
            finally:
                if usage is not None:
                    spent[0] = self.price.cost(*usage)
                    tally.used = tally.used.plus(usage)
        async with self._settled:
            self._settled.notify_all()
        return completion

    @contextmanager
    def _settling(self, reserved: int, tally: _Tally) -> Iterator[list[int]]:
        """Turn a reservation into what the call cost: all of it, unless we learn better."""
        spent = [reserved]
        try:
            yield spent
        finally:
            self._reserved -= reserved
            self._unsettled += spent[0]
            tally.microusd += spent[0]

    async def _reserve(self, microusd: int) -> None:
        """Set money aside; waits for calls under way, raises Stopped where it is spent."""
        if self.limit is not None:
            limit = self.limit

            def spent() -> int:
                return self.file.microusd + self._unsettled

            async with self._settled:
                await self._settled.wait_for(
                    lambda: (
                        spent() + self._reserved + microusd <= limit
                        or spent() + microusd > limit
                        or not self._reserved
                    )
                )
            if spent() + microusd > limit:
                raise Stopped(
                    f"the limit is reached: {spent() / MICROUSD:.4f} of {limit / MICROUSD:.4f} USD "
                    "are spent. Give a higher --limit-usd to continue where it stopped."
                )
        self._reserved += microusd

    def _keep(
        self,
        text: DistinctPair,
        reply: ReadVerdict | None,
        reason: str,
        detail: str,
        model: str,
        tally: _Tally,
    ) -> None:
        if not tally.attempts:
            return
        self._unsettled -= tally.microusd
        self.file.add(
            text.sha256,
            reply.scores if reply else None,
            tally.microusd,
            unscored=None if reply else reason,
            detail=None if reply else detail,
            model=model,
            prompt_tokens=tally.used.prompt,
            cached_tokens=tally.used.cached,
            completion_tokens=tally.used.completion,
            reasoning_tokens=tally.used.reasoning,
            attempts=tally.attempts,
            **({"rationale": reply.rationale} if reply and reply.rationale else {}),
        )
