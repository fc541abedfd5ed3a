"""What is served for an arm is counted on Redis, list by list; nobody waits for it."""

from __future__ import annotations

import asyncio

import pytest
from django.conf import settings

from features.exceptions import StoreUnavailable
from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.experiments.running import watch_experiments
from recommendations.experiments.served import Served, ServedCounter, group_of, read_served, served_counter
from recommendations.experiments.statistics.guardrails import GROUPS
from recommendations.models import Arm, Experiment, Placement
from recommendations.pipeline.query import ListQuery
from recommendations.serving.service import make_lists
from tests.recommendations.conftest import Shop
from tracking.redis_client import connect

pytestmark = pytest.mark.redis


@pytest.fixture
def experiment(shop: Shop) -> Experiment:
    for number in range(6):
        shop.add(f"thing{number}", category=f"Kind {number % 3}", brand="Acme")
    row = Experiment.objects.create(site=shop.site, name="Try", status=Experiment.Status.RUNNING)
    row.placements.set(Placement.objects.filter(site=shop.site, name="home_for_you"))
    Arm.objects.create(experiment=row, name="Control")
    Arm.objects.create(experiment=row, name="Fancy", size=3)
    return row


def test_lists_of_an_arm_are_counted_with_time_and_difference(shop: Shop, experiment: Experiment) -> None:
    state = shop.load()
    watch_experiments(shop.site.slug).reload()
    queries = [
        ListQuery(placement=state.placements.by_name[name], limit=6) for name in ("home_for_you", "home_new")
    ]  # fmt: skip
    users = [f"u:user-{number}" for number in range(30)]
    arms: dict[int, int] = {}
    for user in users:
        results = asyncio.run(make_lists(state, queries, RequestUser(key=user), deadline=Deadline.after(5_000.0)))
        arm = dict(results[0].query.arms)[experiment.key]
        arms[arm] = arms.get(arm, 0) + 1
    served_counter.flush()

    with connect(settings.REDIS_URL, timeout_s=2) as client:
        found = read_served(client, shop.site.slug, experiment.key)
    assert {arm: int(served.lists.sum()) for arm, served in found.items()} == arms
    assert all(served.micros.sum() > 0 for served in found.values())
    assert all(0 < served.difference.sum() < 1_000 * served.compared.sum() for served in found.values())
    groups = [group_of(shop.site.slug, user) for user in users]
    assert sum(served.lists for served in found.values()).tolist() == [groups.count(each) for each in range(GROUPS)]


def test_what_redis_did_not_take_is_written_when_it_is_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = ServedCounter()
    one = Served(shop.site.slug, "e7", 1, 3, (1, 1, 40_000, 1, 500))
    counter.put_all([one, one])
    with monkeypatch.context() as changed:
        changed.setattr(settings, "REDIS_URL", "redis://127.0.0.1:1/0")
        with pytest.raises(Exception, match=r"127\.0\.0\.1:1"):
            counter.flush()
        with connect(settings.REDIS_URL, timeout_s=0.5) as client, pytest.raises(StoreUnavailable):
            read_served(client, shop.site.slug, "e7")
    counter.flush()
    with connect(settings.REDIS_URL, timeout_s=2) as client:
        found = read_served(client, shop.site.slug, "e7")[1]
    assert (int(found.lists[3]), int(found.slow[3]), int(found.micros[3])) == (2, 2, 80_000)
