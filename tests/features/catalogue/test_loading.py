from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import OperationalError
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue import loading
from features.catalogue import site as catalogue_site
from features.catalogue.draft import with_changes
from features.catalogue.items import NO_ID, ItemRow
from features.catalogue.loading import OVERLAP, CatalogueLoader
from features.catalogue.site import catalogue_of, watch_catalogue
from features.catalogue.snapshot import CatalogueSnapshot
from features.feeds import upsert_items
from features.models import Item
from tests.services.waiting import wait_until
from tracking.models import Site
from tracking.snapshots import by_site
from tracking.snapshots import snapshot as snapshot_module
from tracking.snapshots.snapshot import SnapshotMissing, start_snapshots, stop_snapshots

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def row(number: int, **changes: Any) -> ItemRow:
    values: dict[str, Any] = {
        "pk": number, "item_id": f"i{number}", "title": f"Item {number}", "titles": {}, "brand": "Kiln",
        "category": "Kitchen > Mugs", "url": "/p", "image_url": "", "price_minor": 1_000, "sale_price_minor": None,
        "cost_minor": None, "currency": "EUR", "availability": "in_stock", "stock": None, "group_id": "", "tags": [],
        "attributes": {}, "is_active": True, "first_seen_us": 5_000_000, "updated_us": 1,
    }  # fmt: skip
    return ItemRow(**{**values, **changes})


def snapshot(*rows: ItemRow) -> CatalogueSnapshot:
    return with_changes(CatalogueSnapshot.empty("shop"), rows)


def test_category_holds_what_lies_below_it_and_nothing_beside() -> None:
    catalogue = snapshot(
        row(1),
        row(2, category="Kitchen"),
        row(3, category="Kitchenware > Mugs"),
        row(4, category="Kitchen > Mugs > Tin"),
    )

    assert catalogue.in_category("Kitchen").tolist() == [True, True, False, True]
    assert catalogue.in_category("Kitchen>Mugs").tolist() == [True, False, False, True]
    assert not catalogue.in_category("Mugs").any()
    assert not catalogue.in_category("").any()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"is_active": False}, False),
        ({"availability": "out_of_stock"}, False),
        ({"availability": "preorder"}, True),
        ({"stock": 0}, False),
        ({"stock": 1}, True),
    ],
)
def test_serving_and_model_agree_on_what_is_recommendable(changes: dict[str, Any], expected: bool) -> None:
    kept = {
        name: value
        for name, value in row(1, **changes)._asdict().items()
        if name in ("is_active", "availability", "stock")
    }

    assert snapshot(row(1, **changes)).recommendable("i1") is expected
    assert Item(**kept).is_recommendable is expected


def test_card_shows_prices_in_the_main_unit_of_their_currency() -> None:
    catalogue = snapshot(
        row(1, price_minor=1_299, sale_price_minor=999),
        row(2, price_minor=1_299, currency="JPY"),
        row(3, price_minor=None),
    )

    first, second, third = (catalogue.card(f"i{number}") for number in (1, 2, 3))
    assert first is not None
    assert second is not None
    assert third is not None
    assert (first.price, first.sale_price) == (12.99, 9.99)
    assert (second.price, second.sale_price) == (1_299.0, None)
    assert third.price is None
    np.testing.assert_allclose(catalogue.price, [9.99, 1_299, np.nan], rtol=1e-6)
    assert catalogue.is_on_sale.tolist() == [True, False, False]
    assert catalogue.price.dtype == np.float32


def test_margin_is_the_share_left_of_what_is_paid() -> None:
    catalogue = snapshot(row(1, cost_minor=600), row(2, cost_minor=600, sale_price_minor=800), row(3))

    np.testing.assert_allclose(catalogue.margin, [0.4, 0.25, np.nan], rtol=1e-6)


def test_title_is_given_in_the_language_asked_for() -> None:
    catalogue = snapshot(row(1, titles={"de": "Becher", "fr-CA": "Tasse"}))

    def title(locale: str | None) -> str:
        card = catalogue.card("i1", locale=locale)
        assert card is not None
        return card.title

    assert [title(locale) for locale in ("de-AT", "fr-CA", "es", None)] == ["Becher", "Tasse", "Item 1", "Item 1"]


def test_rows_keep_their_number_while_the_layout_does() -> None:
    before = snapshot(row(1), row(2), row(3), row(4), row(5))
    changed = with_changes(before, [row(2, stock=0)])
    grown = with_changes(changed, [row(6)])
    shrunk = with_changes(grown, [], deleted_pks={1})

    assert changed.layout == before.layout
    assert changed.row("i2") == before.row("i2")
    assert before.recommendable("i2")
    assert not changed.recommendable("i2")
    assert (grown.layout, shrunk.layout) == (before.layout + 1, before.layout + 2)
    assert shrunk.row("i2") == before.row("i2")
    assert shrunk.row("i1") is None
    assert shrunk.card("i1") is None
    assert shrunk.rows(["i1", "i2", "nobody"]).tolist() == [NO_ID, 1, NO_ID]
    assert not shrunk.is_recommendable[0]


def test_a_snapshot_in_use_never_changes() -> None:
    catalogue = snapshot(row(1))

    with pytest.raises(ValueError, match="read-only"):
        catalogue.is_recommendable[0] = False


changes_of_a_day = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["put", "sell out", "delete"])), min_size=1, max_size=60
)


@given(changes_of_a_day)
def test_many_small_changes_end_where_one_large_one_does(day: list[tuple[int, str]]) -> None:
    step_by_step = CatalogueSnapshot.empty("shop")
    wanted: dict[int, ItemRow] = {}
    for number, what in day:
        if what == "delete":
            step_by_step = with_changes(step_by_step, [], deleted_pks={number})
            wanted.pop(number, None)
        else:
            wanted[number] = row(number, stock=0 if what == "sell out" else 3, tags=[what])
            step_by_step = with_changes(step_by_step, [wanted[number]])
    at_once = snapshot(*wanted.values())

    assert len(step_by_step) == len(at_once) == len(wanted)
    for number, item in wanted.items():
        item_id = f"i{number}"
        there, here = step_by_step.row(item_id), at_once.row(item_id)
        assert there is not None
        assert here is not None
        assert step_by_step.cards[there] == at_once.cards[here]
        assert step_by_step.is_recommendable[there] == at_once.is_recommendable[here] == (item.stock != 0)
        assert step_by_step.tags[there] == at_once.tags[here] == {item.tags[0]}
    gone = np.array([item_id is None for item_id in step_by_step.item_ids], dtype=bool)
    assert not step_by_step.is_recommendable[gone].any()
    assert gone.sum() <= max(1, 0.25 * step_by_step.n_rows)


# --- from the database -------------------------------------------------------------------------------------


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.create(slug="shop", name="Shop")


@pytest.fixture
def stocked(site: Site) -> Site:
    upsert_items(site, [{"item_id": f"i{number}", "title": f"Item {number}", "stock": 3} for number in range(50)])
    Item.objects.update(updated_at=LONG_AGO)
    return site


def test_nothing_changed_gives_the_same_object(stocked: Site, django_assert_num_queries: Any) -> None:
    loader = CatalogueLoader("shop")
    first = loader.load()
    Item.objects.filter(item_id="i1").update(updated_at=LONG_AGO + timedelta(days=1))
    second = loader.load()

    with django_assert_num_queries(2):
        assert loader.load() is second
    assert second is not first


def test_a_change_a_new_item_and_a_deletion_are_found(stocked: Site) -> None:
    loader = CatalogueLoader("shop")
    before = loader.load()
    upsert_items(stocked, [{"item_id": "i7", "stock": 0}, {"item_id": "new", "title": "New"}])
    Item.objects.filter(item_id="i9").delete()

    after = loader.load()

    assert before.recommendable("i7")
    assert not after.recommendable("i7")
    assert after.recommendable("new")
    assert "i9" not in after
    assert len(after) == 50


def test_a_deletion_beside_an_addition_is_not_mistaken_for_nothing(stocked: Site) -> None:
    loader = CatalogueLoader("shop")
    loader.load()
    Item.objects.filter(item_id="i3").delete()
    upsert_items(stocked, [{"item_id": "i3b", "title": "Another"}])

    after = loader.load()

    assert "i3" not in after
    assert "i3b" in after


def test_an_item_that_was_committed_late_is_seen(stocked: Site) -> None:
    loader = CatalogueLoader("shop")
    now = datetime.now(UTC)
    Item.objects.filter(item_id="i1").update(updated_at=now)
    loader.load()
    # A transaction that began earlier and was committed after we looked: its time lies before the newest.
    Item.objects.filter(item_id="i2").update(stock=0, updated_at=now - timedelta(seconds=30))

    assert not loader.load().recommendable("i2")


def test_items_of_an_import_are_not_read_again_once_it_is_over(stocked: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    imported_at = datetime.now(UTC) - 2 * OVERLAP
    Item.objects.update(updated_at=imported_at)
    loader = CatalogueLoader("shop")
    loader.load()
    read: list[object] = []
    monkeypatch.setattr(loading, "_microseconds", lambda moment: read.append(moment) or 0)

    loader.load()

    assert not read


def test_a_writer_whose_clock_is_slow_is_seen(stocked: Site) -> None:
    loader = CatalogueLoader("shop")
    loader.load()
    Item.objects.filter(item_id="i2").update(stock=0, updated_at=datetime.now(UTC) - 2 * OVERLAP)

    assert not loader.load().recommendable("i2")


def test_another_sites_items_stay_there(stocked: Site) -> None:
    other = Site.objects.create(slug="other", name="Other")
    upsert_items(other, [{"item_id": "theirs", "title": "Theirs"}])

    assert "theirs" not in CatalogueLoader("shop").load()
    assert len(CatalogueLoader("other").load()) == 1


@pytest.fixture
def clean_watchers() -> Iterator[None]:
    by_site.close_all()
    yield
    by_site.close_all()


def test_hot_path_asks_no_database(stocked: Site, clean_watchers: None, django_assert_num_queries: Any) -> None:
    with pytest.raises(SnapshotMissing):
        catalogue_of("shop")
    watch_catalogue("shop").ensure_loaded()

    with django_assert_num_queries(0):
        assert len(catalogue_of("shop")) == 50


@pytest.mark.parametrize("change", ["save", "delete", "bulk"])
def test_item_changes_are_announced_after_commit(
    site: Site, change: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    item = Item.objects.create(site=site, item_id="i1", title="Item")
    heard: list[str] = []
    monkeypatch.setattr(snapshot_module, "announce_now", heard.append)

    with django_capture_on_commit_callbacks(execute=True):
        if change == "save":
            item.stock = 0
            item.save()
        elif change == "delete":
            item.delete()
        else:
            upsert_items(site, [{"item_id": "i1", "stock": 0}])
        assert heard == []

    assert set(heard) == {"catalogue:shop"}


def test_unchanged_rows_are_not_announced(
    stocked: Site, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(snapshot_module, "announce_now", heard.append)

    with django_capture_on_commit_callbacks(execute=True):
        report = upsert_items(stocked, [{"item_id": "i1", "stock": 3}])

    assert (report.unchanged, report.updated) == (1, 0)
    assert heard == []


@pytest.mark.redis
@pytest.mark.django_db(transaction=True)
def test_a_sold_out_item_is_gone_within_two_seconds(
    redis_url: str, settings: Any, clean_watchers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polling alone would take a minute here: what is seen, is seen because it was announced."""
    settings.REDIS_URL = redis_url
    monkeypatch.setattr(catalogue_site._catalogues, "_refresh_s", 60.0)
    shop = Site.objects.create(slug="shop", name="Shop")
    upsert_items(shop, [{"item_id": f"i{number}", "title": "Item", "stock": 3} for number in range(500)])
    watch_catalogue("shop").ensure_loaded()
    start_snapshots(redis_url)
    try:
        wait_until(lambda: watch_catalogue("shop").due_at > 0)  # the listener listens
        _write(shop, {"item_id": "i7", "stock": 0})
        wait_until(lambda: not catalogue_of("shop").recommendable("i7"))
        _write(shop, {"item_id": "new", "title": "New"})
        wait_until(lambda: catalogue_of("shop").recommendable("new"))
    finally:
        stop_snapshots()


def _write(shop: Site, row: dict[str, Any]) -> None:
    """Write a row beside a thread that reads: the database of tests, in memory, refuses at once where a file waits."""

    def is_written() -> bool:
        try:
            upsert_items(shop, [row])
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            return False
        return True

    wait_until(is_written, "the row to be written")
