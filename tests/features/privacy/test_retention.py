"""Profiles go by the age of their newest event, however many there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from features.definitions import DAY_MS
from features.models import StoredProfile
from features.privacy import retention
from features.tasks import sweep_erased
from tracking.models import Site

NOW_MS = 1_800_000_000_000


@pytest.mark.django_db
def test_old_profiles_are_forgotten_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    for days in range(20):
        newest_ms = NOW_MS - days * DAY_MS
        StoredProfile.objects.create(site=site, user_key=f"u:{days}", state=b"x", newest_ms=newest_ms)
    assert retention.forget_old_profiles(now_ms=NOW_MS, keep_days=9) == 10
    assert {row.user_key for row in StoredProfile.objects.all()} == {f"u:{days}" for days in range(10)}
    assert retention.forget_old_profiles(now_ms=NOW_MS, keep_days=9) == 0


@pytest.mark.django_db
def test_the_nightly_task_forgets_them(settings: Any, tmp_path: Path) -> None:
    settings.ARCHIVE_URL = str(tmp_path)
    site = Site.objects.create(slug="shop", name="Shop", currency="EUR")
    StoredProfile.objects.create(site=site, user_key="u:1", state=b"x", newest_ms=0)
    settings.PROFILE_RETENTION_DAYS = 400
    sweep_erased()
    assert StoredProfile.objects.count() == 0
