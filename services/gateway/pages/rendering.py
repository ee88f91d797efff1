"""Pages for people: templates, and the static files that they refer to by content."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

import jinja2

from medvid.benchmark.decoding import SUBMISSION_LIMITS
from medvid.benchmark.statistics.ranks import MOST_ENTRIES
from medvid.benchmark.submission import EXAMPLE
from medvid.benchmark.tasks import METRICS, RULE_METRIC_KEYS, SCORINGS, SOURCES, Board, Scoring
from medvid.benchmark.validation import MINIMUM_RECORDS
from medvid.models.boards import COLUMNS, RANKING_RULE, Leaderboard, LeaderboardEntry
from medvid.models.fact_texts import LABELS, shown_count, shown_fact, shown_facts
from medvid.models.problems import ProblemDetails
from medvid.models.status import Status
from services.gateway.boards.models import MeasuredBoard
from services.gateway.boards.urls import board_url, csv_url, page_url
from services.gateway.pages import about, board_view
from services.gateway.pages.board_view import View
from services.gateway.pages.citing import citing_board, whole
from services.gateway.pages.comparison import MAX_MODELS
from services.gateway.pages.fact_filters import fact_choices, ranked_anew, states_facts
from services.gateway.pages.prepared import PreparedBoard, PreparedBoards
from services.gateway.pages.reference import inline, prose
from services.gateway.status.rules import duration
from services.gateway.submissions import badges
from services.gateway.web.representations import Representation, represent
from services.gateway.web.security import PAGE_HEADERS
from services.gateway.web.site import Site
from services.gateway.web.urls import url

_CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".png": "image/png",
}
_IMMUTABLE: Final = "public, max-age=31536000, immutable"  # the address changes with the content
_WHOLE: Final = View()
_NOWHERE: Final = Site()
VERSION: Final = metadata.version("medvidbench-leaderboard")
NAVIGATION: Final = (
    ("official", "Official"),
    ("community", "Community"),
    ("compare", "Compare"),
    ("submit", "Submit"),
    ("about", "About"),
)
"""Name and label of the pages that every page links to at its head."""
CHALLENGES: Final = ("tracks", "Challenges")
"""The same of the page of challenges, where there are any."""
ACCOUNT: Final = ("account", "Account")
"""The same of the sign-in page, where it is set up."""
_SWITCHES: Final[tuple[tuple[Board, Scoring, str], ...]] = (
    ("official", "compat", "Official"),
    ("community", "compat", "Community"),
    ("community", "strict", "Community, strict"),
)
Valueless = frozenset[tuple[Board, Scoring]]
"""Boards and scorings in which no entry has a value."""
MORE: Final = (("docs", "API"), ("status", "Status"), ("changes", "Changes"), ("feed", "Feed"))
"""Name and label of what every page links to at its foot."""
TASK_NAMES: Final = {metric.task: metric.description.partition(":")[0] for metric in METRICS}
"""What people call a task."""
EXAMPLE_FILE: Final = f"[\n  {EXAMPLE},\n  …\n]"


class Pages:
    """Renders every page. Text from outside is escaped by the templates, without exception."""

    def __init__(
        self, site: Site = _NOWHERE, *, challenges: bool = False, sign_in: bool = False
    ) -> None:
        """`challenges`, `sign_in`: whether pages link to them."""
        self.assets: Mapping[str, Representation] = load_assets()
        self.environment = jinja2.Environment(
            loader=jinja2.PackageLoader(__package__),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._prepared = PreparedBoards(self.environment)
        self.environment.filters |= {
            "inline": inline, "prose": prose, "brief": board_view.brief, "whole": whole,
        }  # fmt: skip
        self.environment.globals.update(
            asset=self._asset_url,
            badge_meaning=badges.meaning,
            card="",
            current="",
            date_and_time=date_and_time,
            entry_url=entry_url,
            fact_labels=LABELS,
            shown_count=shown_count,
            shown_fact=shown_fact,
            shown_facts=shown_facts,
            sources=SOURCES,
            own_address="",
            is_web_address=is_web_address,
            more=MORE,
            most_measured=f"{MOST_ENTRIES:,}",
            navigation=(
                *NAVIGATION,
                *([CHALLENGES] if challenges else []),
                *([ACCOUNT] if sign_in else []),
            ),
            origin=site.origin,
            other_series=board_view.other_series,
            shown_day=board_view.shown_day,
            signed=signed,
            site_links=site.links,
            structured=None,
            snapshot_page=snapshot_page,
            task_names=TASK_NAMES,
            why_unranked=board_view.why_unranked,
            why_withheld=board_view.WHY_WITHHELD,
            url=url,
            version=VERSION,
        )

    def board(
        self,
        board: Leaderboard,
        valueless: frozenset[Scoring] = frozenset(),
        view: View = _WHOLE,
        *,
        past: bool = False,
    ) -> str:
        """Return a board's page as `view` looks at it; a past one says so, and stays as it is.

        Scorings in which no entry has a value are not offered.
        """
        if view.rerank:
            prepared = self._prepared.once(ranked_anew(board, view))
        else:
            prepared = self._prepared.of(board, past=past, track=view.track)
        entries, sheet = prepared.board.entries, prepared.sheet
        sent, whole = sheet.on_page(view)
        shown = sheet.shown(view)
        ranked = [place for place in sent if entries[place].rank is not None]
        unranked = [place for place in sent if entries[place].rank is None]
        permalink = snapshot_page(board.board, board.snapshot) if board.snapshot else None
        here = permalink if past and permalink else page_url(board.board, board.scoring)
        asked = view.filters.texts()
        given = downloads(board, past=past, narrowed=view.narrowed)
        return self.render(
            "board.html",
            board=board,
            view=view,
            rows=prepared.rows(view, ranked, shown),
            unranked_rows=prepared.rows(view, unranked, shown),
            unranked_entries=[entries[place] for place in unranked],
            sent=len(sent),
            found=len(shown),
            of_track=len(entries),
            unranked=sum(entry.rank is None for entry in board.entries),
            valueless=valueless,
            measured=not (view.track or view.rerank)
            and any(entry.statistics for entry in board.entries[:1]),
            marked=board_view.marked(board),
            whole=whole,
            any_shown=not shown.isdisjoint(sent),
            any_unranked_shown=not shown.isdisjoint(unranked),
            tracks=board_view.tracks(board.entries),
            has_facts=bool(asked) or states_facts(board),
            asked=asked,
            fact_choices=fact_choices(board.entries, view.filters),
            without_facts=with_query(here, view.without_facts().query),
            columns=COLUMNS,
            rule_columns=RULE_METRIC_KEYS,
            most_compared=MAX_MODELS,
            json_url=given["JSON"],
            downloads=given.items(),
            past=past,
            permalink=permalink,
            page_urls={scoring: page_url(board.board, scoring) for scoring in SCORINGS},
            view_url=lambda scoring: with_query(page_url(board.board, scoring), view.query),
            whole_url=with_query(here, view.widened().query),
            narrow_views=[
                (name, each == view, with_query(here, each.query),
                 with_query(here, each.widened().query))
                for name, each in board_view.narrow_views(view)
            ],
            **citing_board(board, past=past),
        )  # fmt: skip

    def about(self, boards: Sequence[MeasuredBoard] = ()) -> str:
        """Return the page about the benchmark, with what comparisons on these boards detect."""
        return self.render(
            "about.html",
            guides=about.GUIDES,
            rubric=about.shown_rubric(),
            scorings=about.SCORING_MEANINGS,
            columns=COLUMNS,
            ranking_rule=RANKING_RULE,
            detecting=[board for board in boards if any(board.minimum_detectable.values())],
            example_file=EXAMPLE_FILE,
            least_records=MINIMUM_RECORDS,
            file_megabytes=SUBMISSION_LIMITS.unpacked_bytes >> 20,
        )

    def prepared(self, board: Leaderboard) -> PreparedBoard:
        """Return a present board with what all its views share."""
        return self._prepared.of(board)

    def render(self, template: str, **context: object) -> str:
        """Return the page of a template."""
        return self.environment.get_template(template).render(**context)

    def status(self, status: Status) -> str:
        """Return the status page."""
        return self.render("status.html", status=status, duration=duration)

    def error(self, problem: ProblemDetails) -> str:
        """Return the page of an error."""
        return self.render("error.html", problem=problem)

    def _asset_url(self, name: str) -> str:
        content = self.assets[name].identity.etag.strip('"')[:12]
        return url("static", name=name, query={"v": content})


def switches(
    address: Callable[[Board, Scoring], str], valueless: Valueless
) -> list[tuple[Board, Scoring, str, str, bool]]:
    """Return what a page is offered for: board, scoring, label, address, whether it is empty."""
    return [
        (board, scoring, label, address(board, scoring), (board, scoring) in valueless)
        for board, scoring, label in _SWITCHES
    ]


def load_assets() -> dict[str, Representation]:
    """Read every static file into memory; only these names are ever served."""
    assets = {}
    for file in (files(__package__) / "static").iterdir():
        content_type = _CONTENT_TYPES.get(f".{file.name.rpartition('.')[2]}")
        if content_type is not None:
            assets[file.name] = represent(
                file.read_bytes(),
                content_type=content_type,
                cache_control=_IMMUTABLE,
                headers=PAGE_HEADERS,
            )
    return assets


def date_and_time(moment: datetime, *, seconds: bool = False) -> str:
    """Return a moment as people read it, in UTC."""
    moment = moment.astimezone(UTC)
    time = f"{moment:%H:%M:%S}" if seconds else f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b %Y}, {time} UTC"


def is_web_address(url: str) -> bool:
    """Tell whether a link may be shown as one: http and https only, whatever the row says."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def with_query(address: str, query: str) -> str:
    """Return an address with a query in addition to the one that it may have."""
    return f"{address}{'&' if '?' in address else '?'}{query}" if query else address


def entry_url(board: Leaderboard, entry: LeaderboardEntry) -> str:
    """Return where an entry's page is."""
    return url("entry", board=board.board, id=entry.entry_id)


def downloads(board: Leaderboard, *, past: bool, narrowed: str = "") -> dict[str, str]:
    """Return the addresses of a board in other forms by label, narrowed as its page."""
    if past:
        address = url("api_snapshot", id=board.snapshot or 0)
        given = {"CSV": f"{address}?format=csv", "JSON": address}
    else:
        given = {
            "CSV": csv_url(board.board, board.scoring),
            "JSON": board_url(board.board, board.scoring),
        }
    found = {label: with_query(address, narrowed) for label, address in given.items()}
    return found if past else found | {"Feed": url("board_feed", board=board.board)}


def snapshot_page(board: Board, snapshot: object) -> str:
    """Return where the page of a snapshot stays; `snapshot` is its number or its API address."""
    return url("snapshot", board=board, number=str(snapshot).rpartition("/")[2])


def signed(number: float) -> str:
    """Return a difference with its sign; the minus is the one that is as wide as the plus."""
    if number == 0:
        return "±0.000"
    sign = "+" if number > 0 else "\N{MINUS SIGN}"
    return f"{sign}{abs(number):.3f}"
