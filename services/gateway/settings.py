"""What an operator can change about the gateway."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from medvid.models.site import SiteLinks
from services.gateway.accounts.rules import ADMIN_KEY_CHARACTERS, Registration
from services.gateway.web.addresses import parse_networks
from services.gateway.web.site import (
    Paper,
    Site,
    check_ancestors,
    check_contact,
    check_link,
    check_words,
)
from services.gateway.web.urls import check_public_url
from shared.runtime.settings import CommonSettings

_MIB: Final = 1 << 20


class GatewaySettings(CommonSettings):
    """The gateway's `MEDVID_*` variables."""

    host: str = Field(
        "127.0.0.1", description="address of the API and the pages; :: for every one, IPv4 and IPv6"
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8080, description="their port; 0 for a free one, named in the log"
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/\s]+",
        description="where readers reach the site, as https://example.org or, below a path, "
        "https://example.org/leaderboard; all links follow it",
    )
    paper_url: str | None = Field(
        None, description="address of the benchmark's paper; every page links to it"
    )
    data_url: str | None = Field(
        None,
        description="where the test set and its videos are to be had; every page links to it. "
        "https://huggingface.co/datasets/OWNER/NAME also names the data set in exported results",
    )
    code_url: str | None = Field(
        None, description="address of the benchmark's code; every page links to it"
    )
    contact: str | None = Field(
        None,
        description="whom participants ask: a mail or web address, in the open; every page links "
        "to it, and messages that say 'ask the maintainers' name it",
    )
    paper_title: str = Field("", description="the paper's title, for its citation")
    paper_authors: str = Field("", description="its authors: 'Ada Lovelace; Alan Turing'")
    paper_year: Annotated[int, Field(ge=1900, le=2999)] | None = Field(
        None,
        validate_default=True,
        description="its year; title, authors and year go together",
    )
    maintainers: str = Field(
        "", description="who runs this leaderboard, as citations and exported results name them"
    )
    frame_ancestors: str = Field(
        "",
        description="sites that may show boards in a frame: origins, as 'https://lab.example "
        "https://*.uni.edu', or *; unset for none. Other pages are never shown in one",
    )
    security_contact: str = Field(
        "",
        pattern=r"^$|^(mailto:|https://|tel:)[^\s,]+( *, *(mailto:|https://|tel:)[^\s,]+)*$",
        description="whom to tell about a weakness: mailto: or https: addresses, comma-separated, "
        "for /.well-known/security.txt; unset for no such file",
    )
    connections: Annotated[int, Field(ge=10)] = Field(
        4000, description="connections at the same time; beyond, the longest idle one is closed"
    )
    head_seconds: Annotated[float, Field(gt=0)] = Field(
        10, description="how long a new connection may take for its first request's head"
    )
    idle_seconds: Annotated[float, Field(gt=0)] = Field(
        75, description="how long a connection may be idle between requests"
    )
    upload_dir: Path | None = Field(
        None, description="where uploads are spooled; unset for the system's temporary folder"
    )
    upload_bytes: Annotated[int, Field(ge=_MIB)] = Field(
        65 * _MIB, description="largest request body; the file itself may have 64 MiB unpacked"
    )
    upload_seconds: Annotated[float, Field(gt=0)] = Field(
        300, description="how long one upload may take to come in"
    )
    upload_idle_seconds: Annotated[float, Field(gt=0)] = Field(
        20, description="how long an upload may send nothing"
    )
    upload_concurrency: Annotated[int, Field(ge=1)] = Field(
        16, description="uploads that may come in at the same time"
    )
    upload_concurrency_per_address: Annotated[int, Field(ge=1)] = Field(
        8, description="of these, from one address (IPv6: one /64)"
    )
    validation_workers: Annotated[int, Field(ge=1, le=64)] = Field(
        min(4, os.cpu_count() or 1), description="processes that check uploads"
    )
    validation_seconds: Annotated[float, Field(gt=0)] = Field(
        60, description="how long the check of one file may take"
    )
    minimum_coverage: Annotated[float, Field(ge=0, le=1)] = Field(
        0.5, description="share of all samples that a file must answer for a place on a board"
    )
    board_poll_seconds: Annotated[float, Field(gt=0)] = Field(
        1, description="how often newer boards are looked for when no hint comes"
    )
    views_waiting: Annotated[int, Field(ge=1)] = Field(
        64, description="views of boards (searches, orders, tracks, the past) that may wait"
    )
    views_waiting_per_address: Annotated[int, Field(ge=1)] = Field(
        16, description="of these, of one address (IPv6: one /64)"
    )
    views_waiting_seconds: Annotated[float, Field(gt=0)] = Field(
        10, description="how long a view may wait before it is refused"
    )
    admin_key: SecretStr | None = Field(
        None,
        description="key of the administrators, of at least 32 characters; else there are none",
    )
    admin_guesses: Annotated[int, Field(ge=1)] = Field(
        10, description="wrong keys from one address in 5 minutes, after which it has to wait"
    )
    admin_session_seconds: Annotated[float, Field(ge=60, le=86_400)] = Field(
        3600, description="how long a browser stays signed in to the administrators' page"
    )
    sign_in: Path | None = Field(
        None,
        description="file of identity providers (TOML, docs/operations.md#sign-in) that people "
        "sign in with; unset for none",
    )
    sign_in_seconds: Annotated[float, Field(ge=300, le=90 * 86_400)] = Field(
        7 * 86_400,
        description="how long a browser stays signed in to an account; its administration ends "
        "with MEDVID_ADMIN_SESSION_SECONDS",
    )
    ground_truth_dir: Path | None = Field(
        None, description="folder of ground truth files that administrators may load by name"
    )
    test_set: Path | None = Field(
        None,
        description="file of the test set without its answers, published at /api/v1/test-set so "
        "that files are checked before they are sent; unset to publish none",
    )
    challenges: Path | None = Field(
        None,
        description="file of the tracks of challenges (TOML, docs/challenges.md); unset for none",
    )
    registration: Registration = Field(
        "closed", description="open: anyone makes an API key; closed: administrators do"
    )
    registrations_per_day: Annotated[int, Field(ge=1)] = Field(
        3, description="keys that one address may make in 24 hours where registration is open"
    )
    anonymous_submissions: bool = Field(True, description="whether submissions need no API key")
    address_submissions_per_day: Annotated[int, Field(ge=0)] = Field(
        20,
        description="submissions in 24 hours from one address without a key (IPv6: one /64; a /56 "
        "has half as many more, a /48 twice as many, here and in the three below)",
    )
    address_bytes_per_day: Annotated[int, Field(ge=0)] = Field(
        1024 * _MIB, description="bytes of uploads in 24 hours from one address without a key"
    )
    address_judge_runs_per_month: Annotated[int, Field(ge=0)] = Field(
        5, description="judge runs in 30 days asked for from one address without a key"
    )
    address_validations_per_day: Annotated[int, Field(ge=0)] = Field(
        100, description="dry runs (POST /validate) in 24 hours from one address without a key"
    )
    key_submissions_per_day: Annotated[int, Field(ge=0)] = Field(
        50, description="submissions in 24 hours with one API key, unless it has its own quota"
    )
    key_bytes_per_day: Annotated[int, Field(ge=0)] = Field(
        4096 * _MIB, description="bytes of uploads in 24 hours with one API key"
    )
    key_judge_runs_per_month: Annotated[int, Field(ge=0)] = Field(
        30, description="judge runs in 30 days with one API key"
    )
    key_validations_per_day: Annotated[int, Field(ge=0)] = Field(
        300, description="dry runs (POST /validate) in 24 hours with one API key"
    )
    evaluate_only_per_day: Annotated[int, Field(ge=0)] = Field(
        5, description="evaluate-only submissions in 24 hours with one API key, or from one address"
    )
    evaluate_only_total: Annotated[int, Field(ge=0)] = Field(
        100, description="the same for ever with one API key; from one address in a year"
    )
    webhook_attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        8, description="how often a webhook is tried before its delivery is dead"
    )
    webhook_retry_seconds: Annotated[float, Field(gt=0)] = Field(
        10, description="wait before its second try; five times as long before each further one"
    )
    webhook_seconds: Annotated[float, Field(gt=0, le=60)] = Field(
        10, description="how long a webhook may take to answer"
    )
    webhook_poll_seconds: Annotated[float, Field(gt=0)] = Field(
        1, description="how often is looked for webhooks that are due"
    )
    webhook_private_networks: bool = Field(
        False, description="whether webhooks may lead to private addresses; for intranets"
    )
    trusted_proxies: str = Field(
        "", description="networks (CIDRs, comma-separated) whose X-Forwarded-For is believed"
    )
    status_slow_seconds: Annotated[float, Field(gt=0)] = Field(
        120, description="work that waits longer makes the status page say 'slow'"
    )
    status_standing_seconds: Annotated[float, Field(gt=0)] = Field(
        900, description="work that waits longer makes the status page say 'stalled'"
    )
    judge_estimate_seconds: Annotated[float, Field(ge=0, le=30)] = Field(
        2, description="how long a request for judging waits for its estimate"
    )
    board_streams: Annotated[int, Field(ge=1)] = Field(
        1000,
        description="event streams of boards (open pages) that may be open at the same time; "
        "when all are, the address with most of them gives one up to one with fewer",
    )
    event_streams_per_address: Annotated[int, Field(ge=1)] = Field(
        50, description="event streams of submissions that one address may have open"
    )
    event_streams: Annotated[int, Field(ge=1)] = Field(
        500, description="event streams of submissions that may be open at the same time"
    )
    event_poll_seconds: Annotated[float, Field(gt=0)] = Field(
        2, description="how often an event stream looks for news when no hint comes"
    )

    @property
    def usable_admin_key(self) -> str | None:
        """The administrators' key, if it is long enough to be one."""
        key = self.admin_key.get_secret_value() if self.admin_key else ""
        return key if len(key) >= ADMIN_KEY_CHARACTERS else None

    @property
    def admin_key_is_short(self) -> bool:
        """Whether administration is off because its key is too short."""
        return bool(self.admin_key) and self.usable_admin_key is None

    @property
    def site(self) -> Site:
        """Where readers reach the gateway, and what it tells them about the benchmark."""
        links = SiteLinks(
            paper=self.paper_url, data=self.data_url, code=self.code_url, contact=self.contact
        )
        authors = tuple(name for each in self.paper_authors.split(";") if (name := each.strip()))
        paper = Paper(self.paper_title, authors, self.paper_year) if self.paper_year else None
        return Site.of(self.public_url, links, paper, self.maintainers, self.frame_ancestors)

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, text: str | None) -> str | None:
        return check_public_url(text)

    @field_validator("paper_url", "data_url", "code_url")
    @classmethod
    def _link(cls, text: str | None) -> str | None:
        return check_link(text)

    @field_validator("contact")
    @classmethod
    def _contact(cls, text: str | None) -> str | None:
        return check_contact(text)

    @field_validator("frame_ancestors")
    @classmethod
    def _ancestors(cls, text: str) -> str:
        return check_ancestors(text)

    @field_validator("paper_title", "paper_authors", "maintainers")
    @classmethod
    def _words(cls, text: str) -> str:
        return check_words(text)

    @field_validator("paper_year")
    @classmethod
    def _whole_paper(cls, year: int | None, info: ValidationInfo) -> int | None:
        given = {
            bool(year),
            *(bool(info.data.get(name)) for name in ("paper_title", "paper_authors")),
        }
        if len(given) > 1:
            raise ValueError(
                "MEDVID_PAPER_TITLE, MEDVID_PAPER_AUTHORS and MEDVID_PAPER_YEAR go together; set "
                "all three or none"
            )
        return year

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, text: str) -> str:
        parse_networks(text)
        return text
