"""Every address of the gateway: its paths by name, and the one function that makes addresses.

Links are made by name: `url("submission", id=submission.id)`; templates do the same,
and hand scripts what these need as data attributes. Paths of operations come after `API` where they
are declared (see `router`); here are those that something links to. What is read away from the
site, as a feed is, takes `Site.absolute` (`web.site`).

A site may be below a path of its host, as https://example.org/leaderboard. Every address that
`url` makes begins with that prefix; the routes know none of it (`inside`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from medvid.benchmark.tasks import BOARDS
from medvid.models.base import API
from services.gateway.web.site import site

ROOT: Final = "/"
FOR_PROGRAMS: Final = ("/api/", "/healthz", "/readyz", "/metrics")
"""How addresses begin whose errors are JSON."""
PAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "official": ROOT,
        "community": "/community",
        "both": "/both",
        "compare": "/compare",
        "about": "/about",
        "metric": "/about/metrics/{metric}",
        "intervals": "/about/intervals",
        "submit": "/submit",
        "submit_check": "/submit/check",
        "submission": "/submissions/{id}",
        "verdicts": "/submissions/{id}/verdicts",
        "entry": "/boards/{board}/entries/{id}",
        "board_card": "/boards/{board}/card.png",
        "entry_card": "/boards/{board}/entries/{id}/card.png",
        "badge": "/boards/{board}/entries/{id}/badge.svg",
        "framed": "/framed/{board}",
        "citation": "/CITATION.cff",
        "second_opinions": "/boards/{board}/second-opinions",
        "tasks": "/boards/{board}/tasks",
        "task": "/boards/{board}/tasks/{task}",
        "over_time": "/boards/{board}/best-over-time",
        "size_and_cost": "/boards/{board}/size-and-cost",
        "withdrawn": "/boards/{board}/withdrawn",
        "snapshot": "/boards/{board}/snapshots/{number}",
        "tracks": "/tracks",
        "track": "/tracks/{track}",
        "track_final": "/tracks/{track}/final",
        "status": "/status",
        "docs": "/docs",
        "docs_administration": "/docs/administration",
        "problems": "/problems",
        "problem": "/problems/{code}",
        "submission_schema": "/submission.schema.json",
        "static": "/static/{name}",
        "feed": "/feed.atom",
        "changes": "/changes",
        "changes_feed": "/changes/feed.atom",
        "board_feed": "/{board}/feed.atom",
        "account": "/account",
        "activate": "/activate",
        "sign_in": "/sign-in/{provider}",
        "sign_in_callback": "/sign-in/{provider}/callback",
        "sign_out": "/sign-out",
        "security_txt": "/.well-known/security.txt",
        "favicon": "/favicon.ico",
        "robots": "/robots.txt",
        "sitemap": "/sitemap.xml",
        "admin": "/admin",
        "admin_sign_in": "/admin/sign-in",
        "admin_sign_out": "/admin/sign-out",
        "admin_submissions": "/admin/submissions",
        "admin_verdicts": "/admin/submissions/{id}/verdicts",
        "admin_dead_letters": "/admin/dead-letters",
        "admin_entries": "/admin/entries",
        "admin_entry": "/admin/entries/{id}",
        "admin_notes": "/admin/notes",
        "admin_boards": "/admin/boards",
        "admin_export": "/admin/boards/export",
        "admin_rescores": "/admin/rescores",
        "admin_rescore": "/admin/rescores/{id}",
        "admin_ground_truths": "/admin/ground-truths",
        "admin_costs": "/admin/costs",
        "admin_costs_csv": "/admin/costs.csv",
        "admin_keys": "/admin/keys",
        "admin_audit": "/admin/audit",
    }
)
"""The paths of what is no operation of the API."""
OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_description": f"{API}/openapi.json",
        "api_schemas": f"{API}/schemas",
        "api_schema": f"{API}/schemas/{{name}}.json",
        "api_types": f"{API}/types.d.ts",
        "api_status": f"{API}/status",
        "api_test_set": f"{API}/test-set",
        "api_changes": f"{API}/changes",
        "api_board": f"{API}/leaderboards/{{board}}",
        "api_both": f"{API}/leaderboards/both",
        "api_board_csv": f"{API}/leaderboards/{{board}}.csv",
        "api_board_events": f"{API}/leaderboards/{{board}}/events",
        "api_board_history": f"{API}/leaderboards/{{board}}/history",
        "api_side_by_side": f"{API}/leaderboards/{{board}}/side-by-side",
        "api_results": f"{API}/results",
        "api_evidence": f"{API}/leaderboards/{{board}}/evidence",
        "api_evidence_keys": f"{API}/evidence/keys",
        "api_entry": f"{API}/leaderboards/{{board}}/entries/{{id}}",
        "api_over_time": f"{API}/leaderboards/{{board}}/best-over-time",
        "api_size_and_cost": f"{API}/leaderboards/{{board}}/size-and-cost",
        "api_task": f"{API}/leaderboards/{{board}}/tasks/{{task}}",
        "api_entry_export": f"{API}/leaderboards/{{board}}/entries/{{id}}/export",
        "api_second_opinions": f"{API}/leaderboards/{{board}}/second-opinions",
        "api_withdrawn": f"{API}/leaderboards/{{board}}/withdrawn",
        "api_snapshot": f"{API}/snapshots/{{id}}",
        "api_tracks": f"{API}/tracks",
        "api_track": f"{API}/tracks/{{track}}",
        "api_track_final": f"{API}/tracks/{{track}}/final",
        "api_submissions": f"{API}/submissions",
        "api_submission": f"{API}/submissions/{{id}}",
        "api_submission_events": f"{API}/submissions/{{id}}/events",
        "api_submission_judge": f"{API}/submissions/{{id}}/judge",
        "api_submission_facts": f"{API}/submissions/{{id}}/facts",
        "api_submission_withdraw": f"{API}/submissions/{{id}}/withdraw",
        "api_submission_file": f"{API}/submissions/{{id}}/file",
        "api_submission_predictions": f"{API}/submissions/{{id}}/predictions",
        "api_submission_verdicts": f"{API}/submissions/{{id}}/verdicts",
    }
)
"""The paths of the operations that are linked to."""
GUESSED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "/index.html": "official",
        "/official": "official",
        "/leaderboard": "official",
        "/leaderboards": "official",
        "/board": "official",
        "/boards": "official",
        "/boards/official": "official",
        "/boards/community": "community",
        "/challenges": "tracks",
        "/submissions": "submit",
        "/upload": "submit",
        "/api": "docs",
        "/api/": "docs",
        "/help": "about",
        "/faq": "about",
        "/health": "status",
        "/feed": "feed",
        "/rss": "feed",
        "/errata": "changes",
        "/changes.atom": "changes_feed",
        "/feeds/changes.atom": "changes_feed",
    }
)
"""Addresses that people try, and the names of the pages that they mean."""
SLASHED: Final = "/{path:(?!api/).+}/"
"""Any address of a page with a slash too many."""
_PATHS: Final = {**PAGES, **OPERATIONS}
_SEGMENT: Final = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._~-]+")
_OWN_SEGMENTS: Final = frozenset(
    {*BOARDS, *(path.split("/")[1] for path in (*_PATHS.values(), *FOR_PROGRAMS))}
)
"""How addresses of the gateway begin, and so no prefix may."""


def url(name: str, /, *, query: Mapping[str, object] | None = None, **parts: object) -> str:
    """Return the address of what has this name; `parts` are put into its path, quoted.

    Raises KeyError for a name that there is not, and where a part of the path is missing.
    """
    quoted = {key: quote(str(part), safe="") for key, part in parts.items()}
    address = site().prefix + _PATHS[name].format_map(quoted)
    return f"{address}?{urlencode(query, quote_via=quote)}" if query else address


def address_of(path: str) -> str:
    """Return the address of a path as routes know it, quoted; never that of another host."""
    return site().prefix + ROOT + quote(path.strip(ROOT), safe=ROOT)


def inside(address: str) -> str:
    """Return an address as the routes know it, without the site's prefix.

    A proxy may have taken the prefix off already, and probes never have it.
    """
    prefix = site().prefix
    rest = address.removeprefix(prefix)
    if rest == address or rest[:1] not in ("", ROOT, "?"):
        return address
    return rest if rest.startswith(ROOT) else ROOT + rest


def check_public_url(text: str | None) -> str | None:
    """Return a setting of where readers reach the site; raises ValueError for more than that."""
    found = urlsplit(text or "")
    site = f"{found.scheme}://{found.netloc}"
    if found.query or found.fragment:
        raise ValueError(f"has more than a host and a path; set it to {site}{found.path}")
    segments = found.path.strip(ROOT).split("/") if found.path.strip(ROOT) else []
    if not all(_SEGMENT.fullmatch(each) for each in segments):
        raise ValueError(
            "has a path with other characters than letters, digits, '.', '_', '~' and '-'; "
            f"choose one like {site}/leaderboard"
        )
    if segments and segments[0] in _OWN_SEGMENTS:
        raise ValueError(
            f"has a path that begins like one of the gateway's own, /{segments[0]}; "
            f"choose another, as {site}/leaderboard"
        )
    return text
