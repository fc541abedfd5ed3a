"""Policies and runs of trainings as the admin shows them."""

from __future__ import annotations

from typing import Any

import pytest

from recommendations.models import TrainingPolicy, TrainingRun
from recommendations.release import train
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis
TRAINING_FIELDS = (
    *("hour", "max_age_hours", "margin_weight", "position_clip", "tune_minutes", "latency_ms"),
    *("memory_mb", "keep_versions"),
)


def test_the_admin_shows_policies_and_runs(shop: Shop, admin_client: Any) -> None:
    policy = TrainingPolicy.objects.create(site=shop.site)
    TrainingRun.objects.create(site=shop.site, step="fit on all", step_done=3, step_total=7)

    runs = admin_client.get("/admin/recommendations/trainingrun/").content.decode()
    page = admin_client.get(f"/admin/recommendations/trainingpolicy/{policy.pk}/change/").content.decode()
    listed = admin_client.get("/admin/recommendations/trainingpolicy/").content.decode()

    assert "fit on all 3/7" in runs
    assert "Save and train now" in page
    assert "Last training" in listed


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("margin_weight", "1.5", "less than or equal to 1"),
        ("position_clip", "0.5", "Give 0 for no correction, or a factor above 1"),
        ("tune_minutes", "90", "less than or equal to 60"),
        ("latency_ms", "0", "greater than or equal to 0.1"),
    ],
)
def test_the_policy_refuses_what_training_would_refuse(
    shop: Shop, admin_client: Any, field: str, value: str, said: str
) -> None:
    policy = TrainingPolicy.objects.create(site=shop.site)
    page = f"/admin/recommendations/trainingpolicy/{policy.pk}/change/"
    form = {name: str(getattr(policy, name)) for name in TRAINING_FIELDS}

    refused = admin_client.post(page, {**form, field: value}).content.decode()
    taken = admin_client.post(page, {**form, "position_clip": "10", "margin_weight": "0.25", "counts_products": "on"})

    assert said in refused
    assert taken.status_code == 302
    policy.refresh_from_db()
    found = train.settings_of(policy)
    assert [found.position_clip, found.margin_weight, found.tune_minutes] == [10, 0.25, 0]
    assert found.counts_products
