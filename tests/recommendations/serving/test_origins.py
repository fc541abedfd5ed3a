"""From the id in a reply to what is attributed to its placement: signed here, read by a stream worker, counted once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from features.store.placement_stats import PlacementStats, read_placement_stats
from recommendations.serving.origins import read_origin
from recommendations.serving.rec_ids import RecIdSigner, signer
from tests.features.conftest import World
from tests.features.making import NOW_MS, event, record, wire
from tracking.log.memory import MemoryLog

pytestmark = pytest.mark.redis
DAY = NOW_MS // 86_400_000


@pytest.fixture
def world(redis_url: str) -> Iterator[World]:
    made = World(f"memory://t-{uuid.uuid4().hex}?partitions=2", f"{redis_url.rpartition('/')[0]}/7")
    made.client.flushdb()
    yield made
    made.client.close()
    MemoryLog.forget_all()


def rec_id(*, by: RecIdSigner | None = None, variant: str = "b", site: str = "shop") -> str:
    made: str = (by or signer()).make(
        site=site, placement="home", model_version="v7", variant=variant, now_s=NOW_MS // 1_000, rule_ids=(3, 11)
    )
    return made


def journey(said: str, *, name: str) -> list[tuple[bytes, bytes]]:
    """Return the records of a shopper who sees a list of three, clicks on one item and buys it."""
    bought = {"item_id": "b", "price": 12.5, "quantity": 2}
    steps = [
        event("view_item_list", items=["a", "b", "c"], item_list_id="shown", rec_id=said, event_id=f"{name}-list"),
        event(
            "select_item", items=["b"], item_list_id="shown", rec_id=said, event_id=f"{name}-click", at_ms=NOW_MS + 1
        ),
        event("add_to_cart", items=[bought], event_id=f"{name}-cart", at_ms=NOW_MS + 2),
        event("purchase", items=[bought], transaction_id=name, event_id=f"{name}-order", at_ms=NOW_MS + 3),
    ]
    return [wire(record(step, anonymous_id=f"anonymous-{name:>010}")) for step in steps]


def attributed(world: World) -> list[PlacementStats]:
    return read_placement_stats(world.client, "shop", day=DAY, partitions=2)


def test_events_are_attributed_to_a_reply_by_what_its_id_says(world: World) -> None:
    records = [*journey(rec_id(), name="one"), *journey(rec_id(variant="a"), name="two")]
    world.fill(records)
    world.drain()

    once = attributed(world)
    world.fill(records)
    world.drain()

    expected = {
        "day": DAY, "placement": "home", "model_version": "v7", "rules": "3,11", "lists": 1, "impressions": 3,
        "clicks": 1, "carts": 2, "orders": 1, "units": 2, "revenue": 2_500,
    }  # fmt: skip
    assert once == [PlacementStats(variant=variant, **expected) for variant in ("a", "b")]  # type: ignore[arg-type]
    assert attributed(world) == once, "a re-send was counted"
    assert world.ledger() == {"applied": 8, "duplicate": 8}


@pytest.mark.parametrize(
    "forged",
    [
        rec_id(by=RecIdSigner("a secret that is not of this installation")),
        rec_id(site="other"),
        "r1.AAAA",
        "anything",
    ],
    ids=["another secret", "another site", "cut short", "no id"],
)
def test_a_forged_id_counts_only_for_the_list_that_the_page_names(world: World, forged: str) -> None:
    world.fill(journey(forged, name="one"))
    world.drain()

    (row,) = attributed(world)

    assert (row.placement, row.variant, row.model_version, row.rules) == ("shown", "", "", "")
    assert (row.impressions, row.clicks, row.revenue) == (3, 1, 2_500)


def test_an_id_is_of_one_site_and_one_secret() -> None:
    said = rec_id()

    assert read_origin("shop", said) is not None
    assert read_origin("other", said) is None
    assert read_origin("shop", said[:-1] + ("A" if said[-1] != "A" else "B")) is None


def test_a_program_without_recommendations_counts_by_the_named_list(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from features.state import attribution

    monkeypatch.setattr(attribution, "_reader", attribution._read_nothing)
    world.fill(journey(rec_id(), name="one"))
    world.drain()

    assert [row.placement for row in attributed(world)] == ["shown"]
