"""API keys and quotas."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from medvid.api.answers import Answer, Page


class QuotaUse(Answer):
    """How much of one quota is used; None as limit: nothing is counted."""

    limit: int | None
    used: int
    next_at: datetime | None


class QuotaStatus(Answer):
    """What the caller may still do: by its API key, or by its address."""

    account: str
    submissions: QuotaUse
    bytes: QuotaUse
    judge_runs: QuotaUse
    validations: QuotaUse | None = None
    """Dry runs; None from servers of version 0.1."""


class KeyQuotas(Answer):
    """Limits of a key's own; None: the server's."""

    submissions_per_day: int | None = None
    bytes_per_day: int | None = None
    judge_runs_per_month: int | None = None


class Key(Answer):
    """An API key, without its secret."""

    id: UUID
    label: str
    owner: str
    scopes: list[str]
    quotas: KeyQuotas
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKey(Key):
    """A new API key; its secret, `key`, is shown only here."""

    key: str


class KeyPage(Page):
    """A page of keys, newest first."""

    keys: list[Key]
