from __future__ import annotations

import contextlib
import gzip
import io
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feeds import FeedReport, RawRow, load_rows, upsert_items
from features.feeds import download as download_module
from features.feeds.download import DownloadFailed, download, is_public
from features.feeds.readers import detect_format, read_feed
from features.feeds.report import MAX_BAD_ROWS, FeedBroken
from features.feeds.runs import load_address, load_file
from features.feeds.tasks import fetch_due_feeds
from features.feeds.values import BadValue, item_changes
from features.models import Feed, FeedRun, Item
from tracking.models import Site


def changes(**raw: Any) -> dict[str, Any]:
    return item_changes({"item_id": "i1", **raw}, currency="EUR")


def rows_of(data: bytes, *, name: str = "feed.csv") -> tuple[list[RawRow], FeedReport]:
    report = FeedReport()
    return list(read_feed(io.BytesIO(data), report, name=name)), report


# --- values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "minor", "currency"),
    [
        ("12.99 EUR", 1299, "EUR"), ("EUR 12.99", 1299, "EUR"), ("12.99", 1299, "EUR"), (12.99, 1299, "EUR"),
        (7, 700, "EUR"), ("500 JPY", 500, "JPY"), ("1.250 KWD", 1250, "KWD"), ("0.005 EUR", 0, "EUR"),
    ],
)  # fmt: skip
def test_prices_are_read_as_google_writes_them(written: object, minor: int, currency: str) -> None:
    assert changes(price=written) == {"item_id": "i1", "price_minor": minor, "currency": currency}


@pytest.mark.parametrize("written", ["12,99", "1,299.00 EUR", "-1", "free", "NaN", "1e3", True, ["1"], "9" * 20])
def test_a_price_is_never_guessed(written: object) -> None:
    with pytest.raises(BadValue) as refused:
        changes(price=written)
    assert refused.value.field == "price"


def test_prices_in_two_currencies_are_refused() -> None:
    with pytest.raises(BadValue, match="is not in EUR"):
        changes(price="12 EUR", sale_price="9 USD")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "javascript:alert(1)"), ("url", "//evil.example/x"), ("image_url", "data:image/png;base64,AAAA"),
        ("availability", "maybe"), ("stock", "3.5"), ("stock", "many"), ("title", "x" * 501), ("title", "a\x00b"),
        ("attributes", "[1]"), ("attributes", "{"), ("is_active", "perhaps"), ("tags", [str(n) for n in range(51)]),
        ("first_seen_at", "yesterday"), ("titles", {"not a locale": "x"}), ("title", "a\ud800b"),
        ("titles", {"de": "\x00"}), ("attributes", {"a": float("nan")}), ("attributes", {"\udfff": 1}),
        ("currency", "Euro"),
    ],
)  # fmt: skip
def test_bad_values_name_their_field(field: str, value: object) -> None:
    with pytest.raises(BadValue) as refused:
        changes(**{field: value})
    assert refused.value.field == field


def test_googles_names_become_ours() -> None:
    raw = {
        "g:id": "SKU", "g:title": "Mug", "link": "https://shop.example/m", "g:image_link": "https://shop.example/m.jpg",
        "g:availability": "in stock", "g:price": "19.00 EUR", "g:product_type": "Kitchen > Mugs",
        "g:item_group_id": "G",
        "g:google_product_category": "Home & Garden > Kitchen", "g:color": "red", "title_de": "Becher",
        "g:mystery": "?",
    }  # fmt: skip
    ignored: set[str] = set()

    found = item_changes(raw, currency="USD", ignored=ignored)

    assert found == {
        "item_id": "SKU", "title": "Mug", "url": "https://shop.example/m", "image_url": "https://shop.example/m.jpg",
        "availability": "in_stock", "price_minor": 1900, "currency": "EUR",
        "category": "Kitchen > Mugs",
        "group_id": "G", "attributes": {"color": "red"}, "titles": {"de": "Becher"},
    }  # fmt: skip
    assert ignored == {"mystery"}


@given(
    st.dictionaries(
        st.text(max_size=20), st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.lists(st.text()))
    )
)
@settings(max_examples=300)
def test_whatever_a_row_holds_it_is_taken_or_refused_with_a_reason(raw: dict[str, Any]) -> None:
    with contextlib.suppress(BadValue):
        assert item_changes({**raw, "item_id": "i1"}, currency="EUR")["item_id"] == "i1"


# --- readers ---------------------------------------------------------------------------------------------------


def test_csv_gives_rows_with_their_lines_and_refuses_the_bad_ones_alone() -> None:
    data = b'item_id;title;price\n1;"Two\nlines";3\n2;Torn\n3;\xff\xfe;4\n;;\n4;Good;5\n'

    rows, report = rows_of(data)

    assert [(row.line, row.values["item_id"]) for row in rows] == [(2, "1"), (7, "4")]
    assert rows[0].values["title"] == "Two\nlines"
    assert [(bad.line, bad.field) for bad in report.bad_rows] == [(4, ""), (5, "title")]
    assert "UTF-8" in report.bad_rows[1].reason


def test_an_empty_cell_says_nothing() -> None:
    rows, _ = rows_of(b"item_id,title,price\n1,,5\n")
    assert rows[0].values == {"item_id": "1", "price": "5"}


def test_json_lines_refuse_what_is_no_object() -> None:
    data = b'\xef\xbb\xbf{"item_id": "1", "price": null}\n\n[1]\n{"item_id"\n{"item_id": "2"}\n'

    rows, report = rows_of(data, name="feed.jsonl")

    assert [row.line for row in rows] == [1, 5]
    assert rows[0].values == {"item_id": "1", "price": None}
    assert [bad.line for bad in report.bad_rows] == [3, 4]


RSS = b"""<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
<item><g:id>1</g:id><title>Mug &amp; spoon</title><g:price>5 EUR</g:price>
<g:shipping><g:country>DE</g:country><g:price>3 EUR</g:price></g:shipping></item>
<item><g:id>2</g:id><title><![CDATA[Pan]]></title></item>
</channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0">
<entry><g:id>1</g:id><title>Mug</title><link href="https://shop.example/1"/></entry></feed>"""


def test_google_xml_is_read_item_by_item_without_nested_fields() -> None:
    rows, _ = rows_of(RSS, name="")

    assert [row.line for row in rows] == [3, 5]
    assert rows[0].values == {"id": "1", "title": "Mug & spoon", "price": "5 EUR", "shipping": ""}
    assert rows[1].values == {"id": "2", "title": "Pan"}


def test_atom_gives_the_address_of_its_link() -> None:
    rows, _ = rows_of(ATOM, name="feed.xml")
    assert rows[0].values["link"] == "https://shop.example/1"


@pytest.mark.parametrize(
    "evil",
    [
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><rss><item><id>&b;</id></item></rss>',
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss><item><id>&f;</id></item></rss>',
    ],
    ids=["expansion", "external"],
)
def test_xml_entities_are_refused(evil: bytes) -> None:
    with pytest.raises(FeedBroken):
        rows_of(evil, name="feed.xml")


def test_rows_before_a_break_are_kept(db: None) -> None:
    site = Site.objects.create(slug="shop", name="Shop")
    torn = RSS.replace(b"<![CDATA[Pan]]></title>", b"Pan</titel>")

    run, report = load_file(site, io.BytesIO(torn), source="feed.xml", complete=True)

    assert run.status == FeedRun.Status.FAILED
    assert "line 5" in run.error
    assert report.created == 1
    assert report.deactivated == 0


def test_gzip_is_unpacked_and_a_torn_one_is_named() -> None:
    packed = gzip.compress(b"item_id,title\n" + b"".join(b"%d,Item\n" % number for number in range(20_000)))

    rows, _ = rows_of(packed, name="feed.csv.gz")
    assert len(rows) == 20_000
    with pytest.raises(FeedBroken, match="cannot be read to its end"):
        rows_of(packed[: len(packed) // 2], name="feed.csv.gz")


@pytest.mark.parametrize("data", [b"", b"\n", b"title,price\nx,1\n", b"\x00\x01\x02"])
def test_a_file_that_is_no_feed_is_refused_with_a_remedy(data: bytes) -> None:
    with pytest.raises(FeedBroken, match="item_id"):
        rows_of(data, name="feed.csv")


@given(st.binary(max_size=400), st.sampled_from(["csv", "tsv", "jsonl", "google_xml"]))
@settings(max_examples=300)
def test_no_bytes_make_a_reader_fail_in_another_way(data: bytes, file_format: str) -> None:
    with contextlib.suppress(FeedBroken):
        assert all(
            isinstance(row.values, dict) for row in read_feed(io.BytesIO(data), FeedReport(), file_format=file_format)
        )


@pytest.mark.parametrize(
    ("head", "expected"),
    [(b" <rss>", "google_xml"), (b'{"id":1}', "jsonl"), (b"id\ttitle\n", "tsv"), (b"id,title", "csv")],
)
def test_format_is_told_from_content(head: bytes, expected: str) -> None:
    assert detect_format("upload", head) == expected


def test_a_large_file_is_never_in_memory() -> None:
    class Endless(io.RawIOBase):
        served = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            line = b"1,Item\n" if self.served else b"item_id,title\n"
            buffer[: len(line)] = line
            Endless.served += len(line)
            return len(line)

    rows = read_feed(io.BufferedReader(Endless(), 4_096), FeedReport(), file_format="csv")
    for _ in range(1_000):
        next(rows)
    assert Endless.served < 100_000


# --- into the database -----------------------------------------------------------------------------------------


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


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
    rows = [RawRow(number, {"item_id": str(number)}) for number in range(8)]

    report = load_rows(site, rows, complete=True)

    assert report.deactivated == 2
    assert set(Item.objects.filter(is_active=False).values_list("item_id", flat=True)) == {"8", "9"}


def test_a_complete_feed_that_looks_cut_short_deactivates_nothing(site: Site) -> None:
    upsert_items(site, [{"item_id": str(number), "title": "Item"} for number in range(10)])

    report = load_rows(site, [RawRow(1, {"item_id": "0"})], complete=True)

    assert report.deactivated == 0
    assert "cut short" in report.warnings[0]
    assert Item.objects.filter(is_active=True).count() == 10


def test_only_new_leaves_known_items_alone(site: Site) -> None:
    upsert_items(site, [{"item_id": "1", "title": "Real title"}])

    upsert_items(site, [{"item_id": "1", "title": "Item 1"}, {"item_id": "2", "title": "Item 2"}], only_new=True)

    assert Item.objects.get(item_id="1").title == "Real title"
    assert Item.objects.count() == 2


# --- from an address -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.8", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1:248:1893:25c8:1946")


class FeedServer(BaseHTTPRequestHandler):
    """Serves a feed, a redirect to it, a redirect elsewhere, and errors."""

    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
        elif self.path == "/feed.jsonl":
            body = json.dumps({"item_id": "1", "title": "Mug"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, *args: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def feed_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FeedServer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def loopback_counts_as_public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_module, "is_public", lambda address: address == "127.0.0.1")


def test_a_private_host_is_never_connected_to(feed_server: str) -> None:
    with pytest.raises(DownloadFailed, match=r"private address 127\.0\.0\.1"):
        download(f"{feed_server}/feed.jsonl", io.BytesIO())


def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.216.34", "10.0.0.5")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answers)

    with pytest.raises(DownloadFailed, match=r"private address 10\.0\.0\.5"):
        download("http://feed.example/items.csv", io.BytesIO())


def test_a_redirect_into_the_private_network_is_refused(feed_server: str, loopback_counts_as_public: None) -> None:
    with pytest.raises(DownloadFailed, match=r"private address 10\.0\.0\.1"):
        download(f"{feed_server}/to/http://10.0.0.1/feed.csv", io.BytesIO())


@pytest.mark.parametrize(
    "url", ["ftp://feed.example/x", "file:///etc/passwd", "https://", "http://[::1", "http://h:99999/"]
)
def test_other_schemes_and_broken_addresses_are_refused(url: str) -> None:
    with pytest.raises(DownloadFailed, match="web address"):
        download(url, io.BytesIO())


def test_size_redirects_and_errors_have_limits(feed_server: str, loopback_counts_as_public: None) -> None:
    with pytest.raises(DownloadFailed, match="larger than"):
        download(f"{feed_server}/feed.jsonl", io.BytesIO(), max_bytes=10)
    with pytest.raises(DownloadFailed, match="redirects more than"):
        download(f"{feed_server}/to//to//to//to//to//to//to//feed.jsonl".replace("//to", "/to", 1), io.BytesIO())
    with pytest.raises(DownloadFailed, match="404"):
        download(f"{feed_server}/nothing", io.BytesIO())


def test_due_feeds_are_fetched_once(site: Site, feed_server: str, loopback_counts_as_public: None) -> None:
    Feed.objects.create(site=site, name="Ours", url=f"{feed_server}/to/{feed_server}/feed.jsonl", every_minutes=60)
    Feed.objects.create(site=site, name="Off", url=f"{feed_server}/feed.jsonl", is_active=False)

    assert (fetch_due_feeds(), fetch_due_feeds()) == (1, 0)
    assert Item.objects.get().title == "Mug"
    assert FeedRun.objects.get().status == FeedRun.Status.DONE


def test_a_feed_that_cannot_be_fetched_says_why(site: Site) -> None:
    feed = Feed.objects.create(site=site, name="Ours", url="http://127.0.0.1:9/feed.csv")

    run = load_address(feed)

    assert run.status == FeedRun.Status.FAILED
    assert "private address" in run.error
