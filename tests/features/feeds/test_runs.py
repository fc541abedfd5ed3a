"""One load of a feed, recorded with what became of it."""

from __future__ import annotations

from features.feeds.runs import load_address
from features.models import Feed, FeedRun
from tracking.models import Site


def test_a_feed_that_cannot_be_fetched_says_why(site: Site) -> None:
    feed = Feed.objects.create(site=site, name="Ours", url="http://127.0.0.1:9/feed.csv")

    run = load_address(feed)

    assert run.status == FeedRun.Status.FAILED
    assert "private address" in run.error
