"""The judge's SQL about endpoints: the form in which each replies, found once for all replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from medvid.judging.forms import form_named, named
from medvid.judging.prompt import Form
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class SharedForm:
    """What all replicas know of one endpoint and model."""

    database: Database
    endpoint: str
    model: str

    async def load(self) -> Form | None:
        """Return the form that was found, None before."""
        async with transient_errors():
            row = await self.database.pool.fetchrow(_SQL["form_of"], self.endpoint, self.model)
        return form_named(row["reply_form"]) if row else None

    async def keep(self, form: Form, decided_by: str) -> None:
        """Store the form, with what the endpoint said when it was decided."""
        async with transient_errors():
            await self.database.pool.execute(
                _SQL["form_keep"], self.endpoint, self.model, named(form), decided_by
            )
