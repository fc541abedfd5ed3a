"""Files of items, row by row: each format, what breaks in it, and that forms and documentation know them all."""

from __future__ import annotations

import contextlib
import gzip
import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.admin.feeds import UploadForm
from features.feed_files.readers import FORMATS, detect_format, read_feed
from features.feed_files.report import FeedBroken
from features.feeds import FeedReport, RawRow
from features.feeds.runs import load_file
from features.feeds.writer import LoadOptions
from features.management.commands.import_items import Command
from features.models import Feed, FeedRun
from tests.features.conftest import ROOT
from tracking.models import Site


def rows_of(data: bytes) -> tuple[list[RawRow], FeedReport]:
    report = FeedReport()
    return list(read_feed(io.BytesIO(data), report)), report


def test_csv_gives_rows_with_their_lines_and_refuses_the_bad_ones_alone() -> None:
    data = b'item_id;title;price\n1;"Two\nlines";3\n2;Torn\n3;\xff\xfe;4\n;;\n5;Too;many;cells\n4;Good;5\n'

    rows, report = rows_of(data)

    assert [(row.line, row.values["item_id"]) for row in rows] == [(2, "1"), (4, "2"), (5, "3"), (8, "4")]
    assert rows[0].values["title"] == "Two\nlines"
    assert rows[1].values == {"item_id": "2", "title": "Torn"}
    assert rows[2].values["title"] == "ÿþ"
    assert [(bad.line, bad.item_id) for bad in report.bad_rows] == [(7, "5")]


def test_an_empty_cell_says_nothing() -> None:
    rows, _ = rows_of(b"item_id,title,price\n1,,5\n")
    assert rows[0].values == {"item_id": "1", "price": "5"}


def test_json_lines_refuse_what_is_no_object() -> None:
    data = b'\xef\xbb\xbf{"item_id": "1", "price": null}\n\n[1]\n{"item_id"\n{"item_id": "2"}\n'

    rows, report = rows_of(data)

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
    rows, _ = rows_of(RSS)

    assert [row.line for row in rows] == [3, 5]
    assert rows[0].values == {"id": "1", "title": "Mug & spoon", "price": "5 EUR", "shipping": ""}
    assert rows[1].values == {"id": "2", "title": "Pan"}


def test_googles_id_comes_before_that_of_atom() -> None:
    entry = ATOM.replace(b"<entry>", b"<entry><id>tag:shop.example,2026:1</id>")

    rows, _ = rows_of(entry)

    assert rows[0].values["id"] == "1"


def test_atom_gives_the_address_of_its_link() -> None:
    rows, _ = rows_of(ATOM)
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
        rows_of(evil)


def test_an_item_that_is_no_xml_costs_no_other(db: None) -> None:
    site = Site.objects.create(slug="shop", name="Shop")
    torn = RSS.replace(b"Mug &amp; spoon</title>", b"Mug</titel>")

    run, report = load_file(site, io.BytesIO(torn), source="feed.xml")

    assert run.status == FeedRun.Status.DONE
    assert (report.created, report.rejected) == (1, 1)
    assert (report.bad_rows[0].line, report.bad_rows[0].item_id) == (3, "1")


@pytest.mark.parametrize("cut", [b"</channel></rss>", b"itle><![CDATA[Pan]]></title></item>\n</channel></rss>"])
def test_a_file_that_was_cut_short_keeps_what_came_before_and_fails(db: None, cut: bytes) -> None:
    site = Site.objects.create(slug="shop", name="Shop")

    run, report = load_file(
        site, io.BytesIO(RSS.removesuffix(cut)), source="feed.xml", options=LoadOptions(complete=True, is_strict=False)
    )

    assert run.status == FeedRun.Status.FAILED
    assert "cut short" in run.error
    assert report.created >= 1
    assert report.deactivated == 0


def test_gzip_is_unpacked_and_a_torn_one_is_named() -> None:
    packed = gzip.compress(b"item_id,title\n" + b"".join(b"%d,Item\n" % number for number in range(20_000)))

    rows, _ = rows_of(packed)
    assert len(rows) == 20_000
    with pytest.raises(FeedBroken, match="cannot be read to its end"):
        rows_of(packed[: len(packed) // 2])


@pytest.mark.parametrize("data", [b"", b"\n"])
def test_a_file_that_is_no_feed_is_refused_with_a_remedy(data: bytes) -> None:
    with pytest.raises(FeedBroken, match="item_id"):
        rows_of(data)


def test_what_is_no_text_is_named() -> None:
    with pytest.raises(FeedBroken, match="binary file"):
        rows_of(bytes(range(200)) * 20)


def test_a_page_of_html_is_named() -> None:
    with pytest.raises(FeedBroken, match="web page"):
        rows_of(b"<!DOCTYPE html><html><body>Please log in</body></html>")


@pytest.mark.slow
@given(st.binary(max_size=400), st.sampled_from([one.name for one in FORMATS]))
@settings(max_examples=300)
def test_no_bytes_make_a_reader_fail_in_another_way(data: bytes, file_format: str) -> None:
    with contextlib.suppress(FeedBroken):
        assert all(
            isinstance(row.values, dict) for row in read_feed(io.BytesIO(data), FeedReport(), file_format=file_format)
        )


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (" <rss>", "google_xml"), ('{"id":1}', "jsonl"), ("id\ttitle\n", "tsv"), ("id,title", "csv"),
        ('[{"id":1}]', "json"), ('{\n "products": [', "json"), ('{"products": [{"id": 1}]}', "json"),
        ('{"id": 1}\n{"id": 2}\n', "jsonl"), ('{"id" 1}\n{"id": 2}\n', "jsonl"),
    ],
)  # fmt: skip
def test_format_is_told_from_content(head: str, expected: str) -> None:
    assert detect_format(head) == expected


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


def test_the_documentation_lists_the_same_formats() -> None:
    page = (ROOT / "docs/catalogue.md").read_text()
    table = page.partition("## Formats")[2].partition("\n\n|")[0]
    said = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", table, re.M)

    assert said == [(one.name, one.words) for one in FORMATS]


def test_every_form_offers_every_format() -> None:
    names = [one.name for one in FORMATS]
    field = Feed._meta.get_field("file_format")

    assert [value for value, _ in field.flatchoices] == ["", *names]
    assert [value for value, _ in UploadForm.base_fields["file_format"].choices] == ["", *names]  # type: ignore[attr-defined]
    assert (
        Command()
        .create_parser("manage.py", "import_items")
        .parse_args(["--site", "shop", "x", "--format", names[-1]])
        .format
        == names[-1]
    )
    assert max(map(len, names)) <= (field.max_length or 0)
