"""Boards of any number of models, in which nothing repeats: every number, name and id is drawn."""

from __future__ import annotations

import random
from datetime import date
from typing import Final
from uuid import UUID

from medvid.benchmark.tasks import METRICS
from medvid.models.boards import RankStatistics
from services.gateway.boards.models import MeasuredBoard, MeasuredEntry

MANY: Final = 241
TRACK: Final = "MICCAI 2026"
"""The track of every third."""
_FIRST_DAY: Final = date(2025, 6, 1).toordinal()


def measured_board(count: int = MANY) -> MeasuredBoard:
    """Return a community board with statistics and intervals."""
    drawn = random.Random(count)  # noqa: S311 - numbers of an example
    return MeasuredBoard.empty("community", "compat").model_copy(
        update={
            "entries": [_entry(rank, drawn) for rank in range(1, count + 1)],
            "snapshot": 1_000_000,
        }
    )


def _entry(rank: int, drawn: random.Random) -> MeasuredEntry:
    values = {each.key: round(drawn.uniform(each.minimum, each.maximum), 3) for each in METRICS}
    return MeasuredEntry(
        rank=rank,
        entry_id=UUID(int=drawn.getrandbits(128)),
        model_name=f"Model-{drawn.getrandbits(40):x}",
        organization=f"Lab {drawn.getrandbits(20):x}",
        team=f"Team {drawn.getrandbits(20):x}",
        track=TRACK if rank % 3 == 0 else None,
        submitted_on=date.fromordinal(_FIRST_DAY + drawn.randrange(300)),
        mean_rank=round(drawn.uniform(1, 241), 4),
        values=dict(values),
        ranks={each.key: drawn.randrange(1, 242) for each in METRICS},
        statistics=RankStatistics(
            rank_low=max(1, rank - 3), rank_high=rank + 4, first_share=0.1, may_be_best=rank < 5
        ),
        intervals={key: (value - 0.02, value + 0.02) for key, value in values.items()},
    )


def imported_rows(count: int) -> list[dict[str, object]]:
    """Return rows as an administrator imports them."""
    return [
        {
            "model_name": entry.model_name,
            "organization": entry.organization,
            "team": entry.team,
            "track": entry.track,
            "date": entry.submitted_on.isoformat(),
            **entry.values,
        }
        for entry in measured_board(count).entries
    ]
