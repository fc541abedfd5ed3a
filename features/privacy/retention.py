"""How long the database keeps the profiles of users who do not come back."""

from __future__ import annotations

from typing import Final

from features.definitions import DAY_MS
from features.models import StoredProfile

BATCH: Final = 1_000
"""Rows of one statement: a table of millions is never locked for long."""


def forget_old_profiles(*, now_ms: int, keep_days: int) -> int:
    """Delete the stored profiles whose newest event is older than ``keep_days``; return how many."""
    old = StoredProfile.objects.filter(newest_ms__lt=now_ms - keep_days * DAY_MS).order_by("pk")
    forgotten = 0
    while found := list(old.values_list("pk", flat=True)[:BATCH]):
        deleted, _ = StoredProfile.objects.filter(pk__in=found).delete()
        forgotten += deleted
    return forgotten
