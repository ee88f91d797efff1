"""Identity providers and identities: what is known of them, and who administers. Pure."""

from __future__ import annotations

import hashlib
import json
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

    def met(self, claims: Mapping[str, object]) -> bytes | None:
        """Return the hash of the claims that make an administrator where these are among them.

        A claim may be a list of several values.
        """
        found = all(
            claims.get(name) == value or value in _list(claims.get(name))
            for name, value in self.administrator_claims.items()
        )
        return self._claims_sha256 if found else None

    def administers(self, subject: str, met: bytes | None) -> bool:
        """Tell whether a person administers, as the provider is configured now.

        `met` is what `met` returned when the person signed in, maybe with another configuration.
        """
        by_claim = met is not None and met == self._claims_sha256
        return subject in self.administrators or by_claim

    @property
    def _claims_sha256(self) -> bytes | None:
        wanted = sorted(self.administrator_claims.items())
        return hashlib.sha256(json.dumps(wanted).encode()).digest() if wanted else None


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a provider named: `subject` for ever and for itself, `name` for people.

    `met`: the claims that make an administrator, as `Provider.met` returns them.
    """

    provider: Provider
    subject: str
    name: str
    met: bytes | None = None

    @property
    def administers(self) -> bool:
        """Whether this is an administrator."""
        return self.provider.administers(self.subject, self.met)


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


def is_subject(value: object) -> bool:
    """Tell whether a provider may call a person so: visible ASCII, as the standard wants it."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_SUBJECT:
        return False
    return value.isascii() and value.isprintable()


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
