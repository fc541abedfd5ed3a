"""Rows into the catalogue: what they change, what they leave, and the report."""

from __future__ import annotations

from typing import Any

import pytest

from features.feed_files.report import MAX_BAD_ROWS, FeedBroken, FeedReport
from features.feeds import RawRow, load_rows, upsert_items
from features.feeds.writer import LoadOptions
from features.models import Item
from tracking.models import Site

WHOLE = LoadOptions(complete=True)


def test_a_row_changes_only_what_it_names(site: Site) -> None:
    upsert_items(site, [{"item_id": "1", "title": "Mug", "price": "5 EUR", "stock": 3, "attributes": {"size": "S"}}])

    report = upsert_items(
        site, [{"item_id": "1", "stock": 0, "attributes": {"colour": "red"}, "titles": {"de": "Becher"}}]
    )

    item = Item.objects.get()
    assert (report.created, report.updated) == (0, 1)
    assert (item.title, item.price_minor, item.stock) == ("Mug", 500, 0)
    assert item.attributes == {"size": "S", "colour": "red"}
    assert item.titles == {"de": "Becher"}


def test_the_same_rows_again_change_nothing(site: Site) -> None:
    rows = [{"item_id": str(number), "title": f"Item {number}", "price": 5, "tags": ["a"]} for number in range(1_100)]
    upsert_items(site, rows)
    before = list(Item.objects.values_list("updated_at", flat=True))

    report = upsert_items(site, rows)

    assert (report.created, report.updated, report.unchanged) == (0, 0, 1_100)
    assert list(Item.objects.values_list("updated_at", flat=True)) == before


def test_of_an_item_named_twice_the_later_row_wins(site: Site) -> None:
    report = upsert_items(site, [{"item_id": "1", "title": "Old", "brand": "Kiln"}, {"item_id": "1", "title": "New"}])

    item = Item.objects.get()
    assert (item.title, item.brand) == ("New", "Kiln")
    assert report.created == 1


def test_bad_rows_are_named_and_the_others_written(site: Site) -> None:
    report = upsert_items(
        site,
        [
            {"item_id": "1", "title": "Mug"},
            {"item_id": "2", "title": "Pan", "price": "dear"},
            {"title": "Lost"},
            {"item_id": "4"},
        ],
    )

    assert Item.objects.count() == 1
    assert {(bad.line, bad.item_id, bad.field) for bad in report.bad_rows} == {
        (2, "2", "price"),
        (3, "", "item_id"),
        (4, "4", "title"),
    }


def test_report_counts_all_bad_rows_and_names_the_first(site: Site) -> None:
    report = upsert_items(site, ({"item_id": str(number), "price": "dear"} for number in range(MAX_BAD_ROWS + 5)))
    assert (report.rejected, len(report.bad_rows)) == (MAX_BAD_ROWS + 5, MAX_BAD_ROWS)


def test_a_complete_feed_deactivates_what_it_does_not_name(site: Site) -> None:
    upsert_items(site, [{"item_id": str(number), "title": "Item"} for number in range(10)])
    rows = [RawRow(number, {"item_id": str(number)}) for number in range(9)]

    report = load_rows(site, rows, options=WHOLE)

    assert report.deactivated == 1
    assert set(Item.objects.filter(is_active=False).values_list("item_id", flat=True)) == {"9"}


def test_a_complete_feed_that_looks_cut_short_deactivates_nothing(site: Site) -> None:
    upsert_items(site, [{"item_id": str(number), "title": "Item"} for number in range(10)])

    report = load_rows(site, [RawRow(1, {"item_id": "0"})], options=WHOLE)

    assert report.deactivated == 0
    assert report.missing_ids == [str(number) for number in range(1, 10)]
    assert "cut short" in report.warnings[0]
    assert Item.objects.filter(is_active=True).count() == 10


def test_only_new_leaves_known_items_alone(site: Site) -> None:
    upsert_items(site, [{"item_id": "1", "title": "Real title"}])

    upsert_items(site, [{"item_id": "1", "title": "Item 1"}, {"item_id": "2", "title": "Item 2"}], only_new=True)

    assert Item.objects.get(item_id="1").title == "Real title"
    assert Item.objects.count() == 2


def test_a_damaged_row_keeps_its_item_and_lets_the_others_go(site: Site) -> None:
    upsert_items(site, [{"item_id": str(number), "title": "Item"} for number in range(20)])
    rows = [
        RawRow(number, {"item_id": str(number), **({"price": "dear"} if number == 3 else {})}) for number in range(19)
    ]

    report = load_rows(site, rows, options=WHOLE)

    assert (report.rejected, report.deactivated) == (1, 1)
    assert not Item.objects.get(item_id="19").is_active
    assert Item.objects.get(item_id="3").is_active


def test_a_refused_row_without_a_known_item_keeps_everything(site: Site) -> None:
    upsert_items(site, [{"item_id": str(number), "title": "Item"} for number in range(20)])
    rows = [
        *(RawRow(number, {"item_id": str(number)}) for number in range(19)),
        RawRow(20, {"item_id": "?", "price": "x"}),
    ]

    report = load_rows(site, rows, options=WHOLE)

    assert report.deactivated == 0
    assert "kept active" in report.warnings[0]


def test_a_price_that_was_not_understood_writes_nothing(site: Site) -> None:
    report = FeedReport()
    report.saw("item_id", "item_id")
    report.saw("verkaufspreis", "Verkaufspreis", "9,50")

    with pytest.raises(FeedBroken, match="is it 'Verkaufspreis'"):
        load_rows(
            site,
            [RawRow(1, {"item_id": "1", "title": "Mug", "verkaufspreis": "9,50"})],
            report=report,
            options=LoadOptions(is_strict=False),
        )

    assert not Item.objects.exists()


def test_translations_of_one_item_add_up(site: Site) -> None:
    rows: list[dict[str, Any]] = [
        {"item_id": "1", "title": "Mug"},
        {"item_id": "1", "titles": {"de": "Becher"}},
        {"item_id": "1", "titles": {"fr": "Tasse"}},
    ]

    upsert_items(site, rows)

    assert Item.objects.get().titles == {"de": "Becher", "fr": "Tasse"}
