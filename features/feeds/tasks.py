"""Periodic work: fetch the feeds that are due."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from features.feeds.runs import load_address
from features.isolation import isolated
from features.models import Feed


@shared_task(name="features.fetch_due_feeds", soft_time_limit=3_600)  # type: ignore[untyped-decorator]  # celery
def fetch_due_feeds() -> int:
    """Fetch every active feed whose time has come; return how many. Run it every minute.

    A feed is claimed by moving ``due_at`` on before it is fetched, so that two workers never fetch it at once.
    """
    fetched = 0
    now = timezone.now()
    for feed in (
        Feed.objects.filter(is_active=True, site__is_active=True, due_at__lte=now)
        .exclude(url="")
        .select_related("site")
    ):
        next_time = now + timedelta(minutes=feed.every_minutes)
        if Feed.objects.filter(pk=feed.pk, due_at=feed.due_at).update(due_at=next_time):
            with isolated("fetch-due-feeds", feed.site.slug):
                load_address(feed)
                fetched += 1
    return fetched
