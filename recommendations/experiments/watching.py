"""What is done with experiments and hold-outs while nobody looks: the chart's days, and the end of what does harm."""

from __future__ import annotations

from django.utils import timezone

from features.store import connections
from features.store.arm_sums import read_arm_sums
from recommendations.experiments import lifecycle
from recommendations.models import Experiment, HoldOut
from tracking.models import Site


def watch_site(site: Site) -> None:
    """Note what the site's running experiments say today, and end hold-outs of what does harm.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable; the next run does it.
    """
    client, partitions = connections.client(), connections.partitions()
    for experiment in Experiment.objects.filter(site=site, status=Experiment.Status.RUNNING):
        totals = lifecycle.read_totals(client, experiment, partitions=partitions)
        if totals:
            lifecycle.note_day(experiment, totals, timezone.now().date())
    for held in HoldOut.objects.filter(site=site, is_active=True, ends_itself=True):
        lifecycle.end_harmful(held, read_arm_sums(client, site.slug, held.key, partitions=partitions))
