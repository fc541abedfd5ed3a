"""One training in a process of its own: never two at once, bounded in memory and time, watched while it runs.

Memory and time are looked at every ``BEAT_S``; between two looks a training may exceed its limit.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.db import connection
from django.utils import timezone

from features.exceptions import StoreUnavailable
from features.isolation import isolated
from recommendations import metrics
from recommendations.models import ModelVersion, TrainingPolicy, TrainingRun
from recommendations.ranking.columns import COLUMNS
from recommendations.release.lock import LOCK_TTL_S, LockLost, TrainingLock
from recommendations.release.memory import MemoryExceeded, peak_memory_mb
from recommendations.training.stages import MAX_AGE_S
from tracking.models import Site

logger = logging.getLogger(__name__)

BEAT_S: Final = 1.0
TIMEOUT_S: Final = 150 * 60.0
"""Below the time limit of Celery's tasks, so that it is we who end a training, and say why."""
STOP_S: Final = 10.0
MAX_STARTS: Final = 3
"""Of a site's training within the time that results of stages are kept."""
_ROOT: Final = Path(__file__).resolve().parents[2]


def is_due(policy: TrainingPolicy, *, now: datetime, last_started_at: datetime) -> bool:
    """Return whether the policy's hour has come since the last training began (or the site was made)."""
    hour = now.replace(hour=policy.hour, minute=0, second=0, microsecond=0)
    if hour > now:
        hour -= timedelta(days=1)
    return policy.auto_train and last_started_at < hour


def due_sites(now: datetime) -> list[Site]:
    """Return active sites whose training is due, the one that has waited longest first.

    A site whose last run was stopped with its task worker is due at once: what that run had finished is kept. So is one
    whose live ranker was trained by a release with other columns, if the site is trained by itself at all. Ask while no
    training holds the lock.
    """
    waiting: list[tuple[datetime, str, Site]] = []
    for site in Site.objects.filter(is_active=True):
        with isolated("train-due-sites", site.slug):
            policy, _ = TrainingPolicy.objects.get_or_create(site=site)
            last = TrainingRun.objects.filter(site=site).first()
            started_at = last.started_at if last is not None else site.created_at
            if (
                is_due(policy, now=now, last_started_at=started_at)
                or (last is not None and _was_stopped(last, now))
                or (policy.auto_train and _is_of_another_release(site, now))
            ):
                waiting.append((started_at, site.slug, site))
    return [site for _, _, site in sorted(waiting, key=lambda entry: entry[:2])]


def _was_stopped(last: TrainingRun, now: datetime) -> bool:
    """Return whether this run's watcher died, and not too often of late: a training may be what stops its worker."""
    return last.status == TrainingRun.Status.RUNNING and _lately(last.site_id, now) < MAX_STARTS


def _is_of_another_release(site: Site, now: datetime) -> bool:
    """Return whether the live ranker was trained on other columns than ours, and few runs have tried to mend it.

    The manifest in the database says so, not the folder, which another machine may hold.
    """
    live = ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).first()
    ranker = (live.manifest or {}).get("ranker") if live is not None else None
    return ranker is not None and tuple(ranker["columns"]) != COLUMNS and _lately(site.pk, now) < MAX_STARTS


def _lately(site_id: int, now: datetime) -> int:
    """Return how often a site's training was begun within the time that results of stages are kept."""
    return TrainingRun.objects.filter(site=site_id, started_at__gt=now - timedelta(seconds=MAX_AGE_S)).count()


def train_in_process(
    site: Site, *, trigger: TrainingRun.Trigger, command: list[str] | None = None, timeout_s: float = TIMEOUT_S
) -> TrainingRun:
    """Train a site in a process of its own and return the run as it ended, done or failed.

    The training lock is renewed every second and gone a minute after this process has died. The trainer ends when this
    process does.

    Parameters
    ----------
    command : list of str, optional
        The trainer; it is given the run's id as last argument.

    Raises
    ------
    AlreadyTraining
        Another training holds the lock.
    StoreUnavailable
        Redis does not answer, so nothing says whether another training runs.
    """
    lock = TrainingLock(f"training of {site.slug} by a task worker")
    lock.acquire()
    try:
        _close_abandoned()
        policy, _ = TrainingPolicy.objects.get_or_create(site=site)
        run = TrainingRun.objects.create(site=site, trigger=trigger)
        logger.info("training.started site=%s run=%s", site.slug, run.pk)
        failure = _watched(run, lock, policy, command or _trainer(), timeout_s)
    finally:
        lock.release()
    return _ended(run, failure)


def _trainer() -> list[str]:
    return [sys.executable, "-m", "recommendations.release.worker"]


def _watched(run: TrainingRun, lock: TrainingLock, policy: TrainingPolicy, command: list[str], timeout_s: float) -> str:
    """Run the trainer until it ends or has to be ended; return why it failed as far as it cannot say itself."""
    connection.close()  # a connection idle for an hour would be closed by the other side
    started = renewed = time.monotonic()
    with subprocess.Popen([*command, str(run.pk)], cwd=_ROOT, stdin=subprocess.PIPE) as process:
        peak_mb = 0
        try:
            while True:
                try:
                    code = process.wait(BEAT_S)
                except subprocess.TimeoutExpired:
                    pass
                else:
                    return "" if code >= 0 else f"the trainer was killed by signal {-code}; was memory short?"
                peak_mb = max(peak_mb, peak_memory_mb(process.pid))
                if peak_mb > policy.memory_mb:
                    return str(MemoryExceeded(policy.memory_mb))
                if time.monotonic() - started > timeout_s:
                    return f"training took longer than {timeout_s / 60:.0f} minutes; train with manage.py train_spark"
                try:
                    lock.renew()
                    renewed = time.monotonic()
                except LockLost as error:
                    return str(error)
                except StoreUnavailable:
                    if time.monotonic() - renewed > LOCK_TTL_S / 2:
                        return "Redis was unavailable for too long to know that no other training runs"
        finally:
            _end(process)
            # A trainer that ended by itself has said its peak, which no look from outside can exceed.
            if peak_mb:
                runs = TrainingRun.objects.filter(pk=run.pk).exclude(peak_memory_mb__gte=peak_mb)
                runs.update(peak_memory_mb=peak_mb)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _ended(run: TrainingRun, failure: str) -> TrainingRun:
    run.refresh_from_db()
    if run.status == TrainingRun.Status.RUNNING:
        run.status = TrainingRun.Status.FAILED
        run.error = failure or "the trainer ended without a word; see the log of the task worker"
        run.finished_at = timezone.now()
        run.save(update_fields=["status", "error", "finished_at"])
    metrics.TRAININGS.labels(run.site.slug, run.status).inc()
    logger.info("training.ended site=%s run=%s status=%s error=%s", run.site.slug, run.pk, run.status, run.error or "-")
    return run


def _close_abandoned() -> None:
    """Mark runs whose watcher died; whoever holds the lock knows that none of them is alive."""
    TrainingRun.objects.filter(status=TrainingRun.Status.RUNNING).update(
        status=TrainingRun.Status.FAILED,
        error="the task worker was stopped while it trained; the next training goes on with what was finished",
        finished_at=timezone.now(),
    )
