"""Feeds that are due."""

from __future__ import annotations

from features.feeds.tasks import fetch_due_feeds
from features.models import Feed, FeedRun, Item
from tracking.models import Site


def test_due_feeds_are_fetched_once(site: Site, feed_server: str, loopback_counts_as_public: None) -> None:
    Feed.objects.create(site=site, name="Ours", url=f"{feed_server}/to/{feed_server}/feed.jsonl", every_minutes=60)
    Feed.objects.create(site=site, name="Off", url=f"{feed_server}/feed.jsonl", is_active=False)

    assert (fetch_due_feeds(), fetch_due_feeds()) == (1, 0)
    assert Item.objects.get().title == "Mug"
    assert FeedRun.objects.get().status == FeedRun.Status.DONE
