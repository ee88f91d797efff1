"""Errors of RabbitMQ's client library, and what is made of them."""

from __future__ import annotations

import asyncio

import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelAccessRefused

from shared.messaging.rabbit.link import NoRight, broker_errors
from shared.runtime.errors import Unavailable


async def test_a_cancellation_stays_one_where_the_connection_is_lost_at_the_same_moment() -> None:
    """The library then raises its own error in place of it; who closed us would wait for ever."""

    async def talks() -> None:
        async with broker_errors("talking"):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as cancelled:
                raise AMQPConnectionError("reset by peer") from cancelled

    task = asyncio.create_task(talks())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (asyncio.CancelledError(), Unavailable),  # of the library's own futures
        (TimeoutError(), Unavailable),
        (AMQPConnectionError("reset by peer"), Unavailable),
        (ChannelAccessRefused("no right"), NoRight),
        (KeyError("a mistake in this code"), KeyError),
    ],
)
async def test_what_the_library_raises_is_ours(error: BaseException, ours: type) -> None:
    with pytest.raises(ours):
        async with broker_errors("talking"):
            raise error
