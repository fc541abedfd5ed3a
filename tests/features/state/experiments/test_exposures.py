"""Whatever the order of events, and however often they come, an arm's sums say the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.state import attribution
from features.state.attribution import ReplyOrigin
from features.state.batch import StoredBatch, apply_batch, parse_batch
from features.state.counting.unknown import SiteKeys
from features.state.experiments.exposures import EXPOSURE_MS, FIGURES, KEEP_EXPOSURES, Membership, expose, seen_arms
from features.state.experiments.sums import OF_ARM
from features.state.merging import merged
from features.state.states import ProfileState
from tests.features.making import LATENESS_MS, MINUTE_MS, NOW_MS, event, record, wire
from tracking.log import Record

LISTS = {"heads": (("e1", 0),), "tails": (("e1", 1),), "both": (("e1", 0), ("r7", 1)), "rule": (("r7", 0),)}
SHOP = SiteKeys(items={"a", "b"}, n_items=2, placements={"home"}, margins={"a": 0.5})


@pytest.fixture(autouse=True)
def _reader() -> Iterator[None]:
    before = attribution._reader
    attribution.use_rec_id_reader(
        lambda site, rec_id: ReplyOrigin("home", "live", "m1", "", LISTS[rec_id]) if rec_id in LISTS else None
    )
    yield
    attribution.use_rec_id_reader(before)


@st.composite
def events(draw: Any) -> dict[str, Any]:
    """One event that arms can be moved by, to a hundred milliseconds so that times are often equal."""
    at_ms = NOW_MS + 100 * draw(st.integers(0, (LATENESS_MS - MINUTE_MS) // 100))
    kind = draw(st.sampled_from(["view_item_list", "select_item", "add_to_cart", "purchase", "refund"]))
    item = {"item_id": draw(st.sampled_from(["a", "b"])), "price": 20.0, "quantity": draw(st.integers(1, 3))}
    params: dict[str, Any] = {"items": [item]}
    if kind in ("view_item_list", "select_item"):
        params |= {"item_list_id": "home", "rec_id": draw(st.sampled_from(list(LISTS)))}
    if kind in ("purchase", "refund"):
        params["transaction_id"] = draw(st.sampled_from(["t1", "t2"]))
    return event(kind, at_ms=at_ms, **params)


def sums(batches: list[list[tuple[int, dict[str, Any]]]], *, users: int = 2) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return all sums by key and field after batches of events of users, as a worker counts them."""
    sessions: dict[Any, bytes | None] = {}
    profiles: dict[Any, bytes | None] = {}
    orders: dict[Any, dict[int, bytes | None]] = {}
    total: dict[str, dict[str, list[int]]] = {}
    progress: bytes | None = None
    offset = 0
    for batch in batches:
        records = []
        for user, one in batch:
            _, value = wire(record(one, anonymous_id=f"anonymous-000000000{user}"))
            records.append(Record(0, str(offset), b"k", value, NOW_MS))
            offset += 1
        parsed = parse_batch(0, records)
        for site, user_key, order in parsed.orders:
            orders.setdefault((site, user_key), {}).setdefault(order, None)
        stored = StoredBatch(
            progress=progress,
            sessions={user: sessions.get(user) for user in parsed.by_user},
            profiles={user: profiles.get(user) for user in parsed.by_user},
            erased={},
            orders=orders,
        )
        applied = apply_batch(parsed, stored, lateness_ms=LATENESS_MS, keys_of_site=lambda site: SHOP)
        sessions |= applied.sessions
        profiles |= applied.profiles
        for user, own in applied.orders.items():
            orders.setdefault(user, {}).update(own)
        from features.state import progress as progress_of

        progress = progress_of.encode(applied.progress)
        for key, (amounts, _, _) in applied.increments.items():
            if ":arms:" in key:
                for field, added in amounts.items():
                    known = total.setdefault(key, {}).setdefault(field, [0] * len(added))
                    total[key][field] = [one + other for one, other in zip(known, added, strict=True)]
    return {
        key: {field: tuple(amounts) for field, amounts in fields.items() if any(amounts)}
        for key, fields in total.items()
        if any(any(amounts) for amounts in fields.values())
    }


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_sums_do_not_depend_on_order_batches_or_resends(data: st.DataObject) -> None:
    told = data.draw(st.lists(st.tuples(st.integers(0, 1), events()), min_size=1, max_size=14))
    shuffled = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told), max_size=6))]))
    cut = data.draw(st.integers(0, len(shuffled)))
    in_order = sorted(told, key=lambda one: one[1]["ts"])
    assert sums([shuffled[:cut], shuffled[cut:]]) == sums([in_order])


def _arm(found: dict[str, dict[str, tuple[int, ...]]], experiment: str, arm: int) -> dict[str, int]:
    ((_, fields),) = [(key, fields) for key, fields in found.items() if key.endswith(f":arms:{experiment}")]
    return dict(zip(OF_ARM, fields[str(arm)], strict=True))


def _see(rec_id: str, at_ms: int) -> tuple[int, dict[str, Any]]:
    return 0, event("view_item_list", at_ms=at_ms, items=[{"item_id": "a"}] * 4, item_list_id="home", rec_id=rec_id)


def _buy(order: str, at_ms: int, *, quantity: int = 1) -> tuple[int, dict[str, Any]]:
    items = [{"item_id": "a", "price": 20.0, "quantity": quantity}]
    return 0, event("purchase", at_ms=at_ms, transaction_id=order, items=items)


def test_what_is_bought_before_is_the_covariate_and_what_is_bought_after_the_outcome() -> None:
    told = [_buy("t1", NOW_MS), _see("heads", NOW_MS + 1_000), _buy("t2", NOW_MS + 2_000, quantity=2)]
    for order in (told, told[::-1], [told[2], told[0], told[1]]):
        found = _arm(sums([order]), "e1", 0)
        assert (found["users"], found["orders"], found["orders_before"], found["impressions"]) == (1, 1, 1, 4)
        assert (found["revenue"], found["revenue_before"], found["margin"]) == (4_000, 2_000, 2_000)
        assert (found["buyers"], found["buyers_orders_before"]) == (1, 1)


def test_a_refund_is_taken_from_the_revenue_and_kept_as_such() -> None:
    item = [{"item_id": "a", "price": 20.0, "quantity": 1}]
    refund = (0, event("refund", at_ms=NOW_MS + 9_000, transaction_id="t1", items=item))
    found = _arm(sums([[_see("heads", NOW_MS), _buy("t1", NOW_MS + 5, quantity=2)], [refund]]), "e1", 0)
    assert (found["revenue"], found["refunded"], found["margin"]) == (2_000, 2_000, 1_000)


def test_a_user_is_in_the_arm_that_it_saw_first_even_where_that_is_heard_of_late() -> None:
    told = [_see("tails", NOW_MS + 5_000), _see("heads", NOW_MS)]
    found = sums([[one] for one in told])
    assert _arm(found, "e1", 0)["users"] == 1
    assert _arm(found, "e1", 0)["lists"] == 2
    assert "1" not in next(iter(found.values()))


def test_lists_without_an_arm_and_forged_ids_count_nothing() -> None:
    told = [_see("unknown", NOW_MS), (0, event("view_item_list", at_ms=NOW_MS, items=[{"item_id": "a"}]))]
    assert sums([told]) == {}


def test_no_more_arms_than_a_profile_holds_until_old_ones_end() -> None:
    profile = ProfileState(newest_ms=NOW_MS)
    for number in range(KEEP_EXPOSURES):
        assert expose(profile, Membership(f"e{number}", 0), NOW_MS)
    assert not expose(profile, Membership("one more", 0), NOW_MS)
    profile.newest_ms = NOW_MS + EXPOSURE_MS
    assert expose(profile, Membership("one more", 0), profile.newest_ms)
    assert set(profile.exposures) == {"one more"}


def test_one_user_counted_under_a_lost_profile_and_a_new_one_is_one_user() -> None:
    from features.state.experiments.sums import changes, merges, sums_of, take_in

    older, newer = ProfileState(newest_ms=NOW_MS), ProfileState(newest_ms=NOW_MS)
    expose(older, Membership("e1", 1), NOW_MS)
    expose(newer, Membership("e1", 0), NOW_MS + 5)
    total: dict[str, list[int]] = {}
    for profile in (older, newer):
        take_in(total, changes({}, profile.exposures)["e1"])
    both = merged(older, newer)
    take_in(total, merges(older.exposures, newer.exposures, both.exposures)["e1"])
    assert {name: amounts for name, amounts in total.items() if any(amounts)} == sums_of(both.exposures["e1"])
    assert seen_arms([older, newer]) == {"e1": (NOW_MS, 1)}


def test_every_figure_is_summed() -> None:
    assert Counter(FIGURES) == Counter(OF_ARM[1 : 1 + len(FIGURES)])
