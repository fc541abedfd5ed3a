"""What the fault suite calls lost and doubled: shopper by shopper, so that one never makes up for another."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.faults.matrix import Fault
from benchmarks.faults.story import Outcome, Story, figures_of
from benchmarks.faults.traffic import Answer, Ledger, curve, percentile
from benchmarks.faults.verdict import Verdict, compare

people = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5), min_size=1)


def ledger_of(views: dict[str, int]) -> Ledger:
    ledger = Ledger()
    for who, number in views.items():
        ledger.acknowledge(who, [{"event_id": f"{who}{n}", "event": "view_item"} for n in range(number)])
    return ledger


@given(sent=people, difference=st.dictionaries(st.sampled_from("abcdef"), st.integers(-5, 5)))
def test_what_is_missing_never_makes_up_for_what_is_too_much(sent: dict[str, int], difference: dict[str, int]) -> None:
    found = Counter({who: max(0, number + difference.get(who, 0)) for who, number in sent.items()})
    verdict = compare(ledger_of(sent), found, Counter())
    assert verdict.lost == sum(max(0, number - found[who]) for who, number in sent.items())
    assert verdict.doubled == sum(max(0, found[who] - number) for who, number in sent.items())
    assert verdict.is_exact == (found == Counter(sent))


def test_orders_are_told_from_views() -> None:
    ledger = Ledger()
    ledger.acknowledge("a", [{"event_id": "1", "event": "purchase"}, {"event_id": "2", "event": "view_item"}])
    assert compare(ledger, Counter(a=2), Counter()) == Verdict(1, 1)
    assert compare(ledger, Counter(a=1), Counter(a=1)) == Verdict(0, 0)


def test_a_curve_holds_the_slowest_of_each_second() -> None:
    answers = [Answer(at, took, True, "recommend") for at, took in ((10.1, 5.0), (10.9, 7.0), (12.0, 3.0), (99.0, 9.0))]
    assert curve(answers, start_s=10.0, end_s=13.0) == [7.0, 0.0, 3.0, 0.0]
    assert percentile(answers, 0.99) == 9.0
    assert percentile([], 0.99) == 0.0


def test_an_alert_that_does_not_clear_and_a_part_that_does_not_come_back_are_not_counted() -> None:
    async def nothing(making: object) -> None: ...

    def fault(name: str, *alerts: str) -> Fault:
        return Fault(name=name, make=nothing, alerts=alerts)  # type: ignore[arg-type]

    times = dict.fromkeys(("collect", "recommend"), (1.0, 2.0, 3.0))
    story = Story(backend="redis", quick=True)
    story.outcomes = [
        Outcome(fault=fault("one", "A", "B"), back_s=1.0, fired={"A", "B"}, p99_ms=times),
        Outcome(fault=fault("two", "C"), back_s=None, fired=set(), verdict=Verdict(2, 1), p99_ms=times),
    ]
    story.only, story.never_cleared, story.archived = ("no such fault",), {"B"}, Verdict(1, 0)
    figures = figures_of([story])
    assert {key: figures[key] for key in ("faults", "lost", "doubled", "came_back", "alerts_fired")} == {
        "faults": 2, "lost": 3, "doubled": 1, "came_back": 1, "alerts_fired": 1,
    }  # fmt: skip
