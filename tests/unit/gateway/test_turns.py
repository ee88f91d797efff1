"""Turns: one view at a time, few wait, and no address waits for all that another asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

import pytest

from services.gateway.web.errors import Busy
from services.gateway.web.turns import Turns, WaitingLimits
from tests.patience import HANG_SECONDS


class Maker:
    """Makes things when told to, one after another; keeps what it made."""

    def __init__(self, **limits: float) -> None:
        self.turns = Turns(WaitingLimits(**{"seconds": 20, **limits}))  # type: ignore[arg-type]
        self.made: dict[Hashable, str] = {}
        self.order: list[Hashable] = []
        self.keeps = True
        self._may = asyncio.Semaphore(0)

    def ask(self, address: str, key: Hashable) -> asyncio.Task[str]:
        async def make() -> str:
            self.order.append(key)
            await self._may.acquire()
            if key == "broken":
                raise ValueError(key)
            if self.keeps:
                self.made[key] = f"made {key}"
            return f"made {key}"

        find = self.made.get
        return asyncio.create_task(self.turns.get(address, key, lambda: find(key), make))

    async def go(self, count: int = 1) -> None:
        """Let so many be finished, and everybody hear of it."""
        for _ in range(count):
            self._may.release()
            await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_addresses_take_turns_also_where_one_asks_for_more() -> None:
    maker = Maker()
    greedy = [maker.ask("greedy", f"g{number}") for number in range(5)]
    await settled()
    others = [maker.ask("one", "a"), maker.ask("two", "b"), maker.ask("one", "c")]
    await settled()
    await maker.go(8)
    assert maker.order == ["g0", "g1", "a", "b", "g2", "c", "g3", "g4"]
    assert [await each for each in others] == ["made a", "made b", "made c"]
    assert len(await asyncio.gather(*greedy)) == 5


async def test_an_address_has_its_share_of_those_who_wait() -> None:
    maker = Maker(total=6, per_address=3)
    greedy = [maker.ask("greedy", number) for number in range(6)]
    await settled()
    for refused in greedy[4:]:  # one is made, three wait
        with pytest.raises(Busy):
            await refused
    other = maker.ask("other", "a")
    await settled()
    await maker.go(5)
    assert await other == "made a"
    assert await asyncio.gather(*greedy[:4]) == [f"made {number}" for number in range(4)]


async def test_the_greediest_makes_room_for_others() -> None:
    maker = Maker(total=4, per_address=4)
    greedy = [maker.ask("greedy", number) for number in range(5)]
    await settled()
    first, second = maker.ask("first", "a"), maker.ask("second", "b")
    await settled()
    assert [each.done() for each in greedy] == [False, False, False, True, True]
    refused = maker.ask("third", "c"), maker.ask("first", "d")
    await settled()
    with pytest.raises(Busy):
        await refused[1]  # as many as the others
    await maker.go(8)
    assert [await each for each in (first, second)] == ["made a", "made b"]
    for each in (*greedy, refused[0]):
        if each.exception() is not None:
            assert isinstance(each.exception(), Busy)


@pytest.mark.parametrize("keeps", [True, False])
async def test_the_same_is_made_once_for_an_address(keeps: bool) -> None:
    maker = Maker(per_address=1)
    maker.keeps = keeps
    crowd = [maker.ask("proxy", "view") for _ in range(50)]
    await settled()
    await maker.go()
    assert set(await asyncio.gather(*crowd)) == {"made view"}
    assert maker.order == ["view"]


async def test_what_another_address_had_made_is_had_at_once() -> None:
    maker = Maker()
    first = maker.ask("one", "view")
    await settled()
    later = [maker.ask("two", "other"), maker.ask("two", "view")]
    await settled()
    await maker.go()
    assert (first.done(), later[0].done(), await later[1]) == (True, False, "made view")
    await maker.go()
    assert await maker.ask("three", "view") == "made view"
    assert maker.order == ["view", "other"]


async def test_a_failure_is_its_own_and_the_next_has_its_turn() -> None:
    maker = Maker()
    broken, again, good = maker.ask("a", "broken"), maker.ask("b", "broken"), maker.ask("c", "x")
    await settled()
    await maker.go(3)
    for each in (broken, again):
        with pytest.raises(ValueError, match="broken"):
            await each
    assert await good == "made x"


async def test_nobody_waits_longer_than_the_limit() -> None:
    maker = Maker(seconds=0.05)
    first = maker.ask("a", "slow")
    await settled()
    with pytest.raises(Busy):
        await maker.ask("b", "late")
    await maker.go()
    assert await first == "made slow"
    last = maker.ask("b", "late")
    await maker.go()
    assert await last == "made late"


async def test_who_is_given_up_while_it_is_made_holds_up_nobody() -> None:
    maker = Maker()
    first, second = maker.ask("a", "x"), maker.ask("b", "y")
    await settled()
    first.cancel()
    second.cancel()
    await settled()
    third = maker.ask("c", "z")
    await maker.go(3)
    assert await third == "made z"
    assert maker.made.keys() == {"x", "y", "z"}


async def test_ends_and_turns_at_the_same_moment_lose_no_turn() -> None:
    """Whatever the order in which a loop comes to deadlines and turns."""
    for delay in range(12):
        maker = Maker(seconds=0.004)
        first = maker.ask("a", "x")
        await settled()
        second = maker.ask("b", "y")
        await asyncio.sleep(0.001 * delay / 2)
        await maker.go(2)
        await asyncio.gather(first, second, return_exceptions=True)
        last = maker.ask("c", "z")
        await maker.go(2)
        async with asyncio.timeout(HANG_SECONDS):
            assert await last == "made z"
