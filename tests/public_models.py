"""The public models, found by looking."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

from medvid import models
from medvid.models.base import Answer, NumberedPage, Page
from medvid.models.figures import BoardFigure, MeasuredValue

PARAMETERS = frozenset({"WebhookHeaders"})
"""Shown field by field, so they have no schema of their own."""
EVENTS = frozenset({"BoardNews", "BoardRank"})
"""Data of events and lines of files, which the document describes as text."""


def public_answers() -> dict[str, type[Answer]]:
    """Every model of an answer, by the name that it has in the OpenAPI document."""
    modules = [
        import_module(f"{models.__name__}.{each.name}")
        for each in pkgutil.iter_modules(models.__path__)
    ]
    return {
        name: model
        for module in modules
        for name, model in vars(module).items()
        if inspect.isclass(model)
        and issubclass(model, Answer)
        and model not in (Answer, Page, NumberedPage, BoardFigure, MeasuredValue)
        and name not in PARAMETERS | EVENTS
    }
