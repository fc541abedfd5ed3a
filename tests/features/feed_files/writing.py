"""One catalogue, written as shop systems and channels write theirs; and read back into the fields of items."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from features.feed_files.readers import read_feed
from features.feed_files.report import FeedReport
from features.feeds.mends import BadValue, Mends
from features.feeds.values import Understanding, item_changes


@dataclass(frozen=True)
class Product:
    """What every dialect can say of a product."""

    item_id: str
    title: str
    price: str
    sale_price: str = ""
    brand: str = "Kiln"
    category: str = "Kitchen > Mugs"
    picture: str = "https://cdn.shop.example/1.jpg"
    in_stock: bool = True


Write = Callable[[Sequence[Product]], str]


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def _google_rows(products: Sequence[Product]) -> list[list[str]]:
    return [
        [one.item_id, one.title, f"{one.price} EUR", f"{one.sale_price} EUR" if one.sale_price else "", one.brand,
         one.category, one.picture, "in stock" if one.in_stock else "out of stock", "https://shop.example/p"]
        for one in products
    ]  # fmt: skip


_GOOGLE = ["id", "title", "price", "sale_price", "brand", "product_type", "image_link", "availability", "link"]


def google_csv(products: Sequence[Product]) -> str:
    return table(_GOOGLE, _google_rows(products))


def semicolons(products: Sequence[Product]) -> str:
    return "sep=;\n" + table(_GOOGLE, _google_rows(products), delimiter=";")


def google_tsv(products: Sequence[Product]) -> str:
    return table(_GOOGLE, _google_rows(products), delimiter="\t")


def _xml_fields(row: Sequence[str], prefix: str) -> str:
    return "".join(f"<{prefix}{name}>{escape(cell)}</{prefix}{name}>" for name, cell in zip(_GOOGLE, row, strict=True))


def google_rss(products: Sequence[Product]) -> str:
    items = "\n".join(f"<item>{_xml_fields(row, 'g:')}</item>" for row in _google_rows(products))
    return (
        '<?xml version="1.0"?>\n<rss xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>\n'
        f"{items}\n</channel></rss>\n"
    )


def google_atom(products: Sequence[Product]) -> str:
    entries = "\n".join(
        f"<entry><id>tag:shop.example,2026:{number}</id>{_xml_fields(row, 'g:')}</entry>"
        for number, row in enumerate(_google_rows(products))
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">\n{entries}\n</feed>'


def facebook(products: Sequence[Product]) -> str:
    header = ["id", "title", "price", "sale_price", "brand", "fb_product_category", "image_link",
              "quantity_to_sell_on_facebook", "description"]  # fmt: skip
    rows = [[*row[:7], "3" if row[7] == "in stock" else "0", "Nice"] for row in _google_rows(products)]
    return "# Required | id,# Required | title\n" + table(header, rows)


def shopify_csv(products: Sequence[Product]) -> str:
    header = ["Handle", "Title", "Vendor", "Type", "Published", "Option1 Name", "Option1 Value", "Variant SKU",
              "Variant Inventory Qty", "Variant Price", "Variant Compare At Price", "Image Src", "Status"]  # fmt: skip
    rows = []
    for number, one in enumerate(products):
        paid, before = (one.sale_price, one.price) if one.sale_price else (one.price, "")
        rows.append([f"p{number}", one.title, one.brand, one.category, "true", "Title", "Default Title", one.item_id,
                     "3" if one.in_stock else "0", paid, before, one.picture, "active"])  # fmt: skip
        rows.append([f"p{number}", *[""] * 10, "https://cdn.shop.example/2.jpg", ""])
    return table(header, rows)


def shopify_json(products: Sequence[Product]) -> str:
    return json.dumps({"products": [
        {
            "id": number, "title": one.title, "handle": f"p{number}", "vendor": one.brand, "product_type": one.category,
            "variants": [{
                "id": 9, "sku": one.item_id, "price": one.sale_price or one.price, "available": one.in_stock,
                "compare_at_price": one.price if one.sale_price else None, "option1": "Default Title",
            }],
            "images": [{"src": one.picture}],
        }
        for number, one in enumerate(products)
    ]})  # fmt: skip


def woocommerce(products: Sequence[Product]) -> str:
    header = ["ID", "Type", "SKU", "Name", "Published", "Visibility in catalog", "In stock?", "Stock", "Sale price",
              "Regular price", "Categories", "Images", "Brands", "Parent"]  # fmt: skip
    rows = [
        [one.item_id, "simple", "", one.title, "1", "visible", "1" if one.in_stock else "0", "", one.sale_price,
         one.price, one.category, f"{one.picture}, https://cdn.shop.example/2.jpg", one.brand, ""]
        for one in products
    ]  # fmt: skip
    return table(header, rows)


def magento(products: Sequence[Product]) -> str:
    header = ["sku", "store_view_code", "attribute_set_code", "product_type", "categories", "name", "product_online",
              "visibility", "price", "special_price", "base_image", "is_in_stock", "manufacturer"]  # fmt: skip
    rows = []
    for one in products:
        path = "Default Category/" + one.category.replace(" > ", "/")
        rows.append([one.item_id, "", "Default", "simple", path, one.title, "1", "Catalog, Search", f"{one.price}0000",
                     one.sale_price, one.picture, "1" if one.in_stock else "0", one.brand])  # fmt: skip
        rows.append([one.item_id, "outlet", "Default", "simple", "", "Overwritten", *[""] * 7])
    return table(header, rows)


def akeneo(products: Sequence[Product]) -> str:
    header = ["sku", "family", "categories", "enabled", "name-en_US", "price-EUR", "sale_price-EUR", "brand", "image",
              "availability"]  # fmt: skip
    rows = [
        [one.item_id, "mugs", one.category, "1", one.title, one.price, one.sale_price, one.brand, one.picture,
         "1" if one.in_stock else "0"]
        for one in products
    ]  # fmt: skip
    return table(header, rows, delimiter=";")


def _jsonld(one: Product) -> dict[str, Any]:
    offer: dict[str, Any] = {
        "@type": "Offer", "price": one.sale_price or one.price, "priceCurrency": "EUR",
        "availability": f"https://schema.org/{'InStock' if one.in_stock else 'OutOfStock'}",
        "priceSpecification": [{"@type": "UnitPriceSpecification", "price": "77.77", "referenceQuantity": {}}],
    }  # fmt: skip
    if one.sale_price:
        offer["priceSpecification"].append({"priceType": "https://schema.org/ListPrice", "price": one.price})
    return {
        "@context": "https://schema.org", "@type": "Product", "sku": one.item_id, "name": one.title,
        "brand": {"@type": "Brand", "name": one.brand}, "category": one.category, "image": [one.picture],
        "offers": [offer],
    }  # fmt: skip


def jsonld(products: Sequence[Product]) -> str:
    return json.dumps([_jsonld(one) for one in products], ensure_ascii=False)


def jsonld_lines(products: Sequence[Product]) -> str:
    return "".join(json.dumps(_jsonld(one)) + "\n" for one in products)


def jsonld_graph(products: Sequence[Product]) -> str:
    return json.dumps({"@context": "https://schema.org", "@graph": [_jsonld(one) for one in products]}, indent=1)


def yml(products: Sequence[Product]) -> str:
    offers = []
    for one in products:
        paid, before = (one.sale_price, one.price) if one.sale_price else (one.price, "")
        old = f"<oldprice>{before}</oldprice>" if before else ""
        offers.append(
            f'<offer id={quoteattr(one.item_id)} available="{str(one.in_stock).lower()}">'
            f"<name>{escape(one.title)}</name>"
            f"<price>{paid}</price>{old}<currencyId>EUR</currencyId><categoryId>2</categoryId>"
            f"<vendor>{one.brand}</vendor><picture>{one.picture}</picture></offer>"
        )
    names = products[0].category.split(" > ") if products else ["a", "b"]
    return (
        '<?xml version="1.0"?><yml_catalog><shop><categories>'
        f'<category id="1">{names[0]}</category><category id="2" parentId="1">{names[1]}</category></categories>'
        "<offers>\n" + "\n".join(offers) + "\n</offers></shop></yml_catalog>"
    )


def json_lines(products: Sequence[Product]) -> str:
    rows = [dict(zip(_GOOGLE, row, strict=True)) for row in _google_rows(products)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def json_list(products: Sequence[Product]) -> str:
    return json.dumps([dict(zip(_GOOGLE, row, strict=True)) for row in _google_rows(products)], indent=2)


TABLES: tuple[Write, ...] = (google_csv, semicolons, google_tsv, facebook, shopify_csv, woocommerce, magento, akeneo)
DIALECTS: tuple[Write, ...] = (
    *TABLES, google_rss, google_atom, shopify_json, jsonld, jsonld_lines, jsonld_graph, yml, json_lines, json_list,
)  # fmt: skip


def in_zip(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export/feed.txt", data)
        archive.writestr("__MACOSX/export/._feed.txt", b"\x00")
    return out.getvalue()


CONTAINERS: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    gzip.compress,
    in_zip,
    lambda data: in_zip(gzip.compress(data)),
)


def items_in(data: bytes, **chosen: Any) -> tuple[dict[str, dict[str, Any]], FeedReport]:
    """Return what each item would be, and the report of the reader."""
    report = FeedReport()
    understanding = Understanding(currency="EUR")
    items: dict[str, dict[str, Any]] = {}
    for line, values in read_feed(io.BytesIO(data), report, **chosen):
        try:
            change = item_changes(values, understanding=understanding, mends=Mends(report, line))
        except BadValue as error:
            report.refuse(line, field=error.field, value=error.value, reason=error.reason)
        else:
            items[change["item_id"]] = {**items.get(change["item_id"], {}), **change}
    return items, report


def essence(item: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that every dialect has."""
    can_be_bought = item.get("availability", "in_stock") != "out_of_stock" and item.get("stock") != 0
    return {
        "title": item.get("title"), "price": item.get("price_minor"), "sale": item.get("sale_price_minor"),
        "currency": item.get("currency"), "brand": item.get("brand"), "category": item.get("category"),
        "picture": item.get("image_url"), "can_be_bought": can_be_bought and item.get("is_active", True),
    }  # fmt: skip


def expected(one: Product) -> dict[str, Any]:
    """Return what an item's essence is to be."""
    return {
        "title": one.title, "price": _minor(one.price), "sale": _minor(one.sale_price) if one.sale_price else None,
        "currency": "EUR", "brand": one.brand, "category": one.category, "picture": one.picture,
        "can_be_bought": one.in_stock,
    }  # fmt: skip


def _minor(amount: str) -> int:
    whole, _, decimals = amount.partition(".")
    return int(whole) * 100 + int(decimals)
