"""Networks behind an item: any order, any number of parts, exact where they are few and near enough where many."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.definitions import DAY_MS
from features.state import windows
from features.state.counting import networks
from tests.features.making import MINUTE_MS, NOW_MS, States, event, record
from tracking.contract.network_tag import tag_of_voice, voice_of_network, voice_of_tag

TAGS = st.lists(st.integers(1, 2**32 - 1), max_size=400)


@given(parts=st.lists(TAGS, min_size=1, max_size=5), order=st.randoms(use_true_random=False))
def test_samples_join_in_any_order_to_that_of_the_whole(parts: list[list[int]], order: random.Random) -> None:
    whole = networks.sample_of(tag for part in parts for tag in part)
    order.shuffle(parts)

    joined: list[int] = []
    for part in parts:
        joined = list(networks.join(joined, networks.sample_of(part)))

    assert joined == whole
    assert len(joined) <= networks.MOST


@given(st.sets(st.integers(1, 2**32 - 1), max_size=networks.MOST - 1))
def test_few_networks_are_counted_exactly(tags: set[int]) -> None:
    assert networks.n_networks(networks.sample_of(tags)) == len(tags)


@pytest.mark.slow
@pytest.mark.parametrize("n_networks", [200, 1_000, 20_000])
def test_many_networks_are_estimated(n_networks: int) -> None:
    rng = random.Random(n_networks)
    found = [networks.n_networks(networks.sample_of(rng.sample(range(1, 2**32), n_networks))) for _ in range(50)]

    assert sum(found) / len(found) == pytest.approx(n_networks, rel=0.06)
    assert all(0.6 * n_networks < one < 1.5 * n_networks for one in found)


def test_where_networks_are_not_known_of_all_everybody_counts() -> None:
    assert networks.most_visitors([]) == float("inf")
    assert networks.most_visitors(networks.join([networks.NOT_KNOWN], [5, 6])) == float("inf")
    assert networks.most_visitors([5]) == networks.VISITORS_A_NETWORK + networks.VISITORS_ABOVE


def test_a_network_stands_for_anonymous_pages_alone() -> None:
    import msgspec

    page = msgspec.structs.replace(record(event("page_view")), network=9)
    known = msgspec.structs.replace(record(event("page_view"), user_id="7"), network=9)
    server = record(event("page_view"), source="server")

    assert networks.tag_of(page) == 9
    assert len({networks.tag_of(one) for one in (page, known, server)}) == 3


def test_the_networks_of_what_is_seen_carted_and_bought_stand_behind_its_counts() -> None:
    import msgspec

    kinds = ("view_item", "add_to_cart", "purchase")
    made = [event(name, items=["a"], **({"transaction_id": "t"} if name == "purchase" else {})) for name in kinds]
    records = [msgspec.structs.replace(record(one), network=tag) for tag, one in enumerate(made, start=3)]

    panes = windows.pane_increments(States().apply(*records).effects.items, now_ms=NOW_MS)

    voices = tuple(networks.sample_of(networks.voice_at("a", tag) for tag in (3, 4, 5)))
    behind = {pane.width_s: tuple(items["a"][windows.N_SUMS :]) for pane, items in panes.items()}
    assert behind == {width_s: voices if width_s <= 3_600 else (3, 4, 5) for width_s in windows.WIDTHS_S}
    assert all(items["a"][: windows.N_SUMS] == [1, 1, 1, 0, 1, 1, 1, 0] for items in panes.values())


@given(
    hours=st.lists(st.integers(-24 * 60, 0), min_size=1, max_size=8),
    now_minute=st.integers(0, 24 * 60 - 1),
    delay_minutes=st.integers(0, 20),
    address=st.ip_addresses(v=4),
)
def test_a_network_is_one_voice_whenever_midnight_is(
    hours: list[int], now_minute: int, delay_minutes: int, address: object
) -> None:
    """Also where an event of the day before arrives after midnight, as one that was late may."""
    now_ms = NOW_MS - NOW_MS % DAY_MS + now_minute * MINUTE_MS
    effects = []
    days = set()
    for ago in hours:
        at_ms = now_ms + ago * MINUTE_MS
        received_ms = min(at_ms + delay_minutes * MINUTE_MS, now_ms)
        days.add(received_ms // DAY_MS)
        network = voice_of_network(str(address), site="shop", secret="s")
        tag = tag_of_voice(network, site="shop", day=received_ms // DAY_MS, secret="s")
        voice = voice_of_tag(tag, site="shop", day=received_ms // DAY_MS, secret="s")
        effects.append(windows.ItemEffect("a", at_ms, windows.VIEWS, 1, 0, tag, voice))

    panes = windows.pane_increments(effects, now_ms=now_ms)

    behind: dict[int, list[int]] = {}
    for pane, items in panes.items():
        behind[pane.width_s] = list(networks.join(behind.get(pane.width_s, []), items["a"][windows.N_SUMS :]))
    assert {width_s for width_s, sample in behind.items() if len(sample) > 1} <= {21_600}
    assert len(behind[3_600]) == 1
    assert len(behind[21_600]) == len(days)


def test_what_stands_behind_two_items_tells_not_that_it_was_one_network() -> None:
    voices = [random.Random(1).getrandbits(64) for _ in range(100)]

    assert not {networks.voice_at("a", one) for one in voices} & {networks.voice_at("b", one) for one in voices}
