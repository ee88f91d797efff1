"""What the administrator's commands share: calls, the entry that is meant, reasons, consent."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from pydantic import RootModel
from rich.prompt import Confirm, Prompt

from medvid.api.calls import API, Call, Reply, get, read, text_of
from medvid.cli.session import Exit, Options, Session, Unfit, print_json, run

Facts = dict[str, Any]


class Anything(RootModel[Facts]):
    """An answer that is printed as it is."""


def options(url: str | None, key: str | None, *, as_json: bool) -> Options:
    """Return the options of an administrator's command; MEDVID_ADMIN_KEY is the usual key."""
    return Options(url, key or os.environ.get("MEDVID_ADMIN_KEY") or None, None, as_json)


def ask(session: Session, path: str, **query: object) -> Facts:
    """Read something below /admin."""
    return _send(session, get(f"/admin{path}", token=None, **query))


def text(session: Session, path: str, **query: object) -> str:
    """Read a text below /admin."""
    call = get(f"/admin{path}", token=None, **query)
    transport = session.client.transport
    found: str = session.client.loop.run(transport.repeating(call, text_of))
    return found


def pages(
    session: Session, path: str, of: str, most: int | None, **query: object
) -> Iterator[Facts]:
    """Read a list below /admin page by page; at most so many rows."""
    cursor, count = None, 0
    while most is None or count < most:
        page = ask(session, path, cursor=cursor, **query)
        for row in page[of]:
            if most is not None and count >= most:
                return
            yield row
            count += 1
        cursor = page["next_cursor"]
        if cursor is None:
            return


def do(session: Session, path: str, why: str, **body: object) -> Facts:
    """Do something below /admin. Every action may be sent twice: the second changes nothing."""
    given = {name: value for name, value in body.items() if value is not None}
    return send_body(session, f"/admin{path}", {"why": why, **given})


def send_body(
    session: Session,
    path: str,
    body: Mapping[str, object],
    method: str = "POST",
    *,
    repeatable: bool = True,
) -> Facts:
    """Send JSON to an address of the API."""
    return _send(session, Call(method, f"{API}{path}", json=body, repeatable=repeatable))


def send_file(session: Session, path: str, content: bytes, kind: str, **query: str) -> Facts:
    """Send a file as it is to an address below /admin."""
    call = Call(
        "POST",
        f"{API}/admin{path}",
        query=query,
        headers={"Content-Type": kind},
        content=content,
        repeatable=True,
    )
    return _send(session, call)


def _send(session: Session, call: Call) -> Facts:
    transport = session.client.transport
    if call.method == "POST" and call.content is None:
        found = session.client.loop.run(transport.repeating(call, _maybe))
    else:
        found = session.client.loop.run(transport.ask(call, Anything)).root
    answer: Facts = found
    return answer


def _maybe(reply: Reply) -> Facts:
    """Return an answer that may be none (204)."""
    return {} if reply.status == 204 else read(reply, Anything).root


def entry_id(session: Session, named: str, board: str | None) -> str:
    """Return the id of the entry that is meant: by its id, or by its model's name."""
    try:
        return str(UUID(named))
    except ValueError:
        pass
    found = ask(session, "/entries", model_name=named, board=board)["entries"]
    if not found:
        raise Unfit(
            f"no board has a model named {named!r}.", fix="'medvid admin entries' lists them."
        )
    if len(found) > 1:
        boards = " and ".join(each["board"] for each in found)
        raise Unfit(f"{named!r} is on {boards}.", fix="Say which with --board, or give its id.")
    return str(found[0]["id"])


def reason(session: Session, why: str | None) -> str:
    """Return the reason, asked for on a terminal; raises Unfit without one."""
    if why is None and sys.stdin.isatty():
        why = Prompt.ask("Why? (for the audit log)", console=session.notices)
    if not why or not why.strip():
        raise Unfit("an action needs a reason.", fix="Give it with --why.")
    return why


def consent(session: Session, question: str, *, sure: bool) -> None:
    """Return where people agree; raises Unfit otherwise, also where nobody can be asked."""
    if sure:
        return
    if not sys.stdin.isatty():
        raise Unfit(f"{question} Nobody is here to say so.", fix="Give --yes.")
    if not Confirm.ask(question, console=session.notices):
        raise Unfit("nothing was done.")


def command(given: Options, work: Callable[[Session], Facts], told: Callable[[Facts], str]) -> int:
    """Run a command; print its answer as JSON, or what there is to tell."""

    def whole(session: Session) -> int:
        answer = work(session)
        if given.as_json:
            print_json(answer)
        else:
            print(told(answer))
        return Exit.DONE

    return run(given, whole)


def changed(told: str) -> Callable[[Facts], str]:
    """Return what to say of an action, from its answer."""
    return lambda done: told if done["changed"] else f"{told} It was so before."
