"""XML feeds: what is no XML costs its item, characters that HTML names are read, entities are not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.feed_files.report import FeedBroken
from tests.features.feed_files import writing
from tests.features.feed_files.test_tables import PRODUCTS, ROWS
from tests.features.feed_files.writing import Write, items_in

FEED = '<?xml version="1.0"?><rss xmlns:g="http://base.google.com/ns/1.0"><channel>{}</channel></rss>'


def titles_of(*items: str) -> list[str]:
    found, _ = items_in(
        FEED.format("".join(f"<item><g:id>{n}</g:id>{one}</item>" for n, one in enumerate(items))).encode()
    )
    return [item.get("title", "") for item in found.values()]


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Caf&eacute;&nbsp;cup", "Café cup"), ("Salt & pepper", "Salt & pepper"),
        ("Salt &amp;amp; pepper", "Salt & pepper"),
        ("5 < 6", "5 < 6"),
        ("<![CDATA[Cups &amp; <b>plates</b>]]>", "Cups & plates"), ("A&#3;B", "A B"),
        ("A\x0bB", "A B"), ("AT&T", "AT&T"), ("&unknown; pan", "&unknown; pan"), ("<b>Bold</b> mug", "Bold mug"),
        ("Pan<!-- old -->", "Pan"),
    ],
)  # fmt: skip
def test_titles_are_read_as_a_person_would(written: str, title: str) -> None:
    assert titles_of(f"<title>{written}</title>", "<title>Next</title>") == [title, "Next"]


def test_items_in_comments_are_none() -> None:
    assert titles_of(
        "<title>A</title></item><!-- <item><g:id>x</g:id></item> --><item><g:id>y</g:id><title>B</title>"
    ) == [
        "A",
        "B",
    ]


def test_prefixes_that_nobody_declared_are_read() -> None:
    assert titles_of("<g:title>A</g:title><c:note xlink:href='x'>?</c:note>") == ["A"]


@pytest.mark.slow
@given(
    st.sampled_from([writing.google_rss, writing.google_atom, writing.yml]), st.integers(0, len(ROWS) - 1), st.data()
)
@settings(max_examples=300, deadline=None)
def test_damage_to_one_item_costs_at_most_that_item(write: Write, number: int, data: st.DataObject) -> None:
    text = write(PRODUCTS)
    lines = text.splitlines(keepends=True)
    index = next(index for index, line in enumerate(lines) if ROWS[number] in line)
    line = lines[index].removesuffix("\n")
    at = data.draw(st.integers(8, len(line)))
    cut = data.draw(st.integers(0, 9))
    put_in = data.draw(
        st.sampled_from(["", "<", ">", "&", "</", "<b>", "\x02", "]]>", "<![CDATA[", '"', "&#0;", "<!--"])
    )
    lines[index] = line[:at] + put_in + line[at + cut :] + "\n"

    whole, _ = items_in(text.encode())
    found, _ = items_in("".join(lines).encode())

    others = {name: item for name, item in whole.items() if name != ROWS[number]}
    assert {name: found.get(name) for name in others} == others


def test_a_comment_that_never_ends_hides_nothing() -> None:
    text = writing.google_rss(PRODUCTS)
    whole, _ = items_in(text.encode())
    for at in (text.index("<item>"), text.index("</item>") + len("</item>"), text.rindex("</item>") + len("</item>")):
        found, report = items_in(f"{text[:at]}<!--{text[at:]}".encode())
        assert found == whole
        assert "comments that never end were skipped" in str(report.mended)


def test_categories_of_yml_become_paths() -> None:
    items, _ = items_in(writing.yml(PRODUCTS[:1]).encode())

    assert items[ROWS[0]]["category"] == "Kitchen > Mugs"


def test_entities_of_the_file_are_never_read() -> None:
    with pytest.raises(FeedBroken, match="declares entities"):
        items_in(b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss><item><id>&a;</id></item></rss>')


def test_xml_without_items_is_named() -> None:
    with pytest.raises(FeedBroken, match="holds no <item>"):
        items_in(b'<?xml version="1.0"?><rss><channel/></rss>')
