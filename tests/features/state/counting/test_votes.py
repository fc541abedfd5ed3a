"""One vote a visitor: whoever sends much about an item counts for it as everybody else does."""

from __future__ import annotations

import random
from collections import Counter
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.definitions import DAY_MS, ITEM_WINDOWS, VOTES_A_DAY
from features.state import windows
from features.state.counting import votes
from features.state.states import MAX_STATE_BYTES
from features.state.windows import ItemEffect
from features.store.item_stats import WINDOWS, ItemStats
from tests.features.making import LATENESS_MS, MINUTE_MS, NOW_MS, States, event, record

MIDNIGHT_MS = NOW_MS // DAY_MS * DAY_MS
TIMES = st.integers(MIDNIGHT_MS - 2 * MINUTE_MS, MIDNIGHT_MS + 5 * MINUTE_MS)
ITEM_IDS = st.sampled_from(["a", "b", "c"])


def counted(effects: list[ItemEffect], metric: str) -> Counter[tuple[str, int]]:
    """Return how often each item counts in each minute; the minutes and items where that is nothing are left out."""
    number = windows.METRICS.index(metric)
    sums: Counter[tuple[str, int]] = Counter()
    for effect in effects:
        if effect.metric == number:
            sums[effect.item_id, effect.at_ms // MINUTE_MS] += effect.amount
    return Counter({key: amount for key, amount in sums.items() if amount})


def statistics(effects: list[ItemEffect], *, now_ms: int) -> ItemStats:
    """Return the windows that effects add up to, as the merge of a partition does."""
    panes = windows.pane_increments(effects, now_ms=now_ms)
    item_ids = sorted({effect.item_id for effect in effects})
    counts = np.zeros((len(item_ids), len(WINDOWS), len(windows.METRICS)), np.int64)
    row_of = {item_id: row for row, item_id in enumerate(item_ids)}
    widths = [width_s for _, width_s, _ in ITEM_WINDOWS]
    for pane, items in panes.items():
        for item_id, amounts in items.items():
            counts[row_of[item_id], widths.index(pane.width_s)] += amounts[: windows.N_SUMS]
    return ItemStats(site="shop", made_at_ms=0, event_time_ms=now_ms, item_ids=tuple(item_ids), counts=counts)


@settings(deadline=None)
@given(data=st.data(), views=st.lists(st.tuples(ITEM_IDS, TIMES), min_size=1, max_size=20))
def test_a_user_counts_once_a_day_at_its_first_view_in_any_order(
    data: st.DataObject, views: list[tuple[str, int]]
) -> None:
    arrived = data.draw(st.permutations(views))
    states = States()
    for item_id, at_ms in arrived:
        states.apply(record(event("view_item", items=[item_id], at_ms=at_ms)))

    first: dict[tuple[str, int], int] = {}
    for item_id, at_ms in views:
        key = (item_id, at_ms // DAY_MS)
        first[key] = min(at_ms, first.get(key, at_ms))
    expected = Counter((item_id, at_ms // MINUTE_MS) for (item_id, _), at_ms in first.items())
    assert counted(states.effects.items, "viewers") == expected
    assert sum(counted(states.effects.items, "views").values()) == len(views)


@pytest.mark.parametrize(
    ("kind", "metric"), [("view_item", "viewers"), ("add_to_cart", "carters"), ("purchase", "buyers")]
)
def test_pieces_and_repetition_give_no_more_votes(kind: str, metric: str) -> None:
    line = {"item_id": "a", "price": 1.0, "quantity": 100_000}
    extra: list[dict[str, Any]] = [{"transaction_id": f"t{n}"} if kind == "purchase" else {} for n in range(5)]
    states = States().apply(record(*(event(kind, items=[line, line], **params) for params in extra)))

    visitors = {name: sum(counted(states.effects.items, name).values()) for name in windows.VISITORS.values()}

    assert visitors == {**dict.fromkeys(windows.VISITORS.values(), 0), metric: 1}


def test_a_user_counts_for_so_many_items_a_day_and_again_the_next_day() -> None:
    states = States()
    for day in range(4):
        views = [event("view_item", items=[f"sku{n}"], at_ms=MIDNIGHT_MS + day * DAY_MS + n) for n in range(300)]
        states.apply(record(*views))

    assert sum(counted(states.effects.items, "viewers").values()) == 4 * VOTES_A_DAY
    assert len(states.profile.votes) <= 2
    assert len(states.profile_blob or b"") <= MAX_STATE_BYTES


def test_an_event_older_than_any_that_can_still_arrive_has_no_vote() -> None:
    cast: votes.Votes = {}

    assert votes.cast(cast, item_id="a", kind=0, at_ms=MIDNIGHT_MS - 1, oldest_ms=MIDNIGHT_MS) == ()
    assert cast == {}


@given(*[st.lists(st.tuples(ITEM_IDS, TIMES), max_size=12)] * 2)
def test_votes_of_two_profiles_are_those_of_one(one: list[tuple[str, int]], other: list[tuple[str, int]]) -> None:
    def votes_of(views: list[tuple[str, int]]) -> votes.Votes:
        cast: votes.Votes = {}
        for item_id, at_ms in views:
            votes.cast(cast, item_id=item_id, kind=2, at_ms=at_ms, oldest_ms=0)
        return cast

    joined = votes.join(votes_of(one), votes_of(other))

    assert votes.current(joined, oldest_ms=0) == votes.current(votes_of([*one, *other]), oldest_ms=0)


def test_every_kind_of_visitor_has_a_kind_of_vote() -> None:
    assert len(windows.VISITORS) <= 4


def day_of_shopping(rng: random.Random, *, users: int, n_items: int) -> dict[str, list[dict[str, Any]]]:
    """Return the events of a day by visitor: popularity falls with the rank, some views end in a cart or an order."""
    bounds = list(accumulate(1 / (rank + 3) for rank in range(n_items)))
    made: dict[str, list[dict[str, Any]]] = {}
    for user in range(users):
        at_ms = NOW_MS - rng.randrange(20 * 3_600_000)
        mine = []
        for rank in rng.choices(range(n_items), cum_weights=bounds, k=rng.randint(1, 5)):
            mine.append(event("view_item", items=[f"sku{rank}"], at_ms=at_ms))
            if rng.random() < 0.1:
                mine.append(event("add_to_cart", items=[f"sku{rank}"], at_ms=at_ms + 1_000))
        made[f"visitor-{user:012}"] = mine
    return made


def attack(rng: random.Random, *, n_events: int, n_ids: int) -> dict[str, list[dict[str, Any]]]:
    """Return as many events of few ids, all of them about four items that nobody else looks at."""
    made: dict[str, list[dict[str, Any]]] = {f"attacker-{n:012}": [] for n in range(n_ids)}
    for number in range(n_events):
        kind = rng.choice(["view_item", "view_item", "add_to_cart", "purchase"])
        extra = {"transaction_id": f"t{number}"} if kind == "purchase" else {}
        lines = [{"item_id": f"pushed{n}", "price": 1e6, "quantity": 100_000} for n in range(4)]
        at_ms = NOW_MS - rng.randrange(600_000)
        made[rng.choice(list(made))].append(event(kind, items=lines, at_ms=at_ms, **extra))
    return made


def effects_of(traffic: dict[str, list[dict[str, Any]]]) -> list[ItemEffect]:
    effects: list[ItemEffect] = []
    for visitor, events in traffic.items():
        if events:
            effects += States().apply(record(*events, anonymous_id=visitor)).effects.items
    return effects


@pytest.mark.slow
@pytest.mark.parametrize("n_ids", [1, 10])
def test_one_percent_of_the_traffic_moves_no_item_into_the_top_twenty(n_ids: int) -> None:
    rng = random.Random(7)
    shop = day_of_shopping(rng, users=10_000, n_items=2_000)
    n_events = sum(map(len, shop.values())) // 100
    honest, pushed = effects_of(shop), effects_of(attack(rng, n_events=n_events, n_ids=n_ids))

    before = statistics(honest, now_ms=NOW_MS)
    after = statistics(honest + pushed, now_ms=NOW_MS)

    for window in ("24h", "7d"):
        assert after.popular(window=window, limit=20) == before.popular(window=window, limit=20)
    raw = after.of("purchases", "24h") + after.of("views", "24h")
    assert after.item_ids[int(raw.argmax())].startswith("pushed"), "the attack leads what is counted by event"


def test_three_thousand_views_of_one_visitor_lead_no_trend() -> None:
    lone = [event("view_item", items=["pushed"], at_ms=NOW_MS - 30_000 + n * 10) for n in range(3_000)]
    crowd = {f"visitor-{n:012}": [event("view_item", items=["liked"], at_ms=NOW_MS - LATENESS_MS)] for n in range(3)}

    stats = statistics(effects_of({"one-visitor-0000": lone, **crowd}), now_ms=NOW_MS)

    assert stats.popular(window="1h") == ["liked", "pushed"]
    assert stats.trending() == ["liked", "pushed"]
    assert stats.count("pushed", "views", "1h") > 1_000 > stats.count("pushed", "viewers", "1h") == 1


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.booleans(), ITEM_IDS, TIMES), max_size=14),
)
def test_a_vote_that_is_withdrawn_leaves_what_the_others_say(steps: list[tuple[bool, str, int]]) -> None:
    """However votes come and go, an item counts in the first minute of each day that still has one."""
    kept: votes.Votes = {}
    standing: list[tuple[str, int]] = []
    sums: Counter[tuple[str, int]] = Counter()
    for is_cast, item_id, at_ms in steps:
        if is_cast:
            changes = votes.cast(kept, item_id=item_id, kind=2, at_ms=at_ms, oldest_ms=0, may_be_withdrawn=True)
            standing.append((item_id, at_ms // MINUTE_MS))
        else:
            changes = votes.withdraw(kept, item_id=item_id, kind=2, at_ms=at_ms)
            if (item_id, at_ms // MINUTE_MS) in standing:
                standing.remove((item_id, at_ms // MINUTE_MS))
        sums.update({(item_id, change.at_ms // MINUTE_MS): change.amount for change in changes})

    first: dict[tuple[str, int], int] = {}
    for item_id, minute in sorted(standing, reverse=True):
        first[item_id, minute * MINUTE_MS // DAY_MS] = minute
    assert {key for key, amount in sums.items() if amount} == {(item_id, m) for (item_id, _), m in first.items()}
    assert set(sums.values()) <= {0, 1}
    assert sum(map(len, kept.values())) == len(standing)


def test_who_gave_everything_back_is_no_buyer_unless_another_order_has_the_item() -> None:
    states = States()
    for number, transaction in enumerate(("t1", "t2")):
        at_ms = NOW_MS + number * MINUTE_MS
        states.apply(record(event("purchase", at_ms=at_ms, transaction_id=transaction, items=["a"])))
    assert counted(states.effects.items, "buyers") == {("a", NOW_MS // MINUTE_MS): 1}

    states.apply(record(event("refund", at_ms=NOW_MS + 2 * MINUTE_MS, transaction_id="t1")))
    assert counted(states.effects.items, "buyers") == {("a", NOW_MS // MINUTE_MS + 1): 1}

    states.apply(record(event("refund", at_ms=NOW_MS + 2 * MINUTE_MS, transaction_id="t2", items=["a"])))
    assert counted(states.effects.items, "buyers") == {}
