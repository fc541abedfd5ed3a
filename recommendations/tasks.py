"""Periodic work on model versions: trainings in turn, and checks of what is live. Each task may run twice at once."""

from __future__ import annotations

import logging
import threading
import time

from celery import shared_task
from django.utils import timezone

from features.exceptions import StoreUnavailable
from features.isolation import isolated
from recommendations.exceptions import EncoderRefused
from recommendations.models import TrainingRun
from recommendations.monitoring.model_health import check_site
from recommendations.release import runs
from recommendations.release.lock import AlreadyTraining, is_training
from recommendations.reports.mails import send_due
from recommendations.reports.rollup import roll_up
from tracking.models import Site

logger = logging.getLogger(__name__)

EXPIRES_S = 540
CHECK_EXPIRES_S = 3000
ROLLED_AT_ONCE = 10
"""Days of a site that are made in one go: about half a second each in the demo, more where there is more."""
ROLLED_FOR_S = 20.0
"""How long one run makes days of a site of which more wait; then comes the next site, and the next minute."""

_rolling = threading.Lock()


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


@shared_task(name="recommendations.roll_up_reports")  # type: ignore[untyped-decorator]
def roll_up_reports() -> None:
    """Bring the reports of every site up to date, the newest days first, for so long a run; every minute."""
    if not _rolling.acquire(blocking=False):
        return
    try:
        for site in Site.objects.filter(is_active=True):
            with isolated("roll-up-reports", site.slug):
                until_s = time.monotonic() + ROLLED_FOR_S
                while roll_up(site, most_days=ROLLED_AT_ONCE) == ROLLED_AT_ONCE and time.monotonic() < until_s:
                    pass
    except (StoreUnavailable, OSError) as error:
        logger.warning("tasks.roll_up_delayed error=%s", error)
    finally:
        _rolling.release()


@shared_task(name="recommendations.refresh_content")  # type: ignore[untyped-decorator]
def refresh_content() -> None:
    """Read the texts of what changed in each site's catalogue, so that new items are like others; every five minutes.

    A configured encoder that cannot be used is said in the log of each run; the tables that are there stay.
    """
    from recommendations.release.content import refresh_content as refresh  # scipy: no other task needs it

    for site in Site.objects.filter(is_active=True):
        with isolated("refresh-content", site.slug):
            try:
                refresh(site)
            except EncoderRefused as error:
                logger.error("tasks.encoder_refused site=%s error=%s", site.slug, error)


@shared_task(name="recommendations.mail_reports")  # type: ignore[untyped-decorator]
def mail_reports() -> None:
    """Send the saved views that are due; every five minutes."""
    if sent := send_due():
        logger.info("tasks.reports_mailed views=%s", sent)


@shared_task(name="recommendations.watch_experiments")  # type: ignore[untyped-decorator]
def watch_experiments() -> None:
    """Note what experiments say today, and withdraw what hold-outs show to do harm; every quarter of an hour."""
    from recommendations.experiments.watching import watch_site  # scipy: no task before needs it

    for site in Site.objects.filter(is_active=True):
        with isolated("watch-experiments", site.slug):
            watch_site(site)
