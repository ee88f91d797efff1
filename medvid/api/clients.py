"""The two clients. What they can do is listed once, in `Methods`."""

from __future__ import annotations

import os
from typing import Final, Self

from medvid.api import (
    exports,
    judging,
    keys,
    leaderboards,
    notes,
    own_files,
    sign_in,
    submissions,
    test_sets,
    webhooks,
)
from medvid.api.administration import Administration, AsyncAdministration
from medvid.api.loop import LoopThread
from medvid.api.methods import AsyncCalls, SyncCalls, method, stream
from medvid.api.retries import Retries
from medvid.api.transport import OnRetry, Timeouts, Transport

DEFAULT_URL: Final = "http://127.0.0.1:8080"


class Methods:
    """Every call, in the form of the client that has it."""

    published_test_set = method(test_sets.published_test_set)
    validate = method(submissions.validate)
    submit = method(submissions.submit)
    replace = method(submissions.replace)
    withdraw = method(submissions.withdraw)
    set_facts = method(submissions.set_facts)
    status = method(submissions.status)
    wait = method(submissions.wait)
    watch = stream(submissions.watch)
    events = stream(submissions.events)
    predictions_file = method(own_files.predictions_file)
    predictions = stream(own_files.predictions)

    deliveries = stream(webhooks.deliveries)
    redeliver = method(webhooks.redeliver)

    judge = method(judging.judge)
    pause_judging = method(judging.pause_judging)
    resume_judging = method(judging.resume_judging)
    verdicts = stream(judging.verdicts)

    boards = method(leaderboards.boards)
    board = method(leaderboards.board)
    second_opinions = method(leaderboards.second_opinions)
    best_over_time = method(leaderboards.best_over_time)
    size_and_cost = method(leaderboards.size_and_cost)
    task_leaders = method(leaderboards.task_leaders)
    board_file = method(exports.board_file)
    entry_file = method(exports.entry_file)
    history = stream(exports.history)
    results = method(exports.results)
    board_csv = method(leaderboards.board_csv)
    both_boards = method(leaderboards.both_boards)
    snapshot = method(leaderboards.snapshot)
    entries = stream(leaderboards.entries)
    entry = method(leaderboards.entry)
    withdrawn = stream(leaderboards.withdrawn)
    comparison = method(leaderboards.comparison)
    tracks = method(leaderboards.tracks)
    track = method(leaderboards.track)
    final_results = method(leaderboards.final_results)
    changes = method(notes.changes)
    object_to = method(notes.object_to)
    objections = method(notes.objections)
    objection = method(notes.objection)
    withdraw_objection = method(notes.withdraw_objection)
    answer_objection = method(notes.answer_objection)
    evidence = method(leaderboards.evidence)
    signing_keys = method(leaderboards.signing_keys)

    make_key = method(keys.make_key)
    my_key = method(keys.my_key)
    revoke_key = method(keys.revoke_key)
    set_key_quotas = method(keys.set_key_quotas)
    quotas = method(keys.quotas)
    begin_sign_in = method(sign_in.begin_sign_in)
    finish_sign_in = method(sign_in.finish_sign_in)
    end_sign_in = method(sign_in.end_sign_in)
    # Last: from here on these names are the methods'.
    keys = stream(keys.keys)
    submissions = stream(submissions.submissions)

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
        on_retry: OnRetry | None = None,
    ) -> None:
        """Make a client of the server at `url`; without one, of MEDVID_URL or this machine's.

        `key` is an API key (or MEDVID_API_KEY); it is sent where a call names no token. "" is for
        none, as with a stranger's server.
        """
        transport = Transport(
            url=(url or os.environ.get("MEDVID_URL") or DEFAULT_URL).rstrip("/"),
            token=(os.environ.get("MEDVID_API_KEY") if key is None else key) or None,
            timeouts=timeouts or Timeouts(),
            retries=retries or Retries(),
            on_retry=on_retry,
        )
        self._begin(transport)

    def _begin(self, transport: Transport) -> None:
        raise NotImplementedError


class AsyncClient(Methods, AsyncCalls):
    """For programs with an event loop: `async with AsyncClient(url) as client`."""

    def _begin(self, transport: Transport) -> None:
        AsyncCalls.__init__(self, transport)
        self.admin = AsyncAdministration(transport)

    async def close(self) -> None:
        """Close every connection."""
        await self.transport.close()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        await self.close()


class Client(Methods, SyncCalls):
    """For everyone else, notebooks included: `with Client(url) as client`.

    Its calls run on an event loop in a thread of its own, so they may come from any thread.
    """

    def _begin(self, transport: Transport) -> None:
        SyncCalls.__init__(self, transport, LoopThread())
        self.admin = Administration(transport, self.loop)

    def close(self) -> None:
        """Close every connection and end the thread."""
        self.loop.run(self.transport.close())
        self.loop.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection and end the thread."""
        self.close()
