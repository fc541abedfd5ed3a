"""The process that trains: ``python -m recommendations.release.worker RUN``. Its parent bounds and watches it."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

import django

from recommendations.release.memory import MemoryExceeded, peak_memory_mb

if TYPE_CHECKING:  # models cannot be imported before django.setup()
    from recommendations.models import TrainingRun
    from tracking.models import Site

NICENESS: Final = 10  # serving comes first where both share a machine
TELL_EVERY_S: Final = 2.0
ABANDONED_EXIT: Final = 75

logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Train the site of the run whose id is given; the run says what became of it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    django.setup()
    from recommendations.models import TrainingRun

    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(NICENESS)
    return execute(TrainingRun.objects.select_related("site").get(pk=int(arguments[0])))


def execute(run: TrainingRun) -> int:
    """Train, register, promote if the policy allows it, and delete the files of old versions."""
    from django.utils import timezone

    from recommendations.exceptions import RecommendationError
    from recommendations.models import ModelVersion, TrainingPolicy
    from recommendations.release.train import settings_of, train_site

    policy, _ = TrainingPolicy.objects.get_or_create(site=run.site)
    try:
        version = train_site(
            run.site,
            settings=settings_of(policy),
            promotes=policy.auto_promote,
            progress=RunProgress(run, memory_mb=policy.memory_mb),
            on_taken_over=lambda work: logger.info("training.taken_over run=%s ready=%s", run.pk, ",".join(work.ready)),
        )
    except (RecommendationError, OSError) as error:
        run.error = str(error)
    except MemoryError:
        run.error = "the machine has not enough memory; train with manage.py train_spark"
    except Exception as error:  # the edge of this process: whoever reads the run must learn of it
        logger.exception("training.failed run=%s", run.pk)
        run.error = f"{type(error).__name__}: {error}; see the log of the task worker"
    else:
        run.model_version = version
        if version.status == ModelVersion.Status.REFUSED:
            run.error = "; ".join(check["reason"] for check in version.gate_report if not check["passed"])
        delete_old_versions(run.site, keep=policy.keep_versions)
    run.status = run.Status.DONE if run.model_version is not None else run.Status.FAILED
    run.finished_at = timezone.now()
    run.peak_memory_mb = peak_memory_mb() or None
    run.save(update_fields=["status", "error", "model_version", "finished_at", "peak_memory_mb"])
    return 0 if run.model_version is not None else 1


def delete_old_versions(site: Site, *, keep: int) -> int:
    """Delete rows and folders of versions beyond the newest ``keep``; never one that answers, or the one before it."""
    from recommendations.models import ModelVersion
    from recommendations.release.train import old_versions
    from recommendations.versions.lifecycle import version_path

    before = (
        ModelVersion.objects.filter(site=site, status=ModelVersion.Status.RETIRED, live_at__isnull=False)
        .order_by("-live_at")
        .first()
    )
    deleted = 0
    for version in list(old_versions(site, keep=keep)):
        if before is not None and version.pk == before.pk:
            continue
        version.delete()
        shutil.rmtree(version_path(site.slug, version.version), ignore_errors=True)
        deleted += 1
    return deleted


class RunProgress:
    """Writes progress to the run, every two seconds and at the end of each step.

    Raises ``MemoryExceeded`` then if this process has needed more than ``memory_mb``, also for a moment only.
    """

    def __init__(self, run: TrainingRun, *, memory_mb: int) -> None:
        self._run = run
        self._memory_mb = memory_mb
        self._told_s = float("-inf")

    def __call__(self, step: str, done: int, total: int) -> None:
        """Tell how far a step is."""
        now_s = time.monotonic()
        if done < total and now_s - self._told_s < TELL_EVERY_S:
            return
        self._told_s = now_s
        self._run.step, self._run.step_done, self._run.step_total = step[:64], done, total
        self._run.save(update_fields=["step", "step_done", "step_total"])
        if peak_memory_mb() > self._memory_mb:
            raise MemoryExceeded(self._memory_mb)


def _end_with_parent() -> None:
    """Wait for the end of standard input, which is the end of the parent; nobody would watch us any more."""
    while sys.stdin.buffer.read(1):
        pass
    os._exit(ABANDONED_EXIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
