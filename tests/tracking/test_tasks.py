"""Periodic work of tracking deletes what is old and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tracking import tasks
from tracking.models import DeadLetter, Site


@pytest.mark.django_db
def test_old_letters_are_deleted_and_others_stay() -> None:
    site = Site.objects.create(slug="shop", name="Shop")
    for days in (1, tasks.KEEP_DAYS - 1, tasks.KEEP_DAYS + 1):
        DeadLetter.objects.create(
            site=site, reason="invalid_event", raw=b"{}", key="shop/u:1", fingerprint=str(days),
            occurred_at=timezone.now() - timedelta(days=days),
        )  # fmt: skip

    tasks.forget_dead_letters()

    assert DeadLetter.objects.count() == 2
