"""Boards and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field

from medvid.benchmark.disclosure import FEWEST_ANSWERS, Withheld
from medvid.benchmark.series import NotRanked, Treatment
from medvid.benchmark.tasks import METRICS, Board, Ranking, Scoring
from medvid.models.base import SCHEMA_MEANING, SCHEMA_VERSION, Answer, Open
from medvid.models.facts import BoardFacts
from medvid.models.notes import PublicNote
from medvid.models.site import SiteLinks

NoStatistics = Literal["coming", "too_many_entries", "not_made"]
WHY_WITHHELD: Final = "why there are no values; null: they are shown"


_TIES: Final[Mapping[Ranking | None, str]] = {
    "competition": "ties share the smaller rank (1, 2, 2, 4)",
    "dense": "ties share a rank and none is skipped (1, 2, 2, 3)",
    None: "ties share the smaller rank (1, 2, 2, 4; where a board's ranking is dense 1, 2, 2, 3)",
}


def ranking_rule(ranking: Ranking | None = None) -> str:
    """Return the rule in words: a board's own, or that of all boards."""
    return (
        "Values are rounded to 4 decimals, then to 3, and ranked per metric, highest first; "
        f"{_TIES[ranking]} and missing values rank below all. A value of fewer than "
        f"{FEWEST_ANSWERS} answers, or of fewer than half of a metric's samples, is not shown and "
        "counts as missing. Models are ordered by their mean "
        "rank over the 10 metrics; ties go to more metrics ranked first, then to the smaller sum "
        "of ranks, the higher sum of value / column maximum, and the model name. A model without "
        "any value in a scoring is not ranked in it."
    )


RANKING_RULE: Final = ranking_rule()


class Column(Answer):
    """A metric of the board."""

    key: str
    label: str
    task: str
    step: int = Field(description="1: computed from the file; 2: judged by a language model")
    direction: Open[Literal["higher"]] = Field("higher", description="which values are better")
    unit: Open[Literal["share", "points"]] = Field(description="share: of 1; points: by the judge")
    min: float
    max: float
    description: str


COLUMNS: Final = [
    Column(
        key=metric.key,
        label=metric.label,
        task=metric.task,
        step=metric.step,
        unit="share" if metric.step == 1 else "points",
        min=metric.minimum,
        max=metric.maximum,
        description=metric.description,
    )
    for metric in METRICS
]


class RankStatistics(Answer):
    """How firm a rank is: over 1,000 boards of whole videos drawn anew."""

    rank_low: int = Field(ge=1, description="from here to rank_high the rank lies in 95 % of them")
    rank_high: int = Field(ge=1)
    first_share: float = Field(description="the share of them in which it is first")
    may_be_best: bool = Field(
        description="one of the fewest entries among which the first is in 95 % of them"
    )


class SentBefore(Answer):
    """What came before an entry with the same API key, whatever became of it."""

    versions: int = Field(description="submissions for a board, of any model")
    evaluate_only: int = Field(description="evaluate-only submissions")
    withdrawn: int = Field(description="of the versions, those that were taken back")


SENT_BEFORE: Final = (
    "with the same API key, when it was sent; null: sent without a key (not known), or added by "
    "hand"
)


FACTS_SAID: Final = "what its owner or an administrator states of the model; null: nothing"


class LeaderboardEntry(Answer):
    """A model on a board; values are rounded to 3 decimals, null where there is none."""

    # Whatever else a snapshot's row may hold one day is not served by accident.
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    rank: int | None = Field(ge=1, description="null: not ranked, having no value at all")
    entry_id: UUID
    model_name: str
    organization: str
    team: str | None = None
    authors: str | None = None
    model_url: str | None = None
    track: str | None = None
    badges: list[str] = Field(default_factory=list)
    submitted_on: date
    verified_on: date | None = None
    submission_id: UUID | None = None
    mean_rank: float | None = Field(description="null: not ranked")
    values: dict[str, float | None]
    ranks: dict[str, int] = Field(description="by metric; empty: not ranked")
    withheld: dict[str, Open[Withheld]] = Field(
        default_factory=dict,
        description="the metrics whose value is not shown, and so ranks as missing; and why",
    )
    series: dict[str, str | None] = Field(
        default_factory=dict,
        description=(
            "by judged metric: the judge version behind the value, 'published' where it is not "
            "recorded, null without a value; empty on boards ranked before there were any"
        ),
    )
    not_ranked: dict[str, Open[NotRanked]] = Field(
        default_factory=dict,
        description="the judged metrics whose value is shown and counts as missing, and why",
    )
    sent_before: SentBefore | None = Field(None, description=SENT_BEFORE)
    facts: BoardFacts | None = Field(None, description=FACTS_SAID)
    statistics: RankStatistics | None = Field(
        None, description="null: not ranked, or no statistics were made of this snapshot (yet)"
    )
    view_rank: int | None = Field(
        None, description="its place in the view that was asked for; null: none was, or not ranked"
    )
    view_mean_rank: float | None = Field(None, description="what that place is by; of 4 decimals")


class BoardView(Answer):
    """An order of a board's entries that was asked for, which is never the board's."""

    by: Open[Literal["weights", "track", "filters"]] = Field(
        description="weights: a reader's own, over the whole board; track and filters: ranked by "
        "the board's own rule as if there were no other entries"
    )
    weights: dict[str, float] = Field(
        default_factory=dict, description="of every metric; empty where they are not a reader's"
    )


class BoardSeries(Answer):
    """The judge whose values a board ranks, and how it treats others: these are always marked."""

    current: str | None = Field(
        description="a judge version; null: the board has no value of a recorded judge"
    )
    other_judges: Open[Treatment] = Field(
        description="what values of other judge versions count as in the ranks"
    )
    published: Open[Treatment] = Field(
        description="the same of published values, whose judge is not recorded"
    )


class BoardLink(Answer):
    """The last link of a snapshot: its hash stands for all that the board has shown until then."""

    number: int
    sha256: str
    key_id: str | None = Field(description="of the key that signed it; null: unsigned")
    evidence: str = Field(description="the archive from which 'medvid verify' recomputes it")


class SigningKey(Answer):
    """A key that has signed links."""

    key_id: str
    public_key: str = Field(description="32 bytes, hexadecimal")
    algorithm: Open[Literal["Ed25519"]] = "Ed25519"
    first_used_at: datetime


class EvidenceKeys(Answer):
    """The keys that have signed links."""

    keys: list[SigningKey]


class Leaderboard(Answer):
    """A board in one scoring, or a page of it."""

    schema_version: int = Field(SCHEMA_VERSION, description=SCHEMA_MEANING)
    board: Open[Board]
    scoring: Open[Scoring]
    revision: int
    snapshot: int | None = Field(None, description="number of the snapshot that this shows")
    permalink: str | None = Field(None, description="where this very snapshot stays")
    link: BoardLink | None = Field(
        None, description="what a witness keeps; null: nothing was ranked, or it is not linked yet"
    )
    updated_at: datetime | None = Field(description="null: nothing was ranked yet")
    columns: list[Column] = COLUMNS
    ranking: Open[Ranking] = Field(
        "competition", description="what follows ties: 1, 2, 2, 4 (competition) or 1, 2, 2, 3"
    )
    ranking_rule: str = Field(ranking_rule("competition"), description="the same and all else")
    series: BoardSeries | None = Field(
        None, description="which judged values rank; null: ranked before boards had a series"
    )
    no_statistics: Open[NoStatistics] | None = Field(
        None,
        description="why no entry has `statistics`: they follow in seconds; the board is too large "
        "for them; none were made of this snapshot, or were pruned with it; null: there are some, "
        "or nothing is ranked",
    )
    notes: list[PublicNote] = Field(
        default_factory=list,
        description="of a snapshot its errata; of the board now these and administrators' notes",
    )
    track: str | None = Field(None, description="the track that the entries are narrowed to")
    filters: dict[str, Any] = Field(
        default_factory=dict,
        description="the facts that the entries are narrowed by, as they were asked for; empty: "
        "none",
    )
    view: BoardView | None = Field(
        None, description="by what the entries are ordered; null: by the board's rank"
    )
    total: int = Field(0, description="entries on all pages")
    next: str | None = Field(None, description="where the next page is; null: this is the last")
    entries: list[LeaderboardEntry] = Field(
        description="by rank; after these, by name, the ones that are not ranked"
    )

    @classmethod
    def empty(cls, board: Board, scoring: Scoring) -> Self:
        """Return a board on which nothing was ranked yet."""
        return cls(board=board, scoring=scoring, revision=0, updated_at=None, entries=[])


class Track(Answer):
    """A track of a board."""

    name: str
    entries: int


class ScoringMode(Answer):
    """A way to score."""

    key: Open[Scoring]
    description: str


SCORING_MODES: Final = [
    ScoringMode(
        key="compat", description="As the published boards score, with their faults: comparable."
    ),
    ScoringMode(
        key="strict",
        description="Without these faults: every sample counts, also one that was not answered.",
    ),
]


class BoardSummary(Answer):
    """A board in the list of boards."""

    board: Open[Board]
    scoring: Open[Scoring]
    revision: int
    updated_at: datetime | None
    snapshot: int | None
    permalink: str | None
    ranking: Open[Ranking] = Field(
        # Servers of version 0.1 send neither this nor `ranked`: all are ranked, by this rule.
        default_factory=lambda: "competition",
        description="what follows ties: 1, 2, 2, 4 or 1, 2, 2, 3",
    )
    entries: int
    ranked: int = Field(
        default_factory=lambda given: given["entries"],
        description="those with a value in this scoring, and so with a rank",
    )
    tracks: list[Track]
    url: str
    csv: str
    page: str


class LeaderboardIndex(Answer):
    """The boards there are."""

    schema_version: int = Field(SCHEMA_VERSION, description=SCHEMA_MEANING)
    boards: list[BoardSummary]
    scorings: list[ScoringMode] = SCORING_MODES
    columns: list[Column] = COLUMNS
    ranking_rule: str = RANKING_RULE
    links: SiteLinks = Field(
        default_factory=SiteLinks, description="paper, data, code, and whom to ask"
    )


class BoardNews(Answer):
    """The data of a `board` event: what the board is now."""

    board: Open[Board]
    revision: int = Field(description="also the event's id")
    entries: int
    snapshots: dict[Open[Scoring], int | None] = Field(
        description="the number of the snapshot that is served now, by scoring"
    )
    statistics: dict[Open[Scoring], bool] = Field(
        default_factory=dict, description="whether that snapshot has rank statistics, by scoring"
    )
