"""What a batch, the bus and a replica hold follows calls, latency and the replicas there are."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from services.judge.sizing import LEAST_WINDOW, MOST_PAIRS, Places, batch_pairs, window

A, B = "a", "b"


@pytest.mark.parametrize(
    ("rate", "pairs", "replicas", "most", "expected"),
    [
        (8.0, 5000, 1, None, 8),  # 16 calls of 2 s: about a second of them
        (0.5, 5000, 1, None, 1),  # 16 calls of 32 s
        (800.0, 5000, 1, None, MOST_PAIRS),
        (8.0, 5000, 1, 4, 4),
        (8.0, 40, 16, None, 3),  # each replica shall have some
        (8.0, 10, 16, None, 1),
        (8.0, 0, 16, None, 1),
    ],
)
def test_a_batch_is_about_a_second_of_work(
    rate: float, pairs: int, replicas: int, most: int | None, expected: int
) -> None:
    assert batch_pairs(rate, pairs, replicas, most) == expected


def test_the_window_is_twice_what_replicas_hold_within_the_operators_limit() -> None:
    assert [window(held) for held in (0, 4, 64, 1000)] == [LEAST_WINDOW, LEAST_WINDOW, 128, 2000]
    assert [window(held, 64) for held in (0, 1000)] == [LEAST_WINDOW, 64]
    assert window(0, 4) == 4


def test_an_idle_replica_has_places_for_the_calls_that_it_may_make() -> None:
    places = Places()
    assert places.follow({A: 2}) == 1
    assert places.follow({A: 16}) == 2  # of 8 pairs
    assert places.follow({A: 2}) == 2  # what waits elsewhere costs nobody anything


def test_calls_without_pairs_take_more_batches_and_waiting_pairs_fewer() -> None:
    places = Places()
    places.follow({A: 16})
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(places.batch(8))
        slow = held.enter_context(ExitStack())
        for _ in range(5):  # the others of these batches are answered
            slow.enter_context(places.pair(A))
        assert places.follow({A: 16}) == 4
        for _ in range(27):
            slow.enter_context(places.pair(A))
        assert places.follow({A: 16}) == 4  # 16 wait: two batches, which is not too many
        assert places.follow({A: 1}) == 3  # an outage: one call at a time
        assert [places.follow({A: 1}) for _ in range(4)] == [2, 1, 1, 1]
    assert places.follow({A: 1}) == 1


def test_a_slow_judge_of_a_panel_does_not_fill_a_replica_up() -> None:
    places = Places()
    with ExitStack() as held:
        for number in range(60):  # all batches that come are of the judge that hangs
            if number and number >= places.now:
                break
            held.enter_context(places.batch(8))
            for _ in range(8):
                held.enter_context(places.pair(A))
            places.follow({A: 1, B: 16})
        assert places.now == 6
