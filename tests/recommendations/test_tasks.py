"""Periodic work on models: what a task does that came too late, and a training by a real task worker."""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from recommendations import tasks
from recommendations.models import TrainingRun
from tests.recommendations.conftest import Shop
from tests.services.installations.launching import Started
from tests.services.installations.migrated import put_migrated
from tests.services.waiting import DEADLINE_S, wait_until
from tracking.models import Site


@pytest.mark.redis
def test_a_task_that_came_too_late_leaves_the_site_alone(shop: Shop) -> None:
    tasks.train_site(shop.site.slug)
    tasks.train_site("nowhere")

    assert not TrainingRun.objects.exists()


def test_every_thread_sends_tasks_to_our_broker() -> None:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(tasks.train_site.app.main))

    thread.start()
    thread.join()

    assert found == ["recsite"]


PREPARE = """
import time
from recommendations.models import TrainingPolicy
from tests.recommendations.archives import DAY_MS, aisle_walks, write_sessions
from django.conf import settings
from django.utils import timezone
from datetime import timedelta
from tracking.models import Site
site = Site.objects.create(slug="night", name="Night", created_at=timezone.now() - timedelta(days=3))
TrainingPolicy.objects.create(site=site, auto_promote=True)
now_ms = int(time.time() * 1000)
write_sessions(settings.ARCHIVE_URL, "night", aisle_walks(300, from_ms=now_ms - 5 * DAY_MS, until_ms=now_ms, seed=3))
"""
TRAIN_DUE = "from recommendations.tasks import train_due_sites; train_due_sites.delay()"
WAIT_S = 600.0


@pytest.mark.redis
@pytest.mark.slow
def test_a_worker_trains_the_site_that_is_due_and_lets_it_answer(shop: Shop, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "RECSITE_SECRET_KEY": "only-for-tests-" + "x" * 50,
        "RECSITE_DATA_DIR": str(tmp_path),
        "REDIS_URL": shop.redis_url.replace("/0", "/7"),
        "EVENT_LOG_URL": shop.redis_url.replace("/0", "/7"),
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    }
    environment.pop("DATABASE_URL", None)

    put_migrated(tmp_path)
    worker_command = (
        "-m celery -A recsite worker -Q recsite -P prefork -c 1 -l WARNING --without-mingle --without-gossip"
    )
    with closing(Started(environment)) as launcher:
        for code in (PREPARE, TRAIN_DUE):
            done = launcher.manage("shell", "-v0", "-c", code, timeout_s=WAIT_S)
            assert done.returncode == 0, done.stderr[-2000:]
        worker = launcher.start([sys.executable, *worker_command.split()], name="tasks", output=tmp_path / "worker.log")
        try:
            run = _ended_run(tmp_path / "recsite.sqlite3")
        finally:
            worker.terminate()
            worker.wait(DEADLINE_S)

    assert run[:2] == ("done", ""), (tmp_path / "worker.log").read_text()[-3000:]
    assert run[2] == "live"
    assert run[3] > 50


def _ended_run(database: Path) -> tuple[Any, ...]:
    """Return status, error, the version's status and peak memory of the one run, once it has ended."""
    query = """
        SELECT run.status, run.error, version.status, run.peak_memory_mb FROM recommendations_trainingrun AS run
        LEFT JOIN recommendations_modelversion AS version ON version.id = run.model_version_id
        WHERE run.status != 'running' AND run.peak_memory_mb IS NOT NULL
    """

    def ended() -> tuple[Any, ...] | None:
        with sqlite3.connect(database, timeout=10) as connection:
            found: tuple[Any, ...] | None = connection.execute(query).fetchone()
        return found

    return wait_until(ended, "the end of the training", within_s=WAIT_S, step_s=0.5)


@pytest.mark.django_db
def test_reports_are_rolled_up_until_no_more_days_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    Site.objects.create(slug="s1", name="§")
    waiting = [tasks.ROLLED_AT_ONCE, tasks.ROLLED_AT_ONCE, 3]
    monkeypatch.setattr(tasks, "roll_up", lambda site, most_days: waiting.pop(0))

    tasks.roll_up_reports()

    assert waiting == []
