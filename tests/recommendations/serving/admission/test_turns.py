"""Turns: whoever sends little waits for one turn of each other sender and no more, and nobody gets beyond its share."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from recommendations.serving.admission import turns
from recommendations.serving.admission.turns import BURST_S, MAX_WAITING, WORK_S_A_REQUEST, Sender, TooBusy, Turns

QUICK = Sender("shop:quick", 60_000)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_turn_goes_to_the_next_sender_and_not_to_the_next_request() -> None:
    queue = Turns(1, clock=Clock())
    order: list[str] = []

    async def send(sender: Sender) -> None:
        turn = await queue.take(sender, within_s=5)
        order.append(sender.name)
        await asyncio.sleep(0)
        turn.done()

    many, few = Sender("shop:many", 6_000), Sender("shop:few", 6_000)
    await asyncio.gather(*(send(many) for _ in range(10)), send(few), *(send(many) for _ in range(10)), send(few))

    assert Counter(order) == {"shop:many": 20, "shop:few": 2}
    assert order.index("shop:few") <= 2
    assert [turn for turn, name in enumerate(order) if name == "shop:few"][1] <= 4


async def test_who_used_up_the_allowance_is_told_when_there_is_more_and_others_pass() -> None:
    clock = Clock()
    queue = Turns(2, clock=clock)
    dear = Sender("shop:dear", 1_200)
    turn = await queue.take(dear, within_s=1)
    clock.now_s += BURST_S + 2 * dear.work_s_per_s
    turn.done()

    with pytest.raises(TooBusy) as refused:
        await queue.take(dear, within_s=0.06)

    assert refused.value.retry_after_s == pytest.approx(2.0, abs=0.1)
    (await queue.take(QUICK, within_s=0.06)).done()
    clock.now_s += refused.value.retry_after_s
    (await queue.take(dear, within_s=0.06)).done()


async def test_more_than_a_few_waiting_requests_of_one_sender_are_turned_away() -> None:
    queue = Turns(1)
    held = await queue.take(QUICK, within_s=1)
    dear = Sender("shop:dear", 1_200)
    waiting = [asyncio.create_task(queue.take(dear, within_s=5)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)

    with pytest.raises(TooBusy):
        await queue.take(dear, within_s=5)

    held.done()
    for each in waiting:
        (await each).done()


async def test_a_waiting_request_ends_in_time_and_leaves_its_turn_to_others() -> None:
    queue = Turns(1)
    held = await queue.take(QUICK, within_s=1)
    with pytest.raises(TimeoutError):
        await queue.take(Sender("shop:a", 1_200), within_s=0.01)
    cancelled = asyncio.create_task(queue.take(Sender("shop:b", 1_200), within_s=5))
    await asyncio.sleep(0)
    held.done()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    (await queue.take(Sender("shop:c", 1_200), within_s=0.5)).done()


async def test_without_a_sender_nobody_waits() -> None:
    queue = Turns(1)
    await queue.take(QUICK, within_s=1)
    for _ in range(3):
        (await queue.take(None, within_s=0)).done()


async def test_memory_is_bounded_by_senders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_SENDERS", 50)
    queue = Turns(1)
    for number in range(500):
        (await queue.take(Sender(f"shop:{number}", 60), within_s=1)).done()
    assert len(queue._accounts) <= 51


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_senders_do_no_turn_is_lost_and_shares_hold(seed: int) -> None:
    """Random senders, costs, deadlines and cancellations against a clock of our own."""
    rng = random.Random(seed)
    clock = Clock()
    at_once = rng.choice((1, 2, 3))
    queue = Turns(at_once, clock=clock)
    senders = [Sender(f"shop:{number}", rng.choice((60, 1_200, 60_000))) for number in range(5)]
    began_s = clock.now_s
    worked: Counter[str] = Counter()
    running = 0
    most_s = 0.02

    async def send(sender: Sender) -> None:
        nonlocal running
        try:
            turn = await queue.take(sender, within_s=rng.choice((0.0, 0.001, 0.01)))
        except (TooBusy, TimeoutError):
            return
        running += 1
        try:
            assert running <= at_once
            cost_s = rng.uniform(0, most_s)
            await asyncio.sleep(0)
            clock.now_s += cost_s
            worked[sender.name] += cost_s  # type: ignore[assignment]  # seconds
        finally:
            running -= 1
            turn.done()

    for _ in range(30):
        tasks = [asyncio.create_task(send(rng.choice(senders))) for _ in range(rng.randrange(1, 20))]
        await asyncio.sleep(0)
        if rng.random() < 0.3:
            rng.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        clock.now_s += rng.uniform(0, 0.05)
    assert running == 0
    clock.now_s += 1_000
    for _ in range(2 * at_once):
        (await queue.take(senders[0], within_s=0.1)).done()
    assert queue._free == at_once
    elapsed_s = clock.now_s - 1_000 - began_s
    for sender in senders:
        # Turns that overlap take the time of each other with them; what one lasts too long is paid back later.
        allowed_s = BURST_S + elapsed_s * sender.per_minute / 60 * WORK_S_A_REQUEST + at_once * at_once * most_s
        assert worked[sender.name] <= allowed_s
