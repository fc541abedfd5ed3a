"""Catalogues as shops export them, each with the items that a person would read in it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

RSS: Final = '<?xml version="1.0" encoding="{encoding}"?>\n<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>{items}</channel></rss>'
FIELDS: Final = (
    "title",
    "brand",
    "category",
    "price_minor",
    "sale_price_minor",
    "currency",
    "availability",
    "group_id",
    "image_url",
    "url",
    "stock",
    "titles",
    "is_recommendable",
    "paid_minor",
)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One file, and what is right: by item id the fields that it must have, and how many rows are refused."""

    name: str
    content: bytes
    items: Mapping[str, Mapping[str, Any]]
    refused: int = 0
    decimal: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def _rss(*items: str, encoding: str = "UTF-8", before: str = "") -> bytes:
    written = before + RSS.format(encoding=encoding, items="".join(f"<item>{item}</item>" for item in items))
    return written.encode(encoding)


def _item(item_id: str, title: str, more: str = "") -> str:
    price = "" if "g:price" in more else "<g:price>12.00 EUR</g:price>"
    return f"<g:id>{item_id}</g:id><title>{title}</title>{price}{more}"


def _lines(*rows: Mapping[str, Any]) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def _zip(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()


PRICES: Final[Mapping[str, tuple[int, str]]] = {
    "24,95 EUR": (2495, "EUR"),
    "24,95 €": (2495, "EUR"),
    "€24.95": (2495, "EUR"),
    "2.499,00": (249900, "EUR"),
    "2,499.00 USD": (249900, "USD"),
    "24.95 usd": (2495, "USD"),
    "GBP 24.95": (2495, "GBP"),
    "24.95CHF": (2495, "CHF"),
    "CHF 2'499.00": (249900, "CHF"),
    "2 499,00 EUR": (249900, "EUR"),
    "0.00 EUR": (0, "EUR"),
    ".49": (49, "EUR"),
    "7.": (700, "EUR"),
    "3e1": (3000, "EUR"),
    "¥ 5,000 JPY": (5000, "JPY"),
    "12.500 KWD": (12500, "KWD"),
}
AVAILABILITY: Final = {
    "in stock": "in_stock",
    "IN STOCK": "in_stock",
    "in_stock": "in_stock",
    "InStock": "in_stock",
    "1": "in_stock",
    "https://schema.org/InStock": "in_stock",
    "http://schema.org/LimitedAvailability": "in_stock",
    "true": "in_stock",
    "yes": "in_stock",
    "PreOrder": "preorder",
    "pre-order": "preorder",
    "backorder": "backorder",
    "https://schema.org/BackOrder": "backorder",
    "SoldOut": "out_of_stock",
    "out of stock": "out_of_stock",
    "OutOfStock": "out_of_stock",
    "Discontinued": "out_of_stock",
    "0": "out_of_stock",
    "no": "out_of_stock",
}


def catalogues() -> Iterator[Catalogue]:
    """Yield every case."""
    table = "id\ttitle\tprice\nF1\tFlöte\t8.50\nF2\tOboe\t9.50\n"
    two = {"F1": {"title": "Flöte", "price_minor": 850}, "F2": {"title": "Oboe", "price_minor": 950}}
    for encoding in ("utf-16", "utf-16-be", "utf-8-sig", "cp1252", "utf-8"):
        bom = b"\xfe\xff" if encoding == "utf-16-be" else b""
        yield Catalogue(f"text table, {encoding}", bom + table.encode(encoding), two)
    semicolons = table.replace("\t", ";")
    yield Catalogue("text table, gzip", gzip.compress(semicolons.encode()), two)
    yield Catalogue("text table, zip", _zip("export/items.csv", semicolons.encode("cp1252")), two)
    yield Catalogue("Excel's sep= line", b"sep=|\nid|title|price\nN1|Nail|2.00\n", {"N1": {"price_minor": 200}})
    yield Catalogue(
        "rows without their last cells",
        b"id,title,price,brand\nN1,Nail,2.00,Bo\nN2,Nut,3.00\nN3,Pin\n",
        {"N1": {"brand": "Bo"}, "N2": {"price_minor": 300}, "N3": {"title": "Pin"}},
    )
    yield Catalogue(
        "a stray quotation mark",
        b'id\ttitle\tprice\nI1\t19" rack\t1\nI2\t"Best buy case\t2\nI3\tFan\t3\nI4\tCable 3"\t4\n',
        {"I1": {"title": '19" rack'}, "I2": {"price_minor": 200}, "I3": {"title": "Fan"}, "I4": {"price_minor": 400}},
    )
    yield from _xml()
    yield from _shops()
    yield from _json()
    yield from _values()


def _xml() -> Iterator[Catalogue]:
    yield Catalogue(
        "named entities of HTML",
        _rss(_item("E1", "Cr&egrave;me br&ucirc;l&eacute;e"), _item("E2", "Bowl"), _item("E3", "Fish &nbsp;knife")),
        {"E1": {"title": "Crème brûlée"}, "E2": {}, "E3": {}},
    )
    yield Catalogue(
        "twice escaped",
        _rss(
            _item("E1", "Fish &amp;amp; chips"),
            _item("E2", "<![CDATA[Knife &amp; fork]]>"),
            _item("E3", "L&amp;ouml;we", "<g:product_type>Toys &amp;gt; Animals</g:product_type>"),
        ),
        {
            "E1": {"title": "Fish & chips"},
            "E2": {"title": "Knife & fork"},
            "E3": {"title": "Löwe", "category": "Toys > Animals"},
        },
    )
    yield Catalogue(
        "a control character",
        _rss(_item("E1", "One"), _item("E2", "Tw\x0bo"), _item("E3", "Three\x1f")),
        {"E1": {"title": "One"}, "E2": {}, "E3": {}},
    )
    title = {"title": "Größe 7 € 5"}
    for encoding in ("windows-1252", "UTF-16", "ISO-8859-15"):
        yield Catalogue(f"XML in {encoding}", _rss(_item("E1", title["title"]), encoding=encoding), {"E1": title})
    yield Catalogue("blank lines before the XML", _rss(_item("E1", "A"), before="\n \n"), {"E1": {"title": "A"}})
    yield Catalogue("a byte order mark", b"\xef\xbb\xbf" + _rss(_item("E1", "A")), {"E1": {"title": "A"}})
    notice = "<br />\n<b>Notice</b>:  Undefined index: x in <b>/srv/feed.php</b> on line <b>7</b><br />\n"
    yield Catalogue("a PHP notice before the XML", _rss(_item("E1", "A"), before=notice), {"E1": {"title": "A"}})
    sale = "<g:price>80.00 EUR</g:price><g:sale_price>60.00 EUR</g:sale_price>"
    period = "<g:sale_price_effective_date>{}</g:sale_price_effective_date>"
    yield Catalogue(
        "sale periods",
        _rss(
            _item("E1", "Over", sale + period.format("2019-02-01T00:00+0100/2019-02-28T23:59+0100")),
            _item("E2", "To come", sale + period.format("2098-02-01T00:00Z/2098-02-28T23:59Z")),
            _item("E3", "Now", sale + period.format("2019-02-01T00:00Z/2098-02-28T23:59Z")),
            _item("E4", "Always", sale),
        ),
        {
            "E1": {"paid_minor": 8000},
            "E2": {"paid_minor": 8000},
            "E3": {"paid_minor": 6000},
            "E4": {"paid_minor": 6000},
        },
    )
    yield Catalogue(
        "Yandex's market language",
        b'<?xml version="1.0"?><yml_catalog><shop><offers><offer id="9" available="true"><name>Cup</name>'
        b"<price>7</price></offer></offers></shop></yml_catalog>",
        {"9": {"title": "Cup", "price_minor": 700}},
    )
    yield Catalogue(
        "a damaged item",
        _rss(_item("E1", "One"), "<g:id>E2</g:id><title>Two</titel>", _item("E3", "Three")),
        {"E1": {"title": "One"}, "E3": {"title": "Three"}},
        refused=1,
    )


def _shops() -> Iterator[Catalogue]:
    meta = (
        "id,title,description,availability,condition,price,link,image_link,brand,fb_product_category,"
        "quantity_to_sell_on_facebook,sale_price,item_group_id\n"
        "0088,Boot,Dry,in stock,new,99.00 EUR,https://s.example/88,https://s.example/88.jpg,Bo,Shoes > Boots,0,,G8\n"
        "0089,Clog,Light,available for order,new,49.00 EUR,https://s.example/89,https://s.example/89.jpg,Bo,Shoes,3,"
        "39.00 EUR,G8\n"
    )
    expected = {
        "0088": {"is_recommendable": False, "stock": 0, "group_id": "G8"},
        "0089": {"is_recommendable": True, "sale_price_minor": 3900},
    }
    yield Catalogue("Facebook", meta.encode(), expected)
    comment = ",".join(f"# {'Required' if n < 9 else 'Optional'} | what to write here" for n in range(13)) + "\n"
    yield Catalogue("Facebook, with the template's comments", (comment + meta).encode(), expected)
    yield Catalogue(
        "Shopify's CSV",
        b"Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,"
        b"Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Status\n"
        b'vest,Vest,<p>Warm</p>,Fell,Vests,"wool, winter",true,Size,S,VE-S,0,49.00,69.00,https://c.example/v.jpg,active\n'
        b"vest,,,,,,,,M,VE-M,4,49.00,69.00,,\n"
        b"vest,,,,,,,,,,,,,https://c.example/v2.jpg,\n"
        b"secret,Secret,<p>x</p>,Fell,Vests,,false,Title,Default Title,SEC,3,5.00,,https://c.example/s.jpg,draft\n",
        {
            "VE-S": {"price_minor": 6900, "sale_price_minor": 4900, "is_recommendable": False, "group_id": "vest"},
            "VE-M": {"price_minor": 6900, "sale_price_minor": 4900, "is_recommendable": True, "group_id": "vest"},
            "SEC": {"is_recommendable": False},
        },
    )
    yield Catalogue(
        "WooCommerce",
        b'ID,Type,SKU,Name,Published,"Is featured?","Visibility in catalog","Short description",Description,'
        b'"Tax status","In stock?",Stock,"Sale price","Regular price",Categories,Tags,Images,Parent\n'
        b'80,variable,,Scarf,1,0,visible,Soft,Very soft,taxable,1,,,,"Wear, Wear > Scarves",w,https://s.example/s.jpg,\n'
        b"81,variation,SC-RED,Scarf - Red,1,0,visible,,,taxable,1,5,15.00,25.00,,,https://s.example/r.jpg,id:80\n"
        b'82,simple,0020,Glove,1,0,visible,,,taxable,0,0,,35.00,"Wear > Gloves",,https://s.example/g.jpg,\n'
        b'83,simple,HID,Hidden,0,0,hidden,,,taxable,1,9,,5.00,"Wear > Gloves",,https://s.example/h.jpg,\n',
        {
            "81": {"price_minor": 2500, "sale_price_minor": 1500, "group_id": "80", "is_recommendable": True},
            "82": {"is_recommendable": False, "category": "Wear > Gloves"},
            "83": {"is_recommendable": False},
            "80": {"title": "Scarf"},
        },
    )
    head = (
        "sku,store_view_code,attribute_set_code,product_type,categories,product_websites,name,description,"
        "product_online,visibility,price,special_price,special_price_from_date,special_price_to_date,url_key,"
        "base_image,additional_attributes,qty,is_in_stock\n"
    )
    yield Catalogue(
        "Magento",
        (
            head + 'MP7,,Bottom,simple,"Default Category/Men/Pants",base,Pant,Nice,1,"Catalog, Search",35.0000,,,,pant,'
            '/m/p/mp7.jpg,"color=Green",4.0000,1\n'
            'MP8,,Bottom,simple,"Default Category/Men/Pants",base,Off,Nice,2,"Catalog, Search",35.0000,,,,off,'
            '/m/p/mp8.jpg,"color=Green",4.0000,1\n'
            "MP7,german,Bottom,simple,,base,Hose,,,,,,,,,,,,\n"
        ).encode(),
        {
            "MP7": {"title": "Pant", "category": "Men > Pants", "titles": {"de": "Hose"}, "is_recommendable": True},
            "MP8": {"is_recommendable": False},
        },
    )


def _json() -> Iterator[Catalogue]:
    product = {
        "@context": "https://schema.org",
        "@type": "Product",
        "sku": "S1",
        "name": "Pen",
        "image": ["https://s.example/1.jpg"],
        "brand": {"@type": "Brand", "name": "Ink"},
        "offers": {
            "@type": "Offer",
            "price": "3.20",
            "priceCurrency": "EUR",
            "availability": "https://schema.org/OutOfStock",
        },
    }
    right = {"S1": {"title": "Pen", "brand": "Ink", "price_minor": 320, "availability": "out_of_stock"}}
    yield Catalogue("schema.org, a list", json.dumps([product]).encode(), right)
    yield Catalogue("schema.org, a line each", _lines(product), right)
    graph = {"@context": "https://schema.org", "@graph": [product, {"@type": "WebSite", "name": "x"}]}
    yield Catalogue("schema.org, a graph", json.dumps(graph).encode(), right)
    variants = [
        {"id": 71, "title": "38", "sku": "CL-38", "price": "59.00", "compare_at_price": "79.00", "available": False},
        {"id": 72, "title": "39", "sku": "CL-39", "price": "59.00", "compare_at_price": "79.00", "available": True},
    ]
    shopify = {
        "id": 700,
        "title": "Clog",
        "handle": "clog",
        "vendor": "Fell",
        "product_type": "Shoes",
        "tags": "wood",
        "variants": variants,
        "images": [{"src": "https://c.example/c.jpg"}],
    }
    yield Catalogue(
        "Shopify's products.json",
        json.dumps({"products": [shopify]}).encode(),
        {
            "CL-38": {"group_id": "clog", "is_recommendable": False},
            "CL-39": {"price_minor": 7900, "is_recommendable": True},
        },
    )
    yield Catalogue(
        "a JSON list over several lines",
        json.dumps([{"id": "L1", "title": "Saw"}, {"id": "L2", "title": "Axe"}], indent=1).encode(),
        {"L1": {"title": "Saw"}, "L2": {"title": "Axe"}},
    )


def _values() -> Iterator[Catalogue]:
    rows = [{"id": f"P{n}", "title": "x", "price": written} for n, written in enumerate(PRICES)]
    expected = {
        f"P{n}": {"price_minor": minor, "currency": currency} for n, (minor, currency) in enumerate(PRICES.values())
    }
    yield Catalogue("prices with one reading", _lines(*rows), expected)
    both = b'{"id": "P1", "title": "x", "price": "2,499"}'
    yield Catalogue("a price with two readings", both, {}, refused=1)
    yield Catalogue("the same, with the feed's setting", both, {"P1": {"price_minor": 250}}, decimal=",")
    yield Catalogue(
        "addresses",
        b"id,title,price,link,image_link\n"
        b"A1,Jar,5,https://s.example/1,//c.example/1.jpg\nA2,Can,5,www.s.example/2,https://c.example/2.jpg\n"
        b'A3,Tin,5,/p/3,pictures/3.jpg\nA4,Box,5,https://s.example/4,"https://c.example/a.jpg,https://c.example/b.jpg"\n',
        {
            "A1": {"image_url": "https://c.example/1.jpg"},
            "A2": {"url": "https://www.s.example/2"},
            "A3": {"price_minor": 500},
            "A4": {"image_url": "https://c.example/a.jpg"},
        },
    )
    yield Catalogue(
        "sold out, with a bad picture",
        b"id,title,price,availability,image_link\nA1,Jar,5,out of stock,:/x\n",
        {"A1": {"availability": "out_of_stock", "price_minor": 500}},
    )
    long = {"id": "D1", "title": "T" * 900, "price": 9, "description": "<p>long </p>" * 20_000}
    yield Catalogue("texts beyond the limit", _lines(long), {"D1": {"price_minor": 900}})
    spelt = [{"id": f"V{n}", "title": "x", "availability": word} for n, word in enumerate(AVAILABILITY)]
    yield Catalogue(
        "availability in many spellings",
        _lines(*spelt),
        {f"V{n}": {"availability": meaning} for n, meaning in enumerate(AVAILABILITY.values())},
    )
    yield Catalogue(
        "Google's category as a number",
        b"id,title,price,google_product_category\nC1,Hat,5,173\nC2,Hat,5,Apparel & Accessories > Hats\n",
        {"C1": {"category": ""}, "C2": {"category": "Apparel & Accessories > Hats"}},
    )
    ids = {
        "0042": "0042",
        "C D": "C D",
        "C/D": "C/D",
        "Ä-1": "Ä-1",
        "sku-9": "sku-9",
        "SKU-9": "SKU-9",
        "a|b": "a|b",
        "..": "..",
        "x%2Fy": "x%2Fy",
        "48810.0": "48810",
    }
    yield Catalogue(
        "ids of every kind",
        _lines(
            *({"id": one, "title": "t", "price": 1} for one in ids),
            {"id": 48811.0, "title": "t"},
            {"id": float("nan"), "title": "t"},
            {"id": True, "title": "t"},
        ),
        {**{one: {} for one in ids.values()}, "48811": {}},
        refused=2,
    )
    yield Catalogue(
        "a price in yen beside a column that says euros",
        b"id,title,price,currency\nJ1,Tea,1000 JPY,EUR\n",
        {"J1": {"price_minor": 1000, "currency": "JPY"}},
    )
