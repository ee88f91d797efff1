"""Identity providers and identities: what is known of them, and who administers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from services.gateway.web.urls import ROOT

Kind = Literal["oidc", "github"]
"""How a provider is spoken to."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9/_.-]+(\?[A-Za-z0-9=&_-]*)?")
"""Addresses of our pages: no host, no backslash, nothing that a browser reads as another site's."""
LONGEST_RETURN: Final = 300
LONGEST_SUBJECT: Final = 255
"""Characters of a subject, by the standard."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider. `id` is the one in addresses, `name` what people call it.

    `name_claim` holds what it calls a person and checks, such as a user name. `administrators` are
    subjects; `administrator_claims` make one of who has them all.
    """

    id: str
    name: str
    kind: Kind
    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: str
    name_claim: str
    administrators: frozenset[str] = frozenset()
    administrator_claims: Mapping[str, str] = field(default_factory=dict)
    only_administrators: bool = False
    private_networks: bool = False

    def has_claims(self, claims: Mapping[str, object]) -> bool:
        """Tell whether claims make an administrator; a claim may be a list of several values."""
        return bool(self.administrator_claims) and all(
            claims.get(name) == value or value in _list(claims.get(name))
            for name, value in self.administrator_claims.items()
        )

    def administers(self, subject: str, *, by_claim: bool) -> bool:
        """Tell whether a person administers, as the provider is configured now."""
        return subject in self.administrators or (by_claim and bool(self.administrator_claims))


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a provider named: `subject` for ever and for itself, `name` for people.

    `by_claim`: whether the provider's claims make an administrator.
    """

    provider: Provider
    subject: str
    name: str
    by_claim: bool = False

    @property
    def administers(self) -> bool:
        """Whether this is an administrator."""
        return self.provider.administers(self.subject, by_claim=self.by_claim)


@dataclass(frozen=True, slots=True)
class Providers:
    """Those of the operator's file by their ids; none: signing in is off.

    `site` is where readers reach the leaderboard, with the path that it is below.
    """

    by_id: Mapping[str, Provider] = field(default_factory=dict)
    site: str = ""

    def __bool__(self) -> bool:
        """Tell whether anybody can sign in."""
        return bool(self.by_id)

    @property
    def administer(self) -> bool:
        """Whether any of them names administrators."""
        return any(each.administrators or each.administrator_claims for each in self.by_id.values())

    def of_issuer(self, issuer: str) -> Provider | None:
        """Return the provider that is this issuer."""
        return next((each for each in self.by_id.values() if each.issuer == issuer), None)


def return_address(text: str, prefix: str, default: str) -> str:
    """Return where to go on after signing in: one of our pages, or the default."""
    ours = len(text) <= LONGEST_RETURN and text.startswith(prefix + ROOT)
    plain = _PLAIN.fullmatch(text) and ".." not in text and 2 * ROOT not in text
    return text if ours and plain else default


def who(provider: str, subject: str, name: str) -> str:
    """Return what the audit log calls a person: what cannot change first."""
    return f"{provider}:{subject} ({name})"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
