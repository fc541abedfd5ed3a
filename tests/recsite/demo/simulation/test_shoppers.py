"""The simulated history: in order of time, with tastes."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from recsite.demo.catalogue import HISTORY_DAYS, SEED, Product
from recsite.demo.simulation.shoppers import record
from tests.recsite.demo.pages import END, viewed
from tracking.contract.events import EventRecord
from tracking.contract.parsing import encode_record, parse_record


@pytest.mark.slow
def test_history_is_in_order_of_time_and_holds_to_the_contract(history: list[EventRecord]) -> None:
    times = [each.events[0].occurred_at_ms for each in history]
    ids = [each.events[0].event_id for each in history]

    assert 30_000 < len(history) < 80_000
    assert times == sorted(times)
    assert len(set(ids)) == len(ids)
    assert END - timedelta(days=HISTORY_DAYS + 1) < datetime.fromtimestamp(times[0] / 1_000, UTC)
    assert datetime.fromtimestamp(times[-1] / 1_000, UTC) < END
    for each in history[::97]:
        assert parse_record(encode_record(each)) == each


@pytest.mark.slow
def test_the_same_seed_makes_the_same_history(products: list[Product], history: list[EventRecord]) -> None:
    assert list(record(products, end=END, seed=SEED, site="shop"))[:5_000] == history[:5_000]


@pytest.mark.slow
def test_few_products_draw_much(history: list[EventRecord]) -> None:
    counts = [count for _, count in Counter(item_id for _, item_id, _ in viewed(history)).most_common()]
    assert 0.25 < sum(counts[:200]) / sum(counts) < 0.7


@pytest.mark.slow
def test_nothing_is_seen_before_it_arrived(products: list[Product], history: list[EventRecord]) -> None:
    arrived = {product.item_id: product.first_seen_at.timestamp() * 1_000 for product in products}
    # A visit chooses among what is there at its start.
    assert all(at_ms > arrived[item_id] for _, item_id, at_ms in viewed(history))


@pytest.mark.slow
def test_shoppers_have_tastes(products: list[Product], history: list[EventRecord]) -> None:
    """A shopper's two most visited departments draw far more than a quarter of the views, which is chance."""
    department = {product.item_id: product.category.department for product in products}
    by_shopper: dict[str, Counter[str]] = defaultdict(Counter)
    for user_key, item_id, _ in viewed(history):
        by_shopper[user_key][department[item_id]] += 1
    frequent = [counts for counts in by_shopper.values() if counts.total() >= 30]

    shares = [sum(count for _, count in counts.most_common(2)) / counts.total() for counts in frequent]
    assert len(frequent) > 100
    assert sum(shares) / len(shares) > 0.55


@pytest.mark.slow
def test_orders_hold_what_goes_together(products: list[Product], history: list[EventRecord]) -> None:
    category = {product.item_id: product.category for product in products}
    pairs = together = 0
    for each in history:
        for event in each.events:
            if type(event).__name__ == "Purchase":
                bought = [category[item.item_id] for item in event.params.items]  # type: ignore[union-attr]
                for first in bought:
                    for second in bought:
                        if first.slug < second.slug:
                            pairs += 1
                            together += second.slug in first.goes_with or first.slug in second.goes_with
    assert pairs > 300
    assert together / pairs > 0.4  # by chance it were below 0.1


@pytest.mark.slow
def test_evenings_and_weekends_are_busier(history: list[EventRecord]) -> None:
    moments = [datetime.fromtimestamp(at_ms / 1_000, UTC) for _, _, at_ms in viewed(history)]
    hours = Counter(moment.hour for moment in moments)
    days = Counter(moment.date() for moment in moments)
    weekend = [count for day, count in days.items() if day.weekday() >= 5]
    workday = [count for day, count in days.items() if day.weekday() < 5]

    assert hours[20] > 5 * hours[3]
    assert sum(weekend) / len(weekend) > 1.1 * sum(workday) / len(workday)
