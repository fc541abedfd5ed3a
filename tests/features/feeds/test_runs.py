"""One load of a feed, recorded with what became of it."""

from __future__ import annotations

import io

import pytest

from features.feeds.runs import load_address, load_file
from features.models import Feed, FeedRun, Item
from tracking.models import Site


def test_a_feed_that_cannot_be_fetched_says_why(site: Site) -> None:
    feed = Feed.objects.create(site=site, name="Ours", url="http://127.0.0.1:9/feed.csv")

    run = load_address(feed)

    assert run.status == FeedRun.Status.FAILED
    assert "private address" in run.error


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"id,title,price\n", "holds no items"), (b"[]", "holds no items"),
        (b"Datum,Betreff\n1.1.2026,Hallo\n", "no column is known as the item's id"),
        (b"id,title,Preis\n1,Mug,9\n", "the price was not understood"),
        (b'id,title,price\n1,Mug,"1,299"\n2,Pan,"2,399"\n', "none of 2 rows was taken; line 2: price='1,299'"),
        (b"%PDF-1.7", "is a PDF document"),
    ],
)  # fmt: skip
def test_a_file_of_which_nothing_was_taken_has_failed(site: Site, data: bytes, said: str) -> None:
    run, _ = load_file(site, io.BytesIO(data), source="feed")

    assert run.status == FeedRun.Status.FAILED
    assert said in run.error
    assert not Item.objects.exists()
