"""A token bucket grants its burst and its rate, and never more."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.token_bucket import TokenBucket

RATES = st.floats(0.01, 1_000.0)
BURSTS = st.floats(1.0, 1_000.0)
TIMES = st.lists(st.floats(0.0, 1_000.0), max_size=200)


@given(rate_per_s=RATES, burst=BURSTS, times=TIMES)
def test_no_stretch_of_time_grants_more_than_the_burst_and_its_rate(
    rate_per_s: float, burst: float, times: list[float]
) -> None:
    bucket = TokenBucket(rate_per_s=rate_per_s, burst=burst)
    granted = [at for at in sorted(times) if bucket.take(at)]

    for first, begin in enumerate(granted):
        for count, end in enumerate(granted[first:], start=1):
            assert count <= burst + rate_per_s * (end - begin) + 1e-6


@given(rate_per_s=RATES, burst=BURSTS, times=TIMES)
def test_a_clock_that_jumps_back_grants_no_more(rate_per_s: float, burst: float, times: list[float]) -> None:
    bucket = TokenBucket(rate_per_s=rate_per_s, burst=burst)
    granted = sum(bucket.take(at) for at in times)

    elapsed_s = max(times) - times[0] if times else 0.0
    assert granted <= burst + rate_per_s * elapsed_s + 1e-6


@given(rate_per_s=st.integers(1, 50), seconds=st.integers(1, 20))
def test_who_keeps_to_the_rate_is_never_refused(rate_per_s: int, seconds: int) -> None:
    bucket = TokenBucket(rate_per_s=rate_per_s, burst=2)

    assert all(bucket.take(number / rate_per_s) for number in range(rate_per_s * seconds))


def test_a_burst_is_granted_at_once_and_comes_back_with_time() -> None:
    bucket = TokenBucket(rate_per_s=2.0, burst=3)
    at_once = [bucket.take(10.0) for _ in range(4)]
    half_a_second_later = [bucket.take(10.5) for _ in range(2)]
    after_an_hour = sum(bucket.take(3_610.0) for _ in range(10))

    assert at_once == [True, True, True, False]
    assert half_a_second_later == [True, False]
    assert after_an_hour == 3  # no more than a full bucket


def test_threads_that_ask_at_once_share_one_bucket() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=500)
    at_once = threading.Barrier(8)

    def ask(_: int) -> int:
        at_once.wait()
        return sum(bucket.take(1.0) for _ in range(1_000))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(8))) == 500


@pytest.mark.parametrize(("rate_per_s", "burst"), [(0.0, 5.0), (-1.0, 5.0), (1.0, 0.5)])
def test_a_bucket_that_could_grant_nothing_is_refused(rate_per_s: float, burst: float) -> None:
    with pytest.raises(ValueError, match="rate_per_s"):
        TokenBucket(rate_per_s=rate_per_s, burst=burst)
