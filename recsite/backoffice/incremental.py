"""What recommendations bring, by the site's hold-out, and experiments that are decided; for the home page."""

from __future__ import annotations

from typing import Any

import redis
from django.urls import reverse
from django.utils.translation import gettext as _

from features.store import connections
from features.store.arm_sums import read_arm_sums
from recommendations.experiments import lifecycle
from recommendations.experiments.guardrails import alarms_of, guardrails_of
from recommendations.experiments.served import read_served
from recommendations.models import Experiment, HoldOut, Metric
from recsite.backoffice.attention import Task
from tracking.models import Site
from tracking.templatetags.written import amount, day


def incremental(site: Site, client: redis.Redis) -> dict[str, Any] | None:
    """Return the revenue that the site's hold-out shows to be brought since it began; None where none runs.

    The interval is the hold-out's own, anytime-valid: it may be looked at as often as one likes.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    held = HoldOut.objects.filter(site=site, is_active=True, rule=None, campaign=None).first()
    if held is None:
        return None
    totals = read_arm_sums(client, site.slug, held.key, partitions=connections.partitions())
    found = lifecycle.hold_out_results(held, totals)
    reading, visitors = found.readings[0][Metric.REVENUE], found.visitors[1]
    link = reverse("admin:recommendations_holdout_results", args=[held.pk])
    since = day(held.started_at.astimezone(site.zone))
    if found.has_wrong_split:
        return {"value": "!", "note": _("Visitors are not split as planned: look at the hold-out."), "link": link}
    if not reading.is_known:
        return {"value": _("too early"), "note": _("The hold-out runs since %(day)s.") % {"day": since}, "link": link}

    def brought(lift: float) -> str:
        return amount(round(lift * reading.control * visitors), site.currency)

    return {
        "value": f"{site.currency} {brought(reading.lift)}",
        "note": _("since %(day)s, between %(low)s and %(high)s")
        % {"day": since, "low": brought(reading.lower), "high": brought(reading.upper)},
        "link": link,
    }


def decided(site: Site, client: redis.Redis) -> list[Task]:
    """Return a thing to do for each running experiment that is decided, split wrongly, or that does harm."""
    tasks = []
    for experiment in Experiment.objects.filter(site=site, status=Experiment.Status.RUNNING).prefetch_related("arms"):
        totals = lifecycle.read_totals(client, experiment, partitions=connections.partitions())
        found = lifecycle.results(experiment, totals)
        metric = Metric(experiment.metric)
        verdicts = {reading[metric].verdict for reading in found.readings}
        served = read_served(client, site.slug, experiment.key)
        guards = guardrails_of(totals, served, n_arms=len(found.visitors))
        alarms = alarms_of(guards, [arm.name for arm in experiment.arms.all()])
        if found.has_wrong_split:
            problem, what = (
                _("wrong split"),
                _("Its visitors are not split as planned; nothing it says can be trusted."),
            )
            remedy = _("Stop it, and find out which page or cache shows one arm more often.")
        elif alarms:
            problem, what, remedy = _("guardrail broken"), alarms[0].what, alarms[0].remedy
        elif "better" in verdicts:
            problem, what = _("decided"), _("An arm is better than the control.")
            remedy = _("Ship it with one click, or stop the experiment.")
        elif verdicts == {"worse"}:
            problem, what = _("decided"), _("Every arm is worse than the control.")
            remedy = _("Stop it: more visitors only lose more.")
        else:
            continue
        tasks.append(
            Task(
                tone="warn",
                subject=experiment.name,
                problem=problem,
                what=what,
                remedy=remedy,
                link=reverse("admin:recommendations_experiment_change", args=[experiment.pk]),
            )
        )
    return tasks
