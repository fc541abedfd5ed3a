"""What is accepted is applied: a record that breaks a step is put aside alone, a partition that fails halts alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import keys, metrics
from features.exceptions import StoreUnavailable
from features.state import attribution, states, windows
from features.state import batch as micro
from features.state.batch import POISON, ParsedBatch, Refused, parse_batch, without_failing
from features.store import counts
from features.store.item_stats import ItemStatsMerger, load_item_stats
from tests.features.conftest import World
from tests.features.making import LATENESS_MS, NOW_MS, event, record, wire
from tracking.log import Record

Worlds = Callable[..., World]
BAD = "breaks-a-step"


def parsed_batch(n: int, *, n_users: int = 4) -> ParsedBatch:
    wires = [wire(record(event("page_view"), anonymous_id=f"anonymous-{i % n_users:010}")) for i in range(n)]
    return parse_batch(0, [Record(0, str(number), key, value, NOW_MS) for number, (key, value) in enumerate(wires)])


def positions(batch: ParsedBatch) -> list[int]:
    return [int(one.position) for one, _ in batch.in_order]


@given(st.integers(0, 40), st.data())
def test_exactly_the_records_that_fail_are_left_out(n: int, data: st.DataObject) -> None:
    failing = data.draw(st.sets(st.integers(0, max(n - 1, 0)), max_size=6)) if n else set()
    attempts = []

    def attempt(batch: ParsedBatch) -> list[int]:
        attempts.append(len(batch.in_order))
        indices = sorted(index for of_user in batch.by_user.values() for index in of_user)
        assert indices == list(range(len(batch.in_order)))
        if failing & set(positions(batch)):
            raise OverflowError("too large")
        return positions(batch)

    others, made = without_failing(parsed_batch(n), attempt)

    assert made == positions(others) == [number for number in range(n) if number not in failing]
    assert sorted(int(one.record.position) for one in others.refused) == sorted(failing)
    assert {one.reason for one in others.refused} <= {POISON}
    assert len(attempts) <= 3 + len(failing) * (2 * 6 + micro.MAX_TRIES)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), MemoryError(), ZeroDivisionError()], ids=repr)
def test_what_is_not_the_fault_of_a_record_puts_none_aside(error: Exception) -> None:
    def attempt(batch: ParsedBatch) -> None:
        raise error

    with pytest.raises(type(error)):
        without_failing(parsed_batch(5), attempt)


def test_a_failure_that_passes_puts_no_record_aside() -> None:
    left = [2]

    def attempt(batch: ParsedBatch) -> int:
        if len(batch.in_order) == 1 and left[0]:
            left[0] -= 1
            raise TimeoutError("once more")
        return len(batch.in_order)

    others, made = without_failing(parsed_batch(1), attempt)

    assert (made, others.refused) == (1, [])


def _names_bad(value: object) -> bool:
    return BAD in repr(value)


STEPS = {
    "read": (micro, "read_record"),
    "encode": (states, "encode"),
    "count items": (windows, "pane_increments"),
    "count lists": (attribution, "sum_effects"),
    "add counts": (counts.CountCache, "add"),
}


@pytest.mark.redis
@pytest.mark.expects_errors(r"stream\.(batch_failed|user_failed|quarantined)")
@pytest.mark.parametrize("step", STEPS)
def test_a_record_that_breaks_any_step_is_put_aside_and_the_others_count_once(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    good = [
        wire(record(event("view_item", items=[f"item-{i % 3}"]), event("view_item_list", items=["item-1"],
             item_list_id="home"), site=f"site{i % 2}", anonymous_id=f"anonymous-{i % 7:010}"))
        for i in range(40)
    ]  # fmt: skip
    bad = wire(
        record(event("view_item", items=[BAD]), event("view_item_list", items=[BAD], item_list_id=BAD), site="site0")
    )
    owner, name = STEPS[step]
    real = getattr(owner, name)

    def breaks(*args: Any, **kwargs: Any) -> Any:
        if _names_bad([one for one in args if not isinstance(one, counts.CountCache)]):
            raise OverflowError("int too large to convert")
        return real(*args, **kwargs)

    clean, world = worlds("memory"), worlds("memory")
    clean.fill(good)
    clean.drain()
    monkeypatch.setattr(owner, name, breaks)
    world.fill([*good[:20], bad, *good[20:]])

    world.drain()

    assert world.hash() == clean.hash()
    assert world.ledger() == {**clean.ledger(), "dead_lettered": 1}
    letters = world.log.sibling("dead-letters")
    (letter,) = [json.loads(one.value) for p in range(world.log.partitions) for one in letters.read_all(p)]
    assert (letter["reason"], letter["site"]) == (POISON, "site0")
    name_of_it = {"site": "site0", "partition": str(letter["partition"]), "position": letter["position"]}
    assert metrics.QUARANTINED_AT.labels(**name_of_it)._value.get() > 0


@pytest.mark.redis
@pytest.mark.expects_errors(r"stream\.(batch_failed|halted)")
@pytest.mark.parametrize("failing", ["_apply", "wait_acknowledged"])
def test_a_partition_that_fails_halts_alone_and_goes_on_when_it_can(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    from features.stream.in_flight import InFlightBatch

    records = [wire(record(event("page_view"), anonymous_id=f"anonymous-{i % 20:010}")) for i in range(60)]
    clean, world = worlds("memory"), worlds("memory")
    clean.fill(records)
    clean.drain()
    world.fill(records)
    sick = keys.partition_of("shop", "a:anonymous-0000000000", world.log.partitions)  # type: ignore[arg-type]
    real = getattr(InFlightBatch, failing)

    def fails(self: InFlightBatch, *args: Any, **kwargs: Any) -> Any:
        if self.partition == sick:
            raise LookupError("a mistake of ours")
        return real(self, *args, **kwargs)

    now = [0.0]
    worker = world.worker()
    worker._halts._clock = lambda: now[0]
    with monkeypatch.context() as patch:
        patch.setattr(InFlightBatch, failing, fails)
        for _ in range(50):
            worker.step(0.0)
        behind = world.log.behind(world.store.positions(range(world.log.partitions)))
        # What was sent is written, also where nobody waits for the answer.
        assert {partition for partition, left in behind.items() if left} == ({sick} if failing == "_apply" else set())
        assert worker.status.halted == {sick: "LookupError: a mistake of ours"}
        assert metrics.STREAM_HALTED.labels(partition=str(sick))._value.get() == 1
    now[0] = 1_000.0

    world.drain(worker)
    worker.close()

    assert worker.status.halted == {}
    assert metrics.STREAM_HALTED.labels(partition=str(sick))._value.get() == 0
    assert world.hash() == clean.hash()
    assert world.ledger() == clean.ledger()


@pytest.mark.redis
@pytest.mark.expects_errors(r"stream\.announce_failed")
def test_an_announcement_that_fails_does_not_make_a_batch_count_twice(worlds: Worlds) -> None:
    world = worlds("memory")
    world.fill([wire(record(event("page_view")))])
    worker = world.worker()
    worker._announce = lambda changed: 1 / 0  # type: ignore[assignment]

    world.drain(worker)
    worker.close()

    assert world.ledger() == {"applied": 1}
    assert worker.status.records == 1


@pytest.mark.redis
@pytest.mark.expects_errors(r"tasks\.site_failed")
def test_the_merge_of_one_site_that_fails_leaves_the_others_their_statistics(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = worlds("memory")
    now_ms = time.time_ns() // 1_000_000  # of the log's own clock, which bounds the watermarks
    views = {site: event("view_item", items=[f"of-{site}"], at_ms=now_ms) for site in ("one", "sick", "two")}
    world.fill([wire(record(view, site=site)) for site, view in views.items()])
    world.drain()
    real = windows.sum_counts

    def breaks(panes: Any) -> Any:
        if any(b"of-sick" in pane for pane in panes):
            raise OverflowError("int too large to convert")
        return real(panes)

    monkeypatch.setattr(windows, "sum_counts", breaks)
    merger = ItemStatsMerger(
        world.client, partitions=world.log.partitions, log_name=world.log_name, lateness_ms=LATENESS_MS
    )

    assert merger.merge() == {"one": 1, "two": 1}
    assert load_item_stats(world.client, "two").item_ids == ("of-two",)


def test_a_flood_of_poison_is_named_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    from features.stream import dead_letters

    monkeypatch.setattr(dead_letters, "_named", set())
    monkeypatch.setattr(dead_letters.logger, "error", lambda *args: None)
    for number in range(3 * dead_letters.MAX_NAMED):
        dead_letters._announce_poison(Refused(Record(0, str(number), b"shop/a:x", b"", 0), POISON, "record", "why"))

    assert len(dead_letters._named) == dead_letters.MAX_NAMED + 1
