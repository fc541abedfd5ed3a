"""The background flusher: bounded, nothing lost at stop, and what is given up is counted."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tracking import background_flusher
from tracking.background_flusher import BackgroundFlusher, RedisFlusher
from tracking.metrics import BACKGROUND_DROPPED
from tracking.redis_client import connect

T = TypeVar("T")
NEVER_S = 3_600.0


class Store:
    """Takes what is written to it; may be down, may break, may be made to wait."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.batches: list[int] = []
        self.error: Exception | None = None
        self.fails_at: Any = None
        self.is_writing = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def write(self, batch: deque[Any]) -> None:
        self.is_writing.set()
        assert self.go_on.wait(60)
        self.batches.append(len(batch))
        while batch:
            if self.error is not None and self.fails_at in (None, batch[0]):
                raise self.error
            self.taken.append(batch.popleft())


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def make(store: Store) -> Iterator[Callable[..., BackgroundFlusher[Any]]]:
    made: list[BackgroundFlusher[Any]] = []

    def build(**changes: Any) -> BackgroundFlusher[Any]:
        options = {"every_s": NEVER_S, "capacity": 10, **changes}
        made.append(BackgroundFlusher("things", store.write, **options))
        return made[-1]

    yield build
    store.go_on.set()
    for flusher in made:
        flusher.stop()


@pytest.fixture
def dropped() -> Callable[[], dict[str, int]]:
    """Return what was counted as dropped since the test began, by reason."""

    def read() -> Counter[str]:
        samples = [one for metric in BACKGROUND_DROPPED.collect() for one in metric.samples]
        return Counter(
            {
                one.labels["reason"]: int(one.value)
                for one in samples
                if one.name.endswith("_total") and one.labels["owner"] == "things"
            }
        )

    before = read()
    return lambda: dict(read() - before)


def test_what_is_put_is_written_in_order_by_the_thread(make, store: Store) -> None:
    flusher = make(every_s=0.01)
    flusher.start()
    for number in range(5):
        flusher.put(number)

    wait_until(lambda: store.taken == [0, 1, 2, 3, 4])


def test_nothing_is_lost_at_stop(make, store: Store, dropped) -> None:
    flusher = make(capacity=1_000)
    flusher.start()
    for number in range(1_000):
        assert flusher.put(number)
    flusher.stop()

    assert store.taken == list(range(1_000))
    assert dropped() == {}


def test_nothing_is_lost_at_stop_while_a_batch_is_being_written(make, store: Store, dropped) -> None:
    flusher = make(every_s=0.01)
    store.go_on.clear()
    flusher.put("first")
    flusher.start()
    assert store.is_writing.wait(60)
    flusher.put("second")  # the thread has its batch already
    stopping = threading.Thread(target=flusher.stop)
    stopping.start()
    store.go_on.set()
    stopping.join(60)

    assert store.taken == ["first", "second"]
    assert dropped() == {}


def test_nothing_is_lost_at_stop_of_one_that_was_never_started(make, store: Store) -> None:
    flusher = make()
    flusher.put("only")
    flusher.stop()

    assert store.taken == ["only"]


def test_threads_that_put_while_it_stops_lose_nothing_uncounted(make, store: Store, dropped) -> None:
    flusher = make(every_s=0.001, capacity=100)
    flusher.start()

    def put_many(first: int) -> None:
        for number in range(2_000):
            flusher.put(first + number)

    threads = [threading.Thread(target=put_many, args=(10_000 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    flusher.stop()

    assert len(store.taken) + sum(dropped().values()) == 8_000
    assert len(set(store.taken)) == len(store.taken)


@pytest.mark.parametrize(("keeps", "kept"), [("oldest", [0, 1, 2]), ("newest", [2, 3, 4])])
def test_what_is_too_much_is_counted(make, store: Store, dropped, keeps: str, kept: list[int]) -> None:
    flusher = make(capacity=3, keeps=keeps)
    answers = [flusher.put(number) for number in range(5)]
    flusher.flush()

    assert answers == [True, True, True, False, False]
    assert store.taken == kept
    assert dropped() == {"full": 2}


def test_each_group_has_room_of_its_own(make, store: Store, dropped) -> None:
    flusher = make(capacity=2, per=lambda item: item[0])
    for item in ("a1", "b1", "a2", "a3", "b2"):
        flusher.put(item)
    flusher.flush()

    assert store.taken == ["a1", "a2", "b1", "b2"]  # those of a group side by side
    assert dropped() == {"full": 1}


def test_what_an_unavailable_server_did_not_take_waits_in_front(make, store: Store, dropped) -> None:
    flusher = make(retries=True)
    store.error, store.fails_at = ConnectionError("away"), 2
    for number in range(4):
        flusher.put(number)
    with pytest.raises(ConnectionError):
        flusher.flush()
    flusher.put(4)
    store.error = None
    flusher.flush()

    assert store.taken == [0, 1, 2, 3, 4]
    assert dropped() == {}


def test_without_retries_only_what_was_not_written_is_given_up(make, store: Store, dropped) -> None:
    flusher = make()
    store.error, store.fails_at = ConnectionError("away"), 2
    for number in range(5):
        flusher.put(number)
    with pytest.raises(ConnectionError):
        flusher.flush()
    store.error = None
    flusher.flush()

    assert store.taken == [0, 1]
    assert dropped() == {"unavailable": 3}


def test_the_queue_stays_bounded_through_an_outage(make, store: Store, dropped) -> None:
    flusher = make(capacity=3, retries=True)
    store.error = ConnectionError("away")
    for number in range(12):
        flusher.put(number)
        if number % 3 == 2:
            with pytest.raises(ConnectionError):
                flusher.flush()
        assert len(flusher) <= 3
    store.error = None
    flusher.flush()

    assert store.taken == [0, 1, 2]
    assert dropped() == {"full": 9}


def test_what_cannot_be_written_at_stop_is_counted_and_said(make, store: Store, dropped, caplog) -> None:
    flusher = make(retries=True)
    flusher.start()
    store.error = ConnectionError("away")
    flusher.put(1)
    flusher.put(2)
    flusher.stop()

    assert dropped() == {"shutdown": 2}
    assert "background.lost_at_shutdown owner=things count=2" in caplog.text
    assert len(flusher) == 0


@pytest.mark.expects_errors(r"background.failed")
def test_a_mistake_in_the_writer_costs_its_batch_and_not_the_thread(make, store: Store, dropped, caplog) -> None:
    flusher = make(every_s=0.01, retries=True)
    store.error = KeyError("a mistake")
    flusher.put(1)
    flusher.start()
    wait_until(lambda: "background.failed owner=things" in caplog.text)
    store.error = None
    flusher.put(2)

    wait_until(lambda: store.taken == [2])
    assert dropped() == {"failed": 1}


def test_an_outage_is_logged_once_and_its_end_too(make, store: Store, caplog, monkeypatch) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(background_flusher, "RETRY_S", 0.01)
    flusher = make(every_s=0.01, retries=True)
    store.error = ConnectionError("away")
    flusher.put(1)
    flusher.start()
    wait_until(lambda: len(store.batches) >= 3)
    store.error = None

    wait_until(lambda: "background.recovered owner=things" in caplog.text)
    assert caplog.text.count("background.unavailable owner=things") == 1


@pytest.mark.redis
def test_a_redis_that_is_full_is_said_in_one_line_with_what_to_do_and_what_waits_is_written_later(caplog) -> None:
    caplog.set_level("INFO")
    with RedisServer() as server:
        client = connect(server.url, timeout_s=5.0)
        client.config_set("maxmemory", 1)

        def write(redis: Any, batch: deque[str]) -> None:
            pipe = redis.pipeline(transaction=False)
            for value in batch:
                pipe.rpush("written", value)
            pipe.execute()
            batch.clear()

        flusher: RedisFlusher[str] = RedisFlusher(
            "things", write, timeout_s=5.0, every_s=NEVER_S, capacity=10, retries=True
        )
        flusher.start_at(server.url)
        flusher.put("one")
        for _ in range(3):
            flusher._flush_quietly()
        assert caplog.text.count("background.unavailable owner=things") == 1
        assert "remedy=Redis is full; give it more memory (maxmemory)" in caplog.text
        assert "Traceback" not in caplog.text
        client.config_set("maxmemory", 0)
        flusher._flush_quietly()
        assert client.lrange("written", 0, -1) == [b"one"]
        flusher.stop()
        client.close()


def test_a_flush_waits_for_the_batch_under_way(make, store: Store) -> None:
    flusher = make(every_s=0.01)
    store.go_on.clear()
    flusher.put("first")
    flusher.start()
    assert store.is_writing.wait(60)
    flushed: list[Any] = []
    other = threading.Thread(target=lambda: (flusher.flush(), flushed.extend(store.taken)))
    other.start()
    other.join(0.1)
    is_waiting = other.is_alive()
    store.go_on.set()
    other.join(60)

    assert is_waiting
    assert flushed == ["first"]


def test_putting_does_not_wait_for_a_write(make, store: Store) -> None:
    flusher = make(every_s=0.01)
    store.go_on.clear()
    flusher.put("first")
    flusher.start()
    assert store.is_writing.wait(60)
    started = time.monotonic()
    flusher.put("second")
    took_s = time.monotonic() - started
    store.go_on.set()

    assert took_s < 5  # the write would have held it for a minute


def test_it_starts_again_after_a_stop(make, store: Store) -> None:
    flusher = make(every_s=0.01)
    flusher.start()
    flusher.stop()
    flusher.start()
    flusher.put("again")

    wait_until(lambda: store.taken == ["again"])


def test_a_forked_child_leaves_to_the_parent_what_the_parent_holds(make, store: Store) -> None:
    flusher = make(every_s=0.01)
    store.go_on.clear()
    flusher.put("the parent's")
    flusher.start()
    assert store.is_writing.wait(60)  # with the lock of writing held
    flusher.put("the parent's, too")
    child = os.fork()
    if child == 0:  # no pytest machinery in here
        try:
            store.go_on.set()
            is_empty = len(flusher) == 0
            flusher.put("the child's")
            flusher.start()
            flusher.stop()
            os._exit(0 if is_empty and store.taken == ["the child's"] else 1)
        except BaseException:
            os._exit(2)
    store.go_on.set()
    wait_until(lambda: os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT), "the child to end")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    flusher.stop()
    assert store.taken == ["the parent's", "the parent's, too"]


@given(
    capacity=st.integers(1, 5),
    keeps=st.sampled_from(["oldest", "newest"]),
    retries=st.booleans(),
    steps=st.lists(st.sampled_from(["put", "put", "put", "flush", "fail"]), max_size=60),
)
def test_everything_put_is_written_or_counted_and_never_both(
    capacity: int, keeps: Any, retries: bool, steps: list[str]
) -> None:
    store = Store()
    flusher: BackgroundFlusher[int] = BackgroundFlusher(
        "property", store.write, every_s=NEVER_S, capacity=capacity, keeps=keeps, retries=retries
    )
    gone = Counter[str]()
    flusher._dropped = lambda count, reason: gone.update({reason: count})  # type: ignore[method-assign]
    n_put = 0
    for step in steps:
        if step == "put":
            flusher.put(n_put)
            n_put += 1
            continue
        store.error = ConnectionError("away") if step == "fail" else None
        flusher._flush_quietly()
    store.error = None
    flusher.stop()

    assert len(store.taken) + gone.total() == n_put
    assert store.taken == sorted(set(store.taken))


@pytest.mark.parametrize("changes", [{"every_s": 0}, {"capacity": 0}])
def test_a_flusher_that_could_hold_or_write_nothing_is_refused(make, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="every_s"):
        make(**changes)
