"""The pages of experiments and hold-outs, as staff click through them."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from recommendations.experiments.guardrails import Guard
from recommendations.experiments.served import Served, ServedCounter
from recommendations.experiments.statistics.guardrails import GROUPS
from recommendations.models import Arm, Experiment, HoldOut, Placement, Rule
from recsite.demo.experiments import ensure_experiments
from tests.recommendations.conftest import Shop
from tracking.models import Membership
from tracking.redis_client import connect

pytestmark = pytest.mark.redis


def _form(shop: Shop) -> dict[str, object]:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    arms = {"arms-TOTAL_FORMS": "2", "arms-INITIAL_FORMS": "0", "arms-MIN_NUM_FORMS": "2", "arms-MAX_NUM_FORMS": "9"}
    for number, name in enumerate(("Control", "New")):
        arms |= {f"arms-{number}-name": name, f"arms-{number}-weight": "50"}
    return {
        "site": shop.site.pk, "name": "Heading", "hypothesis": "", "placements": [placement.pk], "metric": "clicks",
        "minimum_lift": "5", "share": "100", "audience": "all", "segments": "champions\nloyal", "devices": "mobile",
        "locales": "", "group": "", "group_share": "50", "arms-1-heading": "Hello", **arms,
    }  # fmt: skip


def test_an_experiment_is_made_started_and_shipped(shop: Shop, admin: Client) -> None:
    assert b"No experiments yet" in admin.get(reverse("admin:recommendations_experiment_changelist")).content
    made = admin.post(reverse("admin:recommendations_experiment_add"), _form(shop))
    experiment = Experiment.objects.get(site=shop.site)
    page = reverse("admin:recommendations_experiment_results", args=[experiment.pk])
    assert made.headers["Location"] == page

    assert "How long it takes" in admin.get(page).content.decode()
    admin.post(page, {"do": "start"})
    assert "Nobody has seen it yet" in admin.get(page).content.decode()
    admin.post(page, {"do": "ship", "arm": str(experiment.arms.last().pk)})  # type: ignore[union-attr]

    experiment.refresh_from_db()
    assert experiment.status == Experiment.Status.SHIPPED
    assert Placement.objects.get(site=shop.site, name="home_for_you").heading == "Hello"
    assert admin.get(reverse("admin:recommendations_experiment_change", args=[experiment.pk])).status_code == 200


def test_a_share_only_grows_and_devices_are_those_of_requests(shop: Shop, admin: Client) -> None:
    add = reverse("admin:recommendations_experiment_add")
    refused = admin.post(add, {**_form(shop), "devices": "phone"})
    assert "no device; choose of desktop, mobile" in refused.content.decode().replace("&#x27;", "'")
    admin.post(add, {**_form(shop), "share": "50"})
    experiment = Experiment.objects.get(site=shop.site)
    assert [experiment.segments, experiment.devices, experiment.locales] == [["champions", "loyal"], ["mobile"], []]
    admin.post(reverse("admin:recommendations_experiment_results", args=[experiment.pk]), {"do": "start"})
    change = reverse("admin:recommendations_experiment_change", args=[experiment.pk])
    arms = {"arms-TOTAL_FORMS": "0", "arms-INITIAL_FORMS": "0"}
    fields = {"name": "Heading", "hypothesis": "", "minimum_lift": "5", **arms}
    assert "can only grow" in admin.post(change, {**fields, "share": "20"}).content.decode()
    admin.post(change, {**fields, "share": "80"})
    experiment.refresh_from_db()
    assert experiment.share == 80


def test_nothing_is_decided_of_what_does_not_run(shop: Shop, admin: Client) -> None:
    experiment = Experiment.objects.create(site=shop.site, name="Draft")
    page = reverse("admin:recommendations_experiment_results", args=[experiment.pk])
    for what in ("stop", "ship"):
        assert b"It does not run" in admin.post(page, {"do": what}, follow=True).content
    assert b"at least two arms" in admin.post(page, {"do": "start"}, follow=True).content


def test_the_demos_experiments_and_hold_out_have_figures(shop: Shop, admin: Client) -> None:
    client = connect(shop.redis_url, timeout_s=2)
    assert ensure_experiments(shop.site, client) == 3
    assert ensure_experiments(shop.site, client) == 0
    client.close()
    running = Experiment.objects.get(site=shop.site, status=Experiment.Status.RUNNING)
    shipped = Experiment.objects.get(site=shop.site, status=Experiment.Status.SHIPPED)
    held = HoldOut.objects.get(site=shop.site)

    said = {
        name: admin.get(reverse(f"admin:recommendations_{name}_results", args=[pk])).content.decode()
        for name, pk in (("experiment", running.pk), ("holdout", held.pk))
    }
    ended = admin.get(reverse("admin:recommendations_experiment_results", args=[shipped.pk])).content.decode()

    for one in (running, shipped):
        page = admin.get(reverse("admin:recommendations_experiment_results", args=[one.pk]))
        rows = page.context["guard_rows"]
        assert len(rows) == len(Guard)
        assert not any(row["is_harm"] for row in rows)
        assert all(row["interval"] != "too few visitors" for row in rows), rows
    assert "Shoppers are split as planned" in said["experiment"]
    assert "ship it" in ended
    assert "brings between" in said["holdout"]
    assert running.days.count() == 14
    assert "too early" not in admin.get(reverse("admin:recommendations_holdout_changelist")).content.decode()


def test_a_hold_out_of_a_rule_of_another_site_is_refused(shop: Shop, admin: Client) -> None:
    rule = Rule.objects.create(site=shop.site, name="Mine", brands=["Acme"])
    add = reverse("admin:recommendations_holdout_add")
    assert admin.get(add).status_code == 200
    fields = {"site": shop.site.pk, "rule": rule.pk, "percent": "5", "metric": "revenue", "is_active": "on"}
    admin.post(add, fields)
    held = HoldOut.objects.get(site=shop.site)
    assert (held.rule, held.percent) == (rule, 5)
    assert "Too early" in admin.get(reverse("admin:recommendations_holdout_results", args=[held.pk])).content.decode()


def test_the_page_of_an_experiment_names_the_arm_that_does_harm(shop: Shop, admin: Client) -> None:
    experiment = Experiment.objects.create(site=shop.site, name="Try", status=Experiment.Status.RUNNING)
    for name in ("Control", "Fancy"):
        Arm.objects.create(experiment=experiment, name=name)
    counter = ServedCounter()
    for group in range(GROUPS):
        for arm, slow in ((0, 0), (1, 1)):
            counter.put_all([Served(shop.site.slug, experiment.key, arm, group, (1, slow, 9_000, 1, 500))] * 10)
    counter.flush()

    page = admin.get(reverse("admin:recommendations_experiment_results", args=[experiment.pk])).content.decode()
    home = admin.get(reverse("admin:index")).content.decode()

    said = page.partition("“Fancy” is slow: ")[2].partition("</p>")[0]
    assert said.startswith("100.0 % of its lists take longer than")
    assert "in the control, 0.0 % do" in said
    assert "lighter model or strategy" in said
    assert "guardrail broken" in home


def test_whoever_may_only_look_reads_any_for_an_empty_audience(shop: Shop) -> None:
    experiment = Experiment.objects.create(site=shop.site, name="Try", devices=["mobile", "tablet"])
    user = get_user_model().objects.create_user("vera", is_staff=True)
    Membership.objects.create(site=shop.site, user=user, role=Group.objects.get(name="Viewer"))
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    page = client.get(reverse("admin:recommendations_experiment_change", args=[experiment.pk])).content.decode()
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for label, value in (("Segments", "any"), ("Devices", "mobile, tablet")):
        assert re.search(rf"{label} (?:[^.]*\. )?{value}", said), said[said.rindex(label) :][:300]
    assert "[ ]" not in said
    assert "[]" not in said
