"""Addresses of pages and pictures: put right where that is clear, else refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.feed_files.report import FeedReport
from features.feeds.addresses import as_address
from features.feeds.mends import BadValue, Mends


def mended(value: object) -> str:
    return as_address("image_url", value, mends=Mends(FeedReport(), 1))


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("https://shop.example/a.jpg", "https://shop.example/a.jpg"), ("//cdn.example/a.jpg", "https://cdn.example/a.jpg"),
        ("www.shop.example/p/1", "https://www.shop.example/p/1"), ("shop.example", "https://shop.example"),
        ("HTTP://shop.example/A", "http://shop.example/A"), ("/p/3", "/p/3"), ("", ""),
        ("https:/shop.example/a", "https://shop.example/a"), ("https://shop.example/a b", "https://shop.example/a%20b"),
        ("https://shop.example/größe", "https://shop.example/gr%C3%B6%C3%9Fe"),
        ("https://shop.example/a%20b?x=1&amp;y=2", "https://shop.example/a%20b?x=1&y=2"),
        ("https://shop.example/{w}/a.jpg", "https://shop.example/{w}/a.jpg"),
        ("https://a.example/1.jpg,https://a.example/2.jpg", "https://a.example/1.jpg"),
        ("https://a.example/w_1,h_2/1.jpg | https://a.example/2.jpg", "https://a.example/w_1,h_2/1.jpg"),
        (["https://a.example/1.jpg", "https://a.example/2.jpg"], "https://a.example/1.jpg"),
    ],
)  # fmt: skip
def test_an_address_is_put_right(written: object, address: str) -> None:
    assert mended(written) == address


@pytest.mark.parametrize(
    "written",
    ["images/3.jpg", "3.jpg", "javascript:alert(1)", "data:image/png;base64,AA", "ftp://a.example/1", "https://", "n/a",
     "https://two words/a", "https://[::1", "https://a.example:99999/", "https://a.example/" + "x" * 2_001],
)  # fmt: skip
def test_what_is_none_is_refused(written: str) -> None:
    with pytest.raises(BadValue):
        mended(written)


@given(st.text(max_size=60))
def test_what_is_taken_needs_no_further_mending(written: str) -> None:
    try:
        address = mended(written)
    except BadValue:
        return

    assert not address or address.startswith(("http://", "https://", "/"))
    assert mended(address) == address
