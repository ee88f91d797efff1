"""Every address of the gateway: its paths by name, and the one function that makes addresses.

Links are made by name: `url("submission", id=submission.id)`; templates do the same,
and hand scripts what these need as data attributes. Paths of operations come after `API` where they
are declared (see `router`); here are those that something links to. What is read away from the
site, as a feed is, takes `Site.absolute`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from medvid.models.base import API

ROOT: Final = "/"
FOR_PROGRAMS: Final = ("/api/", "/healthz", "/readyz", "/metrics")
"""How addresses begin whose errors are JSON."""
PAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "official": ROOT,
        "community": "/community",
        "compare": "/compare",
        "about": "/about",
        "submit": "/submit",
        "submit_check": "/submit/check",
        "submission": "/submissions/{id}",
        "verdicts": "/submissions/{id}/verdicts",
        "entry": "/boards/{board}/entries/{id}",
        "second_opinions": "/boards/{board}/second-opinions",
        "withdrawn": "/boards/{board}/withdrawn",
        "snapshot": "/boards/{board}/snapshots/{number}",
        "status": "/status",
        "docs": "/docs",
        "problems": "/problems",
        "problem": "/problems/{code}",
        "submission_schema": "/submission.schema.json",
        "static": "/static/{name}",
        "feed": "/feed.atom",
        "board_feed": "/{board}/feed.atom",
        "security_txt": "/.well-known/security.txt",
        "admin": "/admin",
        "admin_sign_in": "/admin/sign-in",
        "admin_sign_out": "/admin/sign-out",
        "admin_submissions": "/admin/submissions",
        "admin_verdicts": "/admin/submissions/{id}/verdicts",
        "admin_dead_letters": "/admin/dead-letters",
        "admin_entries": "/admin/entries",
        "admin_entry": "/admin/entries/{id}",
        "admin_boards": "/admin/boards",
        "admin_export": "/admin/boards/export",
        "admin_rescores": "/admin/rescores",
        "admin_rescore": "/admin/rescores/{id}",
        "admin_ground_truths": "/admin/ground-truths",
        "admin_keys": "/admin/keys",
        "admin_audit": "/admin/audit",
    }
)
"""The paths of what is no operation of the API."""
OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "api_description": f"{API}/openapi.json",
        "api_status": f"{API}/status",
        "api_board": f"{API}/leaderboards/{{board}}",
        "api_board_csv": f"{API}/leaderboards/{{board}}.csv",
        "api_board_events": f"{API}/leaderboards/{{board}}/events",
        "api_evidence": f"{API}/leaderboards/{{board}}/evidence",
        "api_evidence_keys": f"{API}/evidence/keys",
        "api_entry": f"{API}/leaderboards/{{board}}/entries/{{id}}",
        "api_second_opinions": f"{API}/leaderboards/{{board}}/second-opinions",
        "api_withdrawn": f"{API}/leaderboards/{{board}}/withdrawn",
        "api_snapshot": f"{API}/snapshots/{{id}}",
        "api_submissions": f"{API}/submissions",
        "api_submission": f"{API}/submissions/{{id}}",
        "api_submission_events": f"{API}/submissions/{{id}}/events",
        "api_submission_judge": f"{API}/submissions/{{id}}/judge",
        "api_submission_withdraw": f"{API}/submissions/{{id}}/withdraw",
        "api_submission_file": f"{API}/submissions/{{id}}/file",
        "api_submission_predictions": f"{API}/submissions/{{id}}/predictions",
        "api_submission_verdicts": f"{API}/submissions/{{id}}/verdicts",
    }
)
"""The paths of the operations that are linked to."""
_PATHS: Final = {**PAGES, **OPERATIONS}


@dataclass(frozen=True, slots=True)
class Site:
    """Where readers reach the gateway: `https://example.org`, or '' where that is not set."""

    origin: str = ""

    @classmethod
    def of(cls, public_url: str | None) -> Site:
        """Return the site of a setting that `check_public_url` passed."""
        return cls((public_url or "").rstrip(ROOT))

    def absolute(self, address: str) -> str:
        """Return an address with its origin, where that is known."""
        return self.origin + address


def url(name: str, /, *, query: Mapping[str, object] | None = None, **parts: object) -> str:
    """Return the address of what has this name; `parts` are put into its path, quoted.

    Raises KeyError for a name that there is not, and where a part of the path is missing.
    """
    quoted = {key: quote(str(part), safe="") for key, part in parts.items()}
    address = _PATHS[name].format_map(quoted)
    return f"{address}?{urlencode(query, quote_via=quote)}" if query else address


def check_public_url(text: str | None) -> str | None:
    """Return a setting of where readers reach the site; raises ValueError for more than that."""
    found = urlsplit(text or "")
    if found.path.strip(ROOT) or found.query or found.fragment:
        raise ValueError(
            f"has more than a host; set it to {found.scheme}://{found.netloc} and serve the "
            "gateway on a host name of its own: it cannot be served below a path"
        )
    return text
