"""The catalogue read from the database: what changed, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError

from features.catalogue import loading
from features.catalogue import site as catalogue_site
from features.catalogue.loading import OVERLAP, CatalogueLoader
from features.catalogue.site import catalogue_of, watch_catalogue
from features.feeds import upsert_items
from features.models import Item
from tests.services.waiting import wait_until
from tracking.models import Site
from tracking.snapshots import by_site
from tracking.snapshots import snapshot as snapshot_module
from tracking.snapshots.snapshot import SnapshotMissing, start_snapshots, stop_snapshots

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


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


def test_a_sale_begins_and_ends_by_itself(site: Site) -> None:
    begins, ends = LONG_AGO + timedelta(hours=1), LONG_AGO + timedelta(hours=2)
    upsert_items(site, [{"item_id": "i1", "title": "Mug", "price": 10, "sale_price": 7}])
    Item.objects.update(sale_starts_at=begins, sale_ends_at=ends, updated_at=LONG_AGO - timedelta(days=1))
    times = [LONG_AGO, begins - timedelta(seconds=1), begins, ends - timedelta(seconds=1), ends]
    clock = iter(times)
    loader = CatalogueLoader("shop", clock=lambda: next(clock))
    seen: list[float | None] = []

    for _ in times:
        card = loader.load().card("i1")
        assert card is not None
        seen.append(card.sale_price)

    assert seen == [None, None, 7.0, 7.0, None]


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
