"""`medvid admin keys`: API keys and their quotas."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from medvid.api import KeyQuotas
from medvid.cli.administration.session import Why, reason
from medvid.cli.parameters import Sure
from medvid.cli.session import Session, as_administrator, consent

KeyId = Annotated[str, typer.Argument(help="its id")]
Number = Annotated[int | None, typer.Option(min=0)]


class Scope(StrEnum):
    """What a key may be used for; typer reads no lists of literals."""

    SUBMIT = "submit"
    JUDGE = "judge"
    ADMIN = "admin"


@as_administrator
def list_keys(session: Session) -> int:
    """List API keys."""
    found = list(session.client.keys())
    lines = [
        f"{key.id}  {'revoked' if key.revoked_at else 'in use'}  "
        f"{','.join(sorted(key.scopes))}  {key.label}  {key.owner}"
        for key in found
    ]
    return session.answer_lines(found, lines)


@as_administrator
def make(
    session: Session,
    label: Annotated[str, typer.Argument(help="what it is for")],
    owner: Annotated[str, typer.Argument(help="who answers for it")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="submit and judge when left out")
    ] = None,
    submissions_per_day: Number = None,
    bytes_per_day: Number = None,
    judge_runs_per_month: Number = None,
    why: Why = None,
) -> int:
    """Make an API key; it is shown once."""
    made = session.client.make_key(
        label, owner=owner, scopes=scope or ("submit", "judge"), why=reason(session, why),
        quotas=_quotas(submissions_per_day, bytes_per_day, judge_runs_per_month),
    )  # fmt: skip
    return session.answer(made, f"{made.key}\nShown once: its id is {made.id}.")


@as_administrator
def revoke(session: Session, key_id: KeyId, why: Why = None, sure: Sure = False) -> int:
    """Revoke an API key, for ever."""
    consent(session, f"Revoke key {key_id} for ever?", sure=sure)
    return session.answer(session.client.revoke_key(key_id, why=reason(session, why)), "Revoked.")


@as_administrator
def set_quotas(
    session: Session,
    key_id: KeyId,
    submissions_per_day: Number = None,
    bytes_per_day: Number = None,
    judge_runs_per_month: Number = None,
    why: Why = None,
) -> int:
    """Give an API key quotas of its own; those left out are the ones all keys have."""
    quotas = _quotas(submissions_per_day, bytes_per_day, judge_runs_per_month)
    changed = session.client.set_key_quotas(key_id, quotas, why=reason(session, why))
    return session.answer(changed, "Its quotas are set.")


def _quotas(submissions: int | None, size: int | None, judge_runs: int | None) -> KeyQuotas:
    return KeyQuotas.model_construct(  # unchecked: the server says best what is too much
        submissions_per_day=submissions, bytes_per_day=size, judge_runs_per_month=judge_runs
    )
