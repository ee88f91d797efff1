"""`medvid admin keys`."""

from __future__ import annotations

from collections.abc import Sequence

from medvid.cli.administration import session as session_of
from medvid.cli.administration.session import Facts
from medvid.cli.session import Exit, Options, Session, print_json, run


def keys(options: Options) -> int:
    """List API keys; return the exit status."""

    def work(session: Session) -> int:
        found = list(session.client.keys())
        if options.as_json:
            print_json([key.model_dump(mode="json") for key in found])
            return Exit.DONE
        for key in found:
            state = "revoked" if key.revoked_at else "in use"
            print(f"{key.id}  {state}  {','.join(sorted(key.scopes))}  {key.label}  {key.owner}")
        return Exit.DONE

    return run(options, work)


def make_key(
    options: Options,
    label: str,
    owner: str,
    scopes: Sequence[str],
    why: str | None,
    **quotas: int | None,
) -> int:
    """Make an API key; return the exit status."""

    def work(session: Session) -> Facts:
        body = {"label": label, "owner": owner, "scopes": list(scopes), "quotas": quotas}
        body["why"] = session_of.reason(session, why)
        return session_of.send_body(session, "/keys", body, repeatable=False)

    return session_of.command(
        options, work, lambda made: f"{made['key']}\nShown once: its id is {made['id']}."
    )


def change_key(
    options: Options, key: str, action: str, why: str | None, *, sure: bool, **quotas: int | None
) -> int:
    """Revoke an API key or set its quotas; return the exit status."""

    def work(session: Session) -> Facts:
        if action == "revoke":
            session_of.consent(session, f"Revoke key {key} for ever?", sure=sure)
        body: dict[str, object] = {"why": session_of.reason(session, why)}
        if action == "revoke":
            return session_of.send_body(session, f"/keys/{key}/revoke", body)
        return session_of.send_body(session, f"/keys/{key}/quotas", body | quotas, "PUT")

    told = "Revoked." if action == "revoke" else "Its quotas are set."
    return session_of.command(options, work, lambda _: told)
