"""``manage.py train`` takes what the policy says, lets options win, and ends with a version or with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from recommendations.management.commands.train import _settings
from recommendations.models import ModelVersion, TrainingPolicy
from tests.recommendations.conftest import Shop
from tracking.models import Site

NO_OPTIONS: dict[str, Any] = {
    "threads": 1, "quick": False, "tune_minutes": None, "margin_weight": None, "position_clip": None,
    "counts_products": None,
}  # fmt: skip


@pytest.mark.django_db
def test_the_policy_says_what_options_leave_open_and_a_zero_is_an_option() -> None:
    site = Site.objects.create(slug="policed", name="Policed")
    TrainingPolicy.objects.create(site=site, margin_weight=0.5, position_clip=10.0, counts_products=True)

    found = _settings(site, {**NO_OPTIONS, "margin_weight": 0.0, "threads": 3})

    assert [found.margin_weight, found.position_clip, found.tune_minutes, found.num_threads] == [0.0, 10.0, 0.0, 3]
    assert found.counts_products
    assert not _settings(site, {**NO_OPTIONS, "counts_products": False}).counts_products


@pytest.mark.django_db
def test_a_quick_training_is_smaller_in_every_respect() -> None:
    site = Site.objects.create(slug="hurried", name="Hurried")

    usual, quick = (_settings(site, {**NO_OPTIONS, "quick": quick}) for quick in (False, True))

    for name in ("factors", "als_iterations", "max_queries", "tuning_queries", "max_points", "trees"):
        assert getattr(quick, name) < getattr(usual, name), name


@pytest.mark.redis
def test_too_few_sessions_end_the_command_with_what_is_needed(shop: Shop, tmp_path: Path) -> None:
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text('["a", "b"]\n' * 5)

    with pytest.raises(CommandError, match="5 sessions with at most 2 interactions each are too few; 20 sessions"):
        call_command("train", site=shop.site.slug, sessions=sessions)

    assert not ModelVersion.objects.exists()


@pytest.mark.redis
@pytest.mark.slow
def test_a_file_of_sessions_becomes_a_version_that_waits_to_be_promoted(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sessions = tmp_path / "sessions.jsonl"
    sessions.write_text("\n".join(json.dumps([f"sku{n % 7}", f"sku{n % 7 + 1}", f"sku{n % 5}"]) for n in range(300)))

    call_command("train", sessions=sessions, quick=True, no_promote=True, threads=1)

    version = ModelVersion.objects.get()
    assert [version.site, version.status] == [shop.site, "candidate"]
    said = capsys.readouterr().out
    assert "fit: done" in said
    assert "✓ quality" in said
    assert f"{version.version}: candidate, after" in said
