"""What judging cost, by run, submission, judge, endpoint or day, against its estimates."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from medvid.judging.pricing import MICROUSD
from medvid.models.administration import CostLine, CostsBy, CostsPage
from medvid.models.base import Day
from medvid.spreadsheets import table
from services.gateway.web.parameters import Number, Parameters
from shared.storage.database import Database, transient_errors
from shared.storage.queries import load_queries

_SQL: Final = load_queries(__package__, "costs.sql")
_LARGEST_PAGE: Final = {"json": 1_000, "csv": 20_000}


class CostsQuery(Parameters):
    """Which costs are asked for, and how."""

    format: Literal["json", "csv"] = Field("json", description="the form of the answer")
    by: CostsBy = Field("run", description="what a line is of")
    since: Day | None = Field(None, description="the first day (UTC), such as 2026-04-15")
    until: Day | None = Field(None, description="the last day")
    page: Number = Field(1, ge=1, le=1_000_000, description="which page, from 1")
    page_size: Number = Field(
        100, ge=1, le=_LARGEST_PAGE["csv"], description="lines a page; JSON: no more than 1,000"
    )


class Costs:
    """Reads what judging cost; the sums are what the caps count, to the millionth of a dollar."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: CostsQuery) -> CostsPage:
        """Return a page of lines, those of the latest days first; raises Transient."""
        size = min(wanted.page_size, _LARGEST_PAGE[wanted.format])
        pool = self._database.pool
        days = wanted.since, wanted.until
        async with transient_errors():
            rows = await pool.fetch(_SQL["costs"], wanted.by, *days, size, (wanted.page - 1) * size)
            if not rows and wanted.page > 1:  # behind the last page: the sums are on the first
                first = await pool.fetchrow(_SQL["costs"], wanted.by, *days, 1, 0)
            else:
                first = rows[0] if rows else None
            set_aside = await pool.fetchval(_SQL["set_aside"])
        return CostsPage(
            page=wanted.page,
            page_size=size,
            total=first["total"] if first else 0,
            spent_usd=_usd(first["all_spent"] if first else 0),
            estimated_usd=_usd(first["all_estimated"]) if first else None,
            set_aside_usd=_usd(set_aside),
            lines=[
                CostLine(
                    name=row["name"],
                    model=row["model"],
                    spent_usd=_usd(row["spent"]),
                    estimated_usd=_usd(row["estimated"]),
                    runs=row["runs"],
                    first_day=row["first_day"],
                    last_day=row["last_day"],
                )
                for row in rows
            ],
        )


def _usd(microusd: int | None) -> float | None:
    return None if microusd is None else microusd / MICROUSD


def costs_csv(page: CostsPage) -> str:
    """Return a page as CSV."""
    columns = list(CostLine.model_fields)
    rows = []
    for line in page.lines:
        row = line.model_dump(mode="json")
        for column in ("spent_usd", "estimated_usd"):
            row[column] = None if row[column] is None else f"{row[column]:.6f}"
        rows.append([row[column] for column in columns])
    return table(columns, rows)
