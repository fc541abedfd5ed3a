"""What columns mean, and a price that was not understood."""

from __future__ import annotations

import pytest

from features.feed_files.report import FeedBroken, FeedReport
from features.feeds.columns import check_id, check_price, column_meanings


def report_of(*names: str, dialect: str = "") -> FeedReport:
    report = FeedReport(dialect=dialect)
    for name in names:
        report.saw(name.lower().replace(" ", "_"), name, "x")
    return report


def test_a_choice_comes_before_a_dialect_and_that_before_a_name() -> None:
    meanings = column_meanings(
        report_of("sku", "product_type", "Farbe", "color", dialect="magento"), {"Farbe": "brand", "color": ""}
    )

    assert [(one.field, one.is_chosen) for one in meanings] == [
        ("item_id", False), ("group_id", False), ("brand", True), ("", True),
    ]  # fmt: skip


def test_a_file_without_an_id_is_an_error_that_names_its_columns() -> None:
    report = report_of("Datum", "Betreff")

    with pytest.raises(FeedBroken, match=r"there are: Datum, Betreff\..*--map"):
        check_id(column_meanings(report, {}), report)
    check_id(column_meanings(report, {"Datum": "item_id"}), report)


@pytest.mark.parametrize("names", [("id", "Preis"), ("id", "unit_price", "Prix TTC")])
def test_a_price_that_was_not_understood_is_an_error_with_a_remedy(names: tuple[str, ...]) -> None:
    with pytest.raises(FeedBroken, match=f"{names[-1]}.*--map"):
        check_price(column_meanings(report_of(*names), {}))


@pytest.mark.parametrize(
    ("names", "mapping"),
    [(("id", "stock"), {}), (("id", "price", "Preis"), {}), (("id", "unit_price", "price"), {}),
     (("id", "Preis"), {"Preis": "price"}), (("id", "Preis"), {"Preis": ""})],
)  # fmt: skip
def test_a_file_without_one_or_with_one_that_is_known_is_taken(names: tuple[str, ...], mapping: dict[str, str]) -> None:
    check_price(column_meanings(report_of(*names), mapping))
