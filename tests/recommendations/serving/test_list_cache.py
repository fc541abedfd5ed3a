"""Lists are made once, kept while nothing changes, and forgotten in time."""

from __future__ import annotations

import asyncio

import pytest

from recommendations.serving.list_cache import ListCache


async def test_a_crowd_that_asks_for_one_list_has_it_made_once() -> None:
    cache: ListCache[str] = ListCache()
    made = 0

    async def make() -> str:
        nonlocal made
        made += 1
        await asyncio.sleep(0.01)  # sleep: to make a list takes a while
        return "list"

    answers = await asyncio.gather(*(cache.get_or_make("key", make) for _ in range(50)))

    assert [set(answers), made] == [{"list"}, 1]


async def test_a_failure_is_seen_by_all_who_waited_and_tried_again_by_the_next() -> None:
    cache: ListCache[str] = ListCache()
    fails = [True]

    async def make() -> str:
        await asyncio.sleep(0.01)  # sleep: to make a list takes a while
        if fails.pop() if fails else False:
            raise ZeroDivisionError
        return "list"

    first = await asyncio.gather(*(cache.get_or_make("key", make) for _ in range(3)), return_exceptions=True)

    assert all(isinstance(each, ZeroDivisionError) for each in first)
    assert await cache.get_or_make("key", make) == "list"


async def test_what_is_not_worth_keeping_is_made_again() -> None:
    cache: ListCache[int] = ListCache()
    numbers = iter(range(10))

    async def make() -> int:
        return next(numbers)

    for _ in range(2):
        await cache.get_or_make("key", make, is_worth_keeping=lambda value: False)

    assert next(numbers) == 2


@pytest.mark.parametrize(("age_ms", "found"), [(29_999, "list"), (30_001, None)])
def test_entries_grow_old(age_ms: float, found: str | None) -> None:
    now = [0.0]
    cache: ListCache[str] = ListCache(clock=lambda: now[0])

    cache.put("key", "list")
    now[0] = age_ms

    assert cache.get("key") == found


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    cache: ListCache[int] = ListCache(max_entries=3)

    for number in range(5):
        cache.put(number, number)

    assert [cache.get(number) for number in range(5)] == [None, None, 2, 3, 4]


async def test_a_maker_who_goes_away_takes_nobody_along() -> None:
    cache: ListCache[str] = ListCache()
    made: list[str] = []

    async def make(name: str) -> str:
        await asyncio.sleep(0.01)  # sleep: to make a list takes a while
        made.append(name)
        return name

    first = asyncio.create_task(cache.get_or_make("list", lambda: make("first")))
    await asyncio.sleep(0)
    others = [asyncio.create_task(cache.get_or_make("list", lambda: make("other"))) for _ in range(20)]
    gone = asyncio.create_task(cache.get_or_make("list", lambda: make("gone")))
    await asyncio.sleep(0)
    first.cancel()
    gone.cancel()

    assert await asyncio.gather(*others) == ["other"] * 20
    assert made == ["other"]
    assert [first.cancelled(), gone.cancelled()] == [True, True]
