"""A circuit breaker opens after failures in a row, lets one caller try after the rest, and closes with an answer."""

from __future__ import annotations

from recommendations.retrieval.outside.breaker import FAILURES, REST_S, Breaker, Circuit


def opened(now_s: list[float]) -> Breaker:
    breaker = Breaker("shop", "opened", clock=lambda: now_s[0])
    for _ in range(FAILURES):
        assert breaker.may_ask()
        breaker.failed("slow", "no answer")
    return breaker


def test_an_answer_between_failures_keeps_it_closed() -> None:
    breaker = Breaker("shop", "between")
    assert breaker.state is Circuit.UNUSED
    for _ in range(3 * FAILURES):
        breaker.failed("failed", "500")
        assert breaker.state is Circuit.FAILING
        breaker.answered()

    assert breaker.state is Circuit.CLOSED
    assert breaker.may_ask()
    assert breaker.counts == {"failed": 3 * FAILURES, "answered": 3 * FAILURES}


def test_after_the_rest_one_caller_tries_and_a_failure_opens_it_again() -> None:
    now_s = [0.0]
    breaker = opened(now_s)
    assert breaker.state is Circuit.OPEN
    assert not breaker.may_ask()

    now_s[0] = REST_S
    assert breaker.may_ask()
    assert breaker.state is Circuit.TRIED
    assert not breaker.may_ask()
    breaker.failed("slow", "again")

    assert breaker.state is Circuit.OPEN
    assert not breaker.may_ask()
    now_s[0] = 2 * REST_S
    assert breaker.may_ask()
    breaker.answered()
    assert breaker.state is Circuit.CLOSED
    assert breaker.may_ask()


def test_a_trial_that_nobody_waits_for_is_given_to_the_next() -> None:
    now_s = [0.0]
    breaker = opened(now_s)
    now_s[0] = REST_S
    assert breaker.may_ask()

    breaker.given_up()

    assert breaker.state is Circuit.OPEN
    assert breaker.may_ask()
