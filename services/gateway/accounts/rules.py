"""Who asks, and what they may do. Pure: the same caller and the same rules, the same decision."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Self, get_args
from uuid import UUID

from medvid.models.accounts import Scope
from services.gateway.accounts import credentials
from services.gateway.web.site import the_maintainers
from shared.runtime.errors import NotAllowed

Role = Literal["owner", "administrator"]
Registration = Literal["open", "closed"]

ADMIN_KEY_CHARACTERS: Final = 32
"""An administrator's key is at least this long, or administration stays off."""
MAKES_ADMIN_KEY: Final = "openssl rand -hex 32"

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
SIGN_IN: Final = "sign_in:"
"""How `created_by` begins of the keys that are accounts; the provider's id follows."""
SELF_SERVICE_SCOPES: Final[frozenset[Scope]] = frozenset({"submit", "judge"})
"""What a key may do that somebody made for themselves."""


@dataclass(frozen=True, slots=True)
class KeyQuotas:
    """A key's own quotas; None: the one that all keys have."""

    submissions_per_day: int | None = None
    bytes_per_day: int | None = None
    judge_runs_per_month: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key as stored; the secret itself is stored nowhere."""

    id: UUID
    label: str
    owner: str
    scopes: frozenset[Scope]
    quotas: KeyQuotas
    created_at: datetime
    created_by: str
    last_used_at: datetime | None
    revoked_at: datetime | None

    @property
    def is_account(self) -> bool:
        """Whether somebody signs in to it: it has no secret of its own."""
        return self.created_by.startswith(SIGN_IN)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    `address` is always known (an IPv4 address, an IPv6 /64, or "local"). At most one of the others
    is given: `token`, an owner token still to be held against a submission; `key`, an API key that
    is valid; `root`, the administrator whose key the operator set. A token that is not
    `understood` is no submission's: a mistyped key, one in quotes, a variable's name. `who` is the
    name of an administrator who signed in with a browser.
    """

    address: str
    token: str | None = None
    key: ApiKey | None = None
    root: bool = False
    understood: bool = True
    who: str = "administrator"

    @classmethod
    def signed_in(cls, who: str) -> Self:
        """Return the administrator of a browser's session."""
        return cls("local", root=True, who=who)

    @property
    def name(self) -> str:
        """Return what is written down about who did something."""
        return self.who if self.root else self.account

    @property
    def account(self) -> str:
        """Return whose quotas this caller uses."""
        return f"key:{self.key.id}" if self.key else f"address:{self.address}"


@dataclass(frozen=True, slots=True)
class AccessRules:
    """What the operator decided, and the decisions that follow for a caller."""

    administration: bool
    registration: Registration
    anonymous_submissions: bool
    sign_in: bool = False

    def is_administrator(self, caller: Caller) -> bool:
        """Tell whether a caller administers; nobody does while administration is off."""
        by_key = caller.key is not None and "admin" in caller.key.scopes
        return self.administration and (caller.root or by_key)

    def require_administrator(self, caller: Caller) -> None:
        """Raise NotAllowed unless the caller administers."""
        if not self.administration:
            raise NotAllowed(
                "administration is off.",
                fix="Operators: set MEDVID_ADMIN_KEY to at least "
                f"{ADMIN_KEY_CHARACTERS} characters ('{MAKES_ADMIN_KEY}' makes a key), or name "
                "administrators in MEDVID_SIGN_IN, and restart.",
                code="administration_off",
            )
        require_understood(caller)
        if not self.is_administrator(caller):
            raise _refused_administration(caller)

    def require_scope(self, caller: Caller, scope: Scope) -> None:
        """Raise NotAllowed where a key lacks the scope; callers without a key pass."""
        if caller.key is None or scope in caller.key.scopes or self.is_administrator(caller):
            return
        raise _missing_scope(caller.key.scopes, scope)

    def require_judging(self, caller: Caller, key_scopes: Collection[Scope] | None) -> None:
        """Raise NotAllowed unless the caller may have a submission judged.

        `key_scopes` are those of the key that it was sent with: its owner token may no more.
        """
        self.require_scope(caller, "judge")
        if key_scopes is None or self.is_administrator(caller):
            return
        if not {"judge", "admin"} & set(key_scopes):
            raise NotAllowed(
                "the submission was sent with a key that lacks the scope 'judge'.",
                fix=f"Ask {the_maintainers()} to have it judged, or submit with a key that has it.",
                code="missing_scope",
            )

    def require_submitter(self, caller: Caller) -> None:
        """Raise NotAllowed unless the caller may submit."""
        require_understood(caller)
        self.require_scope(caller, "submit")
        if caller.key is None and not caller.root and not self.anonymous_submissions:
            raise NotAllowed(
                "submissions need an API key here.",
                fix="Send one as 'Authorization: Bearer mvk_...'; " + self._where_keys_come_from(),
                code="key_required",
            )

    def require_registrar(self, caller: Caller, scopes: Collection[Scope]) -> None:
        """Raise NotAllowed unless the caller may make a key with these scopes."""
        require_understood(caller)
        if self.is_administrator(caller):
            return
        if self.registration == "closed":
            raise NotAllowed(
                "only administrators make keys here.",
                fix=self._where_keys_come_from(),
                code="registration_closed",
            )
        if not SELF_SERVICE_SCOPES.issuperset(scopes):
            raise NotAllowed(
                "a key with the scope 'admin' is made by an administrator.",
                fix=f"Ask for {' and '.join(sorted(SELF_SERVICE_SCOPES))}.",
                code="administrator_required",
            )

    def role(self, caller: Caller, owner_token_sha256: bytes, key_id: UUID | None) -> Role | None:
        """Return a caller's part in a submission; None for a stranger.

        A submission is owned by the holder of its token, and by the key that it was sent with.
        """
        if self.is_administrator(caller):
            return "administrator"
        if caller.token is not None and credentials.matches(caller.token, owner_token_sha256):
            return "owner"
        if caller.key is not None and caller.key.id == key_id:
            return "owner"
        return None

    def _where_keys_come_from(self) -> str:
        if self.sign_in:
            return "sign in on the Account page, or with 'medvid login'."
        if self.registration == "open":
            return "POST /api/v1/keys gives you one."
        return f"Ask {the_maintainers()} for one."


def not_the_owner(caller: Caller) -> NotAllowed:
    """Return the refusal of a caller that has no part in a submission."""
    if caller.token is not None:
        return NotAllowed(
            "the token is not this submission's owner token.",
            fix="Send the token that came with its receipt.",
            code="invalid_token",
        )
    if caller.key is not None:
        return NotAllowed(
            "the submission was not sent with this key.",
            fix="Send the key that it was sent with, or its owner token.",
            code="not_the_owner",
        )
    return NotAllowed(
        "this needs the submission's owner token.",
        fix="Send it as 'Authorization: Bearer mvb_...'.",
        code="token_required",
    )


def invalid_key(*, revoked: bool) -> NotAllowed:
    """Return the refusal of a key that is unknown or was revoked."""
    if revoked:
        return NotAllowed("the API key was revoked.", fix="Use another key.", code="revoked_key")
    return NotAllowed(
        "there is no such API key.",
        fix="Check that the key is complete: 'Authorization: Bearer mvk_...'.",
        code="unknown_key",
    )


def require_understood(caller: Caller) -> None:
    """Raise NotAllowed where what was sent is neither a key nor a token; it tells nothing more.

    Else it would be as if nothing had been sent, and be done for somebody else than was meant.
    """
    if caller.understood:
        return
    raise NotAllowed(
        "what was sent as a credential is none that we know.",
        fix="Send an API key (mvk_...), an owner token (mvb_...) or the administrator's key, whole "
        "and without quotes, as 'Authorization: Bearer ...'; or leave this header out.",
        code="unknown_credential",
    )


def _refused_administration(caller: Caller) -> NotAllowed:
    if caller.key is not None:
        return _missing_scope(caller.key.scopes, "admin")
    if caller.token is not None:
        return NotAllowed(
            "only an administrator may do this.",
            fix="Send the administrator's key.",
            code="administrator_required",
        )
    return NotAllowed(
        "this needs an administrator's key.",
        fix="Send it as 'Authorization: Bearer ...'.",
        code="token_required",
    )


def _missing_scope(scopes: Collection[Scope], scope: Scope) -> NotAllowed:
    return NotAllowed(
        f"the key has the scope{'s' if len(scopes) > 1 else ''} "
        f"{', '.join(sorted(scopes))}, and this needs {scope!r}.",
        fix="Use a key with that scope.",
        code="missing_scope",
    )
