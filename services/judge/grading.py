"""Joins the grader's parts: the provider's client, the shared rate and the shared money."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.judge.ports import Grader
from services.judge.settings import JudgeSettings
from shared.runtime.errors import Misconfigured
from shared.runtime.infrastructure import Infrastructure


@dataclass(frozen=True, slots=True)
class Judge:
    """A grader that is ready; `month_left` tells what this month's cap leaves, None for no cap."""

    grader: Grader
    month_left: Callable[[], Awaitable[int | None]]


@asynccontextmanager
async def open_judge(base: Infrastructure, settings: JudgeSettings) -> AsyncIterator[Judge | None]:  # noqa: ARG001
    """Open what the settings ask for; None where judging is off."""
    if settings.judge_provider == "none":
        yield None
        return
    raise Misconfigured(f"there is no judge {settings.judge_provider}.", fix="Use none.")
