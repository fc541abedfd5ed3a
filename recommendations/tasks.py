"""Periodic work on model versions: trainings in turn, and checks of what is live. Each task may run twice at once."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from features.exceptions import StoreUnavailable
from recommendations.models import TrainingRun
from recommendations.monitoring.model_health import check_site
from recommendations.release import runs
from recommendations.release.lock import AlreadyTraining, is_training
from tracking.models import Site

logger = logging.getLogger(__name__)

EXPIRES_S = 540
CHECK_EXPIRES_S = 3000


@shared_task(name="recommendations.train_due_sites")  # type: ignore[untyped-decorator]  # celery ships no types
def train_due_sites() -> None:
    """Begin the training that has waited longest, if none runs; every ten minutes."""
    try:
        if is_training():
            return
    except StoreUnavailable as error:
        logger.warning("tasks.training_delayed error=%s", error)
        return
    for site in runs.due_sites(timezone.now())[:1]:
        train_site.apply_async((site.slug,), expires=EXPIRES_S)  # what did not begin by then is asked for again


@shared_task(name="recommendations.train_site", acks_late=False)  # type: ignore[untyped-decorator]
def train_site(slug: str, trigger: str = TrainingRun.Trigger.SCHEDULE) -> None:
    """Train one site, unless another training runs, or this one's turn has been taken meanwhile.

    Acknowledged before it begins: a worker that died of it does not start it again and again.
    """
    site = Site.objects.filter(slug=slug, is_active=True).first()
    if site is None:
        logger.warning("tasks.training_of_unknown_site site=%s", slug)
        return
    if trigger == TrainingRun.Trigger.SCHEDULE and site not in runs.due_sites(timezone.now()):
        return
    try:
        runs.train_in_process(site, trigger=TrainingRun.Trigger(trigger))
    except (AlreadyTraining, StoreUnavailable) as error:
        logger.warning("tasks.training_delayed site=%s error=%s", slug, error)


@shared_task(name="recommendations.check_health")  # type: ignore[untyped-decorator]
def check_health() -> None:
    """Have the live version of every site checked, each by a task of its own; every hour."""
    for slug in Site.objects.filter(is_active=True).values_list("slug", flat=True):
        check_site_health.apply_async((slug,), expires=CHECK_EXPIRES_S)


@shared_task(name="recommendations.check_site_health")  # type: ignore[untyped-decorator]
def check_site_health(slug: str) -> None:
    """Check the live version of one site."""
    check_site(Site.objects.get(slug=slug))
