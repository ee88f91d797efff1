"""Narrows a board by what is stated of its models: in an address, and in cursors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import parse_qsl, urlencode

from pydantic import Field

from medvid.models.facts import EVERY_MODEL, FILTERS, FactFilters
from services.gateway.boards.cursors import invalid_cursor
from services.gateway.web.parameters import Parameters, read_query
from shared.runtime.errors import InvalidInput


class NarrowingQuery(FactFilters, Parameters):
    """The parameters that narrow a board; `rerank` ranks those that are left."""

    rerank: bool = Field(
        False, description="rank those that are shown among themselves (`view_rank`)"
    )


@dataclass(frozen=True, slots=True)
class Narrowing:
    """By which facts a board is narrowed, and whether those that are left are ranked anew."""

    filters: FactFilters = EVERY_MODEL
    rerank: bool = False

    @classmethod
    def of(cls, query: NarrowingQuery) -> Self:
        """Return what a query asks for."""
        given = {name: getattr(query, name) for name in FILTERS}
        return cls(FactFilters.model_construct(**given), query.rerank)

    @classmethod
    def in_address(cls, query: Mapping[str, str]) -> Self:
        """Return what a page's address asks for; blank parameters do nothing, others are not read.

        Raises InvalidInput.
        """
        asked = {name: text for name in NAMES if (text := query.get(name, "").strip())}
        return cls.of(read_query(asked, NarrowingQuery))

    @classmethod
    def in_cursor(cls, text: str | None) -> Self:
        """Return what `text` made; raises InvalidInput for any other text."""
        try:
            return cls.of(read_query(dict(parse_qsl(text or "")), NarrowingQuery))
        except InvalidInput:
            raise invalid_cursor() from None

    @property
    def text(self) -> str:
        """It as an address has it; empty where it narrows nothing."""
        return urlencode(self.filters.texts() | ({"rerank": "true"} if self.rerank else {}))


NAMES: Final = (*FILTERS, "rerank")
"""The names of these parameters."""
WHOLE_BOARD: Final = Narrowing()
