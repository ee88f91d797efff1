"""What an entry's page says to a reader."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from uuid import UUID

from medvid.models.boards import Leaderboard
from medvid.models.entries import EntryDetails, EntryScore, Provenance, RankSpan
from services.gateway.pages.entry_page import render_entry
from services.gateway.pages.rendering import Pages

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)
BOARD = Leaderboard.empty("community", "compat")
HASH = "0123456789abcdef" * 4
ENTRY = EntryDetails(
    id=UUID(int=1),
    board="community",
    model_name="Ours",
    organization="Lab",
    team=None,
    authors=None,
    model_url=None,
    track=None,
    badges=[],
    submitted_on=date(2026, 4, 15),
    verified_on=None,
    submission_id=UUID(int=2),
    url="/api",
    page="/page",
    places=[],
    scores=[],
    judge=None,
    history=[],
)


def _score(metric: str, judge: str | None) -> EntryScore:
    return EntryScore(
        metric=metric,
        compat=0.5,
        strict=0.5,
        answered=1234,
        expected=1300,
        coverage=0.95,
        by_source={},
        intervals={"compat": None, "strict": None},
        provenance=Provenance(
            ground_truth_version=HASH, metric_version="2", judge_version=judge, file_sha256=HASH
        ),
    )


def _span(rank: int, day: int, until: int | None) -> RankSpan:
    return RankSpan(
        scoring="compat",
        rank=rank,
        since=datetime(2026, 4, day, tzinfo=UTC),
        until=None if until is None else datetime(2026, 4, until, tzinfo=UTC),
        snapshot=f"/api/v1/snapshots/{day}",
    )


def _page(**facts: object) -> str:
    return render_entry(Pages(), BOARD, ENTRY.model_copy(update=facts), NOW)


def test_a_rank_that_never_changed_is_a_sentence_and_a_change_is_drawn() -> None:
    steady = _page(history=[_span(5, 3, None)])
    assert "Rank 5 since 3 Apr 2026, 00:00 UTC, without a change" in steady
    assert 'class="history"' not in steady
    changed = _page(history=[_span(4, 9, None), _span(5, 3, 9)])
    assert 'class="history"' in changed
    assert "without a change" not in changed


def test_judged_metrics_count_pairs_and_the_others_samples() -> None:
    page = _page(scores=[_score("nap_acc", None), _score("vs_llm", "j")])
    assert page.count("1,234 of 1,300</td>") == 1
    assert page.count("1,234 of 1,300 pairs</td>") == 1


def test_hashes_are_folded_away() -> None:
    page = _page(scores=[_score("vs_llm", HASH)])
    folded = re.compile(r"<details.*?</details>", re.DOTALL)
    assert HASH in page
    assert HASH not in folded.sub("", page)
