"""What other rules say of a board's order, beside the board's own."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import Field

from medvid.benchmark.tasks import Board, Scoring
from medvid.models.base import Answer, Open
from medvid.models.boards import BoardSeries, RankStatistics


class SecondOpinion(Answer):
    """How firm one entry's rank is, and where other rules place it."""

    entry_id: UUID
    model_name: str
    organization: str
    rank: int = Field(ge=1, description="the board's own")
    mean_rank: float
    statistics: RankStatistics | None = Field(description="as on the board")
    one_entry_out: tuple[int, int] = Field(
        description="smallest and largest place, if any one other entry were not there"
    )
    one_metric_out: tuple[int, int] = Field(
        description="smallest and largest place, if any one metric did not count"
    )
    copeland: int = Field(
        description="wins less losses against every other entry; who leads in more metrics wins"
    )
    majority_place: int = Field(ge=1, description="by these")
    fair: float | None = Field(
        description="mean over metrics of the mean over sources of a normalised value, of 4 "
        "decimals; null: no values by source, or not the current board"
    )
    fair_place: int | None = Field(description="by this, among those that have one")
    one_judge_out: tuple[int, int] | None = Field(
        None,
        description="smallest and largest place, if any one judge of the panels that judged the "
        "board were not there; null: no panel did, or not the current board",
    )
    judges_out: dict[str, int] = Field({}, description="the place without each of them, by judge")
    weighted_mean_rank: float | None = Field(None, description="by the weights that were asked for")
    weighted_place: int | None = Field(None, description="by this; never the board's rank")


class SecondOpinions(Answer):
    """Second opinions on a board's order."""

    board: Open[Board]
    scoring: Open[Scoring]
    snapshot: int | None = Field(description="number of the snapshot that this is about")
    permalink: str | None
    updated_at: datetime | None
    series: BoardSeries | None = Field(None, description="which judged values take part")
    weights: dict[str, float] | None = Field(
        description="of every metric, as asked for; null: none were"
    )
    entries: list[SecondOpinion] = Field(description="the ranked ones, in the board's order")
