"""What happens while nobody looks: days are noted, harm ends; from what stands in a real Redis."""

from __future__ import annotations

import pytest

from recommendations.experiments.watching import watch_site
from recommendations.models import Arm, Experiment, ExperimentDay, HoldOut
from recsite.demo.experiments import ensure_experiments
from tests.recommendations.conftest import Shop
from tracking.redis_client import connect

pytestmark = pytest.mark.redis


def test_a_running_experiment_gets_a_row_of_today_and_an_empty_one_none(shop: Shop) -> None:
    client = connect(shop.redis_url, timeout_s=2)
    ensure_experiments(shop.site, client)
    client.close()
    empty = Experiment.objects.create(site=shop.site, name="Empty", status=Experiment.Status.RUNNING)
    for name in ("Control", "New"):
        Arm.objects.create(experiment=empty, name=name)
    running = Experiment.objects.exclude(pk=empty.pk).get(site=shop.site, status=Experiment.Status.RUNNING)
    before = ExperimentDay.objects.filter(experiment=running).count()
    HoldOut.objects.filter(site=shop.site).update(ends_itself=True)

    watch_site(shop.site)
    watch_site(shop.site)

    assert ExperimentDay.objects.filter(experiment=running).count() == before + 1
    assert not ExperimentDay.objects.filter(experiment=empty).exists()
    assert HoldOut.objects.get(site=shop.site).is_active  # the site's own has nothing to withdraw
