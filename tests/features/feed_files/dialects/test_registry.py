"""Dialects: the same catalogue in any of them, in any encoding and container, is the same items."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feed_files.dialects.registry import DIALECTS
from features.feeds.columns import CHOICES, column_meanings
from features.feeds.values import FIELDS
from tests.features.conftest import ROOT
from tests.features.feed_files import writing
from tests.features.feed_files.writing import CONTAINERS, Product, Write, essence, expected, items_in, table

WORDS = st.sampled_from(
    [
        "Mug",
        "Größe",
        "Café",
        'Lid 27"',
        '"Mega" pan',
        "5 < 6",
        "Salt & pepper",
        "A, B; C",
        "50 %",
        "Öl|Essig",
        "d'or",
        "#1",
    ]
)
CENTS = st.integers(100, 99_999).map(lambda cents: f"{cents // 100}.{cents % 100:02d}")
TITLES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)


@st.composite
def catalogues(draw: st.DrawFn) -> list[Product]:
    ids = draw(st.lists(st.from_regex(r"[A-Z]{2}-[0-9]{3}", fullmatch=True), min_size=1, max_size=8, unique=True))
    products = []
    for item_id in ids:
        price, lower = sorted([draw(CENTS), draw(CENTS)], key=float, reverse=True)
        is_sale = draw(st.booleans()) and float(lower) < float(price)
        products.append(Product(item_id, draw(TITLES), price, lower if is_sale else "", in_stock=draw(st.booleans())))
    return products


@pytest.mark.slow
@given(catalogues(), st.sampled_from(writing.DIALECTS), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
       st.sampled_from(CONTAINERS))  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_a_catalogue_is_the_same_in_every_dialect_encoding_and_container(
    products: list[Product], write: Write, encoding: str, pack: object
) -> None:
    items, report = items_in(pack(write(products).encode(encoding)))  # type: ignore[operator]

    assert not report.bad_rows
    assert {item_id: essence(item) for item_id, item in items.items()} == {
        one.item_id: expected(one) for one in products
    }


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (writing.google_csv, "google"), (writing.google_atom, "google"), (writing.facebook, "facebook"),
        (writing.shopify_csv, "shopify_csv"), (writing.shopify_json, "shopify_json"), (writing.magento, "magento"),
        (writing.woocommerce, "woocommerce"), (writing.akeneo, "akeneo"), (writing.jsonld, "schema_org"),
        (writing.yml, "yml"),
    ],
)  # fmt: skip
def test_a_dialect_is_told_from_the_content(write: Write, name: str) -> None:
    _, report = items_in(write([Product("AA-001", "Mug", "9.00")]).encode())

    assert report.dialect == name


@pytest.mark.parametrize("one", DIALECTS, ids=lambda one: one.name)
def test_a_dialect_names_fields_that_there_are_and_stands_in_the_documentation(one: object) -> None:
    fields = set(one.fields.values()) - {""}  # type: ignore[attr-defined]

    assert fields <= FIELDS | CHOICES.keys()
    assert one.words.split()[0] in (ROOT / "docs/catalogue.md").read_text()  # type: ignore[attr-defined]


def test_shopifys_variants_share_what_their_product_says() -> None:
    header = ["Handle", "Title", "Vendor", "Option1 Name", "Option1 Value", "Variant SKU", "Variant Price", "Status"]
    rows = [
        ["boot", "Boot", "Loam", "Size", "41", "B-41", "99.00", "draft"],
        ["boot", "", "", "", "42", "B-42", "99.00", ""],
        ["cap", "Cap", "Loam", "Title", "Default Title", "", "19.00", "active"],
    ]

    items, _ = items_in(table(header, rows).encode())

    assert {one["group_id"] for name, one in items.items() if name.startswith("B-")} == {"boot"}
    assert items["B-42"]["attributes"] == {"size": "42"}
    assert (items["B-42"]["title"], items["B-42"]["brand"], items["B-42"]["is_active"]) == ("Boot", "Loam", False)
    assert (items["cap"]["group_id"], items["cap"]["is_active"]) == ("cap", True)


@pytest.mark.parametrize("parent", ["id:7", "HOOD"])
def test_woocommerces_variations_belong_to_their_parent_by_its_number(parent: str) -> None:
    header = [
        "ID",
        "Type",
        "SKU",
        "Name",
        "Published",
        "Visibility in catalog",
        "Regular price",
        "Categories",
        "Parent",
    ]
    rows = [
        ["7", "variable", "HOOD", "Hoodie", "1", "visible", "", "Clothing, Clothing > Hoodies", ""],
        ["8", "variation", "HOOD-S", "Hoodie S", "1", "visible", "45", "", parent],
        ["9", "simple", "BELT", "Belt", "0", "visible", "9", "", ""],
        ["10", "simple", "", "Sock", "1", "hidden", "9", "", ""],
    ]

    items, _ = items_in(table(header, rows).encode())

    assert items["8"]["group_id"] == items["7"]["group_id"] == "7"
    assert items["8"]["category"] == "Clothing > Hoodies"
    assert [items[name]["is_active"] for name in ("7", "8", "9", "10")] == [True, True, False, False]


def test_magentos_store_views_are_translations_and_its_variants_have_a_group() -> None:
    header = ["sku", "store_view_code", "attribute_set_code", "product_type", "name", "price", "product_online",
              "visibility", "qty", "is_in_stock", "configurable_variations", "additional_attributes"]  # fmt: skip
    rows = [
        [
            "T-S",
            "",
            "Top",
            "simple",
            "Tank S",
            "29.0000",
            "1",
            "Not Visible Individually",
            "0.0000",
            "0",
            "",
            'size="S, M"',
        ],
        [
            "T",
            "",
            "Top",
            "configurable",
            "Tank",
            "29.0000",
            "1",
            "Catalog, Search",
            "0.0000",
            "1",
            "sku=T-S,size=S",
            "",
        ],
        ["T", "german", "Top", "configurable", "Hemd", "", "", "", "", "", "", ""],
        ["T", "fr_FR", "Top", "configurable", "Haut", "", "", "", "", "", "", ""],
        ["U", "", "Top", "simple", "Old", "9.0000", "2", "Catalog, Search", "4.0000", "1", "", ""],
    ]

    items, _ = items_in(table(header, rows).encode())

    assert (items["T"]["title"], items["T"]["group_id"], items["T-S"]["group_id"]) == ("Tank", "T", "T")
    assert essence(items["T"])["can_be_bought"]
    assert items["T"]["titles"] == {"fr-FR": "Haut"}  # the writer merges the languages
    assert items["T-S"]["attributes"] == {"size": "S, M"}
    assert not any(essence(items[name])["can_be_bought"] for name in ("T-S", "U"))


def test_the_rest_exports_of_shop_systems_say_what_their_tables_say() -> None:
    woo = {"id": 7, "name": "Hoodie", "status": "draft", "catalog_visibility": "visible", "sku": "H", "price": "9.00",
           "regular_price": "12.00", "sale_price": "9.00", "stock_status": "instock", "permalink": "https://s.example/h",
           "categories": [{"id": 1, "name": "Hoodies"}], "images": [{"src": "https://s.example/h.jpg"}],
           "tags": [{"name": "new"}], "attributes": [{"name": "Size", "options": ["S", "M"]}]}  # fmt: skip
    magento = {"id": 1, "sku": "B", "name": "Bag", "attribute_set_id": 15, "price": 34, "status": 2, "visibility": 4,
               "custom_attributes": [{"attribute_code": "url_key", "value": "bag"}]}  # fmt: skip

    (hoodie,), (bag,) = (
        items_in(json.dumps(text).encode())[0].values() for text in ([woo], {"items": [magento], "total_count": 1})
    )

    assert (hoodie["item_id"], hoodie["price_minor"], hoodie["sale_price_minor"]) == ("7", 1200, 900)
    assert (hoodie["is_active"], hoodie["category"], hoodie["tags"]) == (False, "Hoodies", ["new"])
    assert (hoodie["url"], hoodie["image_url"]) == ("https://s.example/h", "https://s.example/h.jpg")
    assert hoodie["attributes"] == {"size": "S, M", "sku": "H"}
    assert (bag["item_id"], bag["price_minor"], bag["is_active"], bag["url"]) == ("B", 3400, False, "/bag.html")


def test_heurekas_names_in_capitals_are_read() -> None:
    text = (
        "<?xml version='1.0'?><SHOP><SHOPITEM><ITEM_ID>A</ITEM_ID><PRODUCTNAME>Mug</PRODUCTNAME><PRICE_VAT>9,50"
        "</PRICE_VAT><CATEGORYTEXT>Kitchen | Mugs</CATEGORYTEXT><DELIVERY_DATE>3</DELIVERY_DATE></SHOPITEM></SHOP>"
    )

    items, report = items_in(text.encode())

    assert report.dialect == "heureka"
    assert (items["A"]["title"], items["A"]["price_minor"], items["A"]["category"]) == ("Mug", 950, "Kitchen > Mugs")
    assert items["A"]["availability"] == "backorder"


def test_akeneos_languages_are_translations() -> None:
    header = ["sku", "family", "enabled", "name-en_US", "name-de_DE", "price-EUR", "price-USD", "parent"]

    items, _ = items_in(table(header, [["A", "x", "0", "Mug", "Becher", "9.00", "10.00", "G"]], delimiter=";").encode())

    assert items["A"]["titles"] == {"en-US": "Mug", "de-DE": "Becher"}
    assert (items["A"]["title"], items["A"]["price_minor"], items["A"]["currency"]) == ("Mug", 900, "EUR")
    assert (items["A"]["is_active"], items["A"]["group_id"]) == (False, "G")


def test_a_group_of_schema_org_is_its_variants() -> None:
    group = {
        "@type": "ProductGroup", "name": "Boot", "productGroupID": "G", "brand": "Loam",
        "hasVariant": [
            {"@type": "Product", "sku": f"B{size}", "size": size, "offers": {"price": 99, "priceCurrency": "EUR"}}
            for size in ("41", "42")
        ],
    }  # fmt: skip

    items, _ = items_in(json.dumps(group).encode())

    assert items.keys() == {"B41", "B42"}
    assert {(one["title"], one["group_id"], one["price_minor"]) for one in items.values()} == {("Boot", "G", 9_900)}


def test_a_graph_of_a_page_holds_more_than_products() -> None:
    graph = {"@graph": [{"@type": "WebPage", "name": "Shop"}, {"@type": "Product", "sku": "A", "name": "Mug"}]}

    items, report = items_in(json.dumps(graph).encode())

    assert items.keys() == {"A"}
    assert not report.bad_rows


def test_columns_that_a_converter_takes_are_used() -> None:
    header = ["ID", "SKU", "Regular price", "Attribute 1 name", "Attribute 1 value(s)", "Tax class"]
    items, report = items_in(table(header, [["1", "A", "9", "Colour", "Red", "x"]]).encode())

    assert items["1"]["attributes"] == {"colour": "Red", "sku": "A"}
    assert [one.name for one in column_meanings(report, {}) if not one.field] == ["Tax class"]


def test_a_language_feed_of_facebook_translates() -> None:
    items, _ = items_in(table(["id", "override", "title", "price"], [["A", "de_DE", "Becher", "1 EUR"]]).encode())

    assert items["A"] == {"item_id": "A", "titles": {"de-DE": "Becher"}}


def test_a_person_knows_better_than_a_name() -> None:
    data = table(["Artikelnummer", "Bezeichnung", "VK", "price"], [["A", "Becher", "9,50", "1.00"]], delimiter=";")

    items, report = items_in(
        data.encode(), mapping={"Artikelnummer": "item_id", "Bezeichnung": "title", "VK": "price", "price": ""}
    )

    assert items["A"] == {"item_id": "A", "title": "Becher", "price_minor": 950, "currency": "EUR"}
    assert report.columns["vk"].samples == ["9,50"]
