"""Trainings by themselves: when they are due, never two at once, bounded, promoted only where the site allows it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from features import keys
from features.exceptions import StoreUnavailable
from features.store import connections
from recommendations import tasks
from recommendations.models import ModelVersion, TrainingPolicy, TrainingRun
from recommendations.release import gate, lock, train
from recommendations.release import runs as training_runs
from recommendations.release import worker as training_process
from recommendations.release.lock import AlreadyTraining, is_training
from recommendations.release.runs import is_due, train_in_process
from recommendations.training.settings import TrainingSettings, interactions_within
from recommendations.versions.lifecycle import version_path
from tests.recommendations.archives import (
    DAY_MS,
    aisle_items,
    aisle_walks,
    write_clicked_lists,
    write_sessions,
)
from tests.recommendations.conftest import Shop

ROOT = Path(__file__).resolve().parents[2]
QUICK = TrainingSettings(factors=8, als_iterations=3, max_queries=300, tuning_queries=60, trees=8, num_threads=1)
TWO = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SCHEDULE = TrainingRun.Trigger.SCHEDULE
TRAINING_FIELDS = (
    *("hour", "max_age_hours", "margin_weight", "position_clip", "tune_minutes", "latency_ms"),
    *("memory_mb", "keep_versions"),
)
SLEEPS = "import time; time.sleep(60)"


@pytest.mark.parametrize(
    ("now", "last", "due"),
    [
        (TWO, TWO - timedelta(days=1), True),
        (TWO - timedelta(minutes=1), TWO - timedelta(hours=23), False),
        (TWO + timedelta(hours=9), TWO - timedelta(hours=1), True),
        (TWO + timedelta(hours=9), TWO + timedelta(minutes=3), False),
        (TWO + timedelta(hours=21), TWO + timedelta(minutes=3), False),
    ],
)
def test_a_training_is_due_once_a_day_from_its_hour_on(now: datetime, last: datetime, due: bool) -> None:
    assert is_due(TrainingPolicy(hour=2), now=now, last_started_at=last) is due


def test_a_site_that_wants_none_is_never_due() -> None:
    assert not is_due(TrainingPolicy(hour=2, auto_train=False), now=TWO, last_started_at=TWO - timedelta(days=9))


def test_a_trainer_ends_when_nobody_watches_it_any_more() -> None:
    code = "import threading, time; from recommendations import training_process as p; p._end_with_parent()"

    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE) as orphan:
        assert orphan.stdin is not None
        orphan.stdin.close()
        assert orphan.wait(20) == training_process.ABANDONED_EXIT


@pytest.fixture
def unlocked(shop: Shop) -> Iterator[Shop]:
    """Return a shop while no training holds the lock."""
    client = connections.client()
    client.delete(keys.training_lock())
    yield shop
    client.delete(keys.training_lock())


def trained_by(shop: Shop, code: str, **options: Any) -> TrainingRun:
    """Let this Python code be the trainer."""
    return train_in_process(shop.site, trigger=SCHEDULE, command=[sys.executable, "-c", code], **options)


@pytest.mark.redis
class TestTheWatcher:
    def test_no_second_training_begins_while_one_runs_and_the_lock_is_renewed(self, unlocked: Shop) -> None:
        client = connections.client()
        client.set(keys.training_lock(), "another", px=30_000)

        with pytest.raises(AlreadyTraining, match="another training runs"):
            trained_by(unlocked, SLEEPS)

        assert [TrainingRun.objects.count(), client.get(keys.training_lock())] == [0, b"another"]

    def test_the_lock_lives_as_long_as_the_training_and_no_longer(
        self, unlocked: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lock, "LOCK_TTL_S", 2.0)
        left_ms: list[int] = []
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.2):
                left_ms.append(int(connections.client().pttl(keys.training_lock())))

        watching = threading.Thread(target=look)
        watching.start()
        trained_by(unlocked, "import time; time.sleep(4)")
        stop.set()
        watching.join()

        assert len(left_ms) > 10
        assert min(left_ms[1:-2]) > 0  # twice its time to live has passed, and it was never gone
        assert not is_training()

    def test_a_trainer_that_dies_says_how_as_far_as_can_be_known(self, unlocked: Shop) -> None:
        killed = trained_by(unlocked, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
        silent = trained_by(unlocked, "raise SystemExit(3)")

        assert [killed.status, silent.status] == ["failed", "failed"]
        assert "killed by signal 9" in killed.error
        assert "without a word" in silent.error
        assert silent.finished_at is not None

    def test_a_trainer_beyond_its_memory_is_ended(self, unlocked: Shop) -> None:
        TrainingPolicy.objects.create(site=unlocked.site, memory_mb=64)

        run = trained_by(unlocked, "import time; held = b'x' * 120_000_000; time.sleep(60)")

        assert run.status == "failed"
        assert "more than 64 MB" in run.error
        assert "train_spark" in run.error
        assert (run.peak_memory_mb or 0) >= 100

    def test_a_trainer_beyond_its_time_is_ended(self, unlocked: Shop) -> None:
        assert "longer than" in trained_by(unlocked, SLEEPS, timeout_s=0.5).error

    def test_a_trainer_whose_lock_was_taken_is_ended_and_the_takers_lock_is_left_alone(self, unlocked: Shop) -> None:
        taking = threading.Timer(1.0, connections.client().set, (keys.training_lock(), "another"))
        taking.start()

        run = trained_by(unlocked, SLEEPS)

        taking.join()
        assert "the lock was lost" in run.error
        assert connections.client().get(keys.training_lock()) == b"another"

    def test_without_redis_nothing_begins(self, unlocked: Shop, settings: Any) -> None:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        with pytest.raises(StoreUnavailable, match="the training lock cannot be had"):
            trained_by(unlocked, SLEEPS)

        assert not TrainingRun.objects.exists()

    def test_a_run_whose_watcher_died_is_closed_by_the_next(self, unlocked: Shop) -> None:
        dead = TrainingRun.objects.create(site=unlocked.site)

        trained_by(unlocked, "")

        dead.refresh_from_db()
        assert [dead.status, "was stopped" in dead.error] == ["failed", True]


@pytest.mark.redis
def test_sites_train_in_turn_the_one_that_waited_longest_first(unlocked: Shop, second_shop: Shop) -> None:
    now = datetime.now(UTC)
    for shop, days in ((unlocked, 2), (second_shop, 3)):
        TrainingPolicy.objects.create(site=shop.site)
        TrainingRun.objects.create(site=shop.site, started_at=now - timedelta(days=days))

    assert [site.slug for site in training_runs.due_sites(now)] == [second_shop.site.slug, unlocked.site.slug]


@pytest.mark.redis
def test_a_new_site_waits_for_its_first_night(unlocked: Shop) -> None:
    now = datetime.now(UTC)

    assert unlocked.site not in training_runs.due_sites(now)
    assert unlocked.site in training_runs.due_sites(now + timedelta(days=1))


@pytest.mark.redis
def test_a_run_that_was_stopped_with_its_worker_is_gone_on_with_three_times_at_most(unlocked: Shop) -> None:
    now = datetime.now(UTC)
    TrainingPolicy.objects.create(site=unlocked.site, hour=(now.hour + 1) % 24)
    due = []
    for minutes in (30, 20, 10):
        TrainingRun.objects.filter(site=unlocked.site).update(status="failed")
        TrainingRun.objects.create(site=unlocked.site, started_at=now - timedelta(minutes=minutes))
        due.append(unlocked.site in training_runs.due_sites(now))

    assert due == [True, True, False]


@pytest.mark.redis
def test_a_task_that_came_too_late_leaves_the_site_alone(unlocked: Shop) -> None:
    tasks.train_site(unlocked.site.slug)
    tasks.train_site("nowhere")

    assert not TrainingRun.objects.exists()


@pytest.fixture
def with_archive(unlocked: Shop, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Return a shop with a week of traffic, on which training is quick."""
    settings.ARCHIVE_URL = str(tmp_path / "archive")
    now_ms = int(time.time() * 1000)
    walks = aisle_walks(500, from_ms=now_ms - 7 * DAY_MS, until_ms=now_ms, seed=1)
    write_sessions(settings.ARCHIVE_URL, unlocked.site.slug, walks)
    monkeypatch.setattr(train, "settings_of", lambda policy: QUICK)
    return unlocked


@pytest.mark.redis
@pytest.mark.slow
class TestOneTraining:
    def test_what_passed_the_gate_waits_for_a_person_unless_the_site_allows_it(self, with_archive: Shop) -> None:
        policy = TrainingPolicy.objects.create(site=with_archive.site)
        cautious = TrainingRun.objects.create(site=with_archive.site)
        training_process.execute(cautious)
        policy.auto_promote = True
        policy.save()
        trusting = TrainingRun.objects.create(site=with_archive.site)
        training_process.execute(trusting)

        versions = [cautious.model_version, trusting.model_version]
        assert [version.status for version in versions if version] == ["candidate", "live"]
        assert [cautious.step, cautious.step_done, cautious.status] == [trusting.step, cautious.step_total, "done"]

    def test_what_the_gate_refused_is_said_and_not_promoted(
        self, with_archive: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        TrainingPolicy.objects.create(site=with_archive.site, auto_promote=True)
        bad = {"name": "quality", "passed": False, "reason": "MRR@20 is below the live version's", "at_ms": 0}
        monkeypatch.setattr(gate, "quality", lambda metrics: bad)
        run = TrainingRun.objects.create(site=with_archive.site)

        training_process.execute(run)

        assert run.model_version is not None
        assert [run.status, run.model_version.status, run.error] == ["done", "refused", bad["reason"]]

    def test_a_training_that_was_stopped_is_gone_on_with_and_leaves_nothing(
        self, with_archive: Shop, settings: Any
    ) -> None:
        work, ready, steps = Path(settings.DATA_DIR) / "training" / with_archive.site.slug, [], []

        def told(step: str, done: int, total: int) -> None:
            steps.append(step)
            if step == "list held-out" and not ready:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train.train_site(with_archive.site, settings=QUICK, progress=told)
        left = [path.name for path in work.iterdir()]
        steps.clear()

        version = train.train_site(
            with_archive.site, settings=QUICK, progress=told, on_taken_over=lambda work: ready.extend(work.ready)
        )

        assert len(left) == 1
        assert ready == ["fit", "learnt", "log"]
        assert version.status == "live"
        assert not {"read the archive", "fit for validation", "train ranker", "fit"} & set(steps)
        assert not list(work.iterdir())

    def test_what_the_policy_wants_learnt_is_what_training_learns(
        self, unlocked: Shop, settings: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Lists whose places are looked at half as often as the one before: the correction finds that out."""
        settings.ARCHIVE_URL = str(tmp_path / "archive")
        now_ms = int(time.time() * 1000)
        for item_id in aisle_items():
            unlocked.add(item_id, cost_minor=400)
        write_clicked_lists(
            settings.ARCHIVE_URL, unlocked.site.slug, 1_500, from_ms=now_ms - 5 * DAY_MS, until_ms=now_ms, seed=1
        )
        quick = {
            name: getattr(QUICK, name) for name in ("factors", "als_iterations", "max_queries", "trees", "num_threads")
        }
        monkeypatch.setattr(train, "TrainingSettings", partial(TrainingSettings, **quick, min_queries=20))
        TrainingPolicy.objects.create(site=unlocked.site, position_clip=10, margin_weight=0.5, tune_minutes=0.02)
        steps: list[str] = []
        run = TrainingRun.objects.create(site=unlocked.site)
        monkeypatch.setattr(
            training_process.RunProgress, "__call__", lambda self, step, done, total: steps.append(step)
        )

        training_process.execute(run)

        assert run.model_version is not None, run.error
        parameters = run.model_version.manifest["parameters"]
        assert [parameters["settings"][name] for name in ("position_clip", "margin_weight")] == [10.0, 0.5]
        assert [parameters["examination"][f"place_{place}"] for place in range(3)] == pytest.approx(
            [1.0, 0.5, 0.25], abs=0.08
        )
        assert "tune ranker" in steps

    def test_too_little_traffic_fails_with_what_is_missing(self, unlocked: Shop, settings: Any, tmp_path: Any) -> None:
        settings.ARCHIVE_URL = str(tmp_path / "empty")
        run = TrainingRun.objects.create(site=unlocked.site)

        assert training_process.execute(run) == 1

        assert [run.status, "holds no view, cart or purchase" in run.error] == ["failed", True]


@pytest.mark.redis
def test_old_versions_go_with_their_files_but_never_the_one_to_roll_back_to(shop: Shop) -> None:
    status = ModelVersion.Status
    names = ["oldest", "before", "live", "newer", "newest"]
    for age, name in enumerate(reversed(names)):
        made = datetime.now(UTC) - timedelta(days=age)
        state = {"before": status.RETIRED, "live": status.LIVE}.get(name, status.CANDIDATE)
        live_at = made if name in ("before", "live") else None
        ModelVersion.objects.create(site=shop.site, version=name, status=state, created_at=made, live_at=live_at)
        version_path(shop.site.slug, name).mkdir(parents=True)

    assert training_process.delete_old_versions(shop.site, keep=2) == 1

    assert set(ModelVersion.objects.values_list("version", flat=True)) == {"before", "live", "newer", "newest"}
    assert not version_path(shop.site.slug, "oldest").exists()


@pytest.mark.redis
def test_the_admin_shows_policies_and_runs(shop: Shop, admin_client: Any) -> None:
    policy = TrainingPolicy.objects.create(site=shop.site)
    TrainingRun.objects.create(site=shop.site, step="fit on all", step_done=3, step_total=7)

    runs = admin_client.get("/admin/recommendations/trainingrun/").content.decode()
    page = admin_client.get(f"/admin/recommendations/trainingpolicy/{policy.pk}/change/").content.decode()
    listed = admin_client.get("/admin/recommendations/trainingpolicy/").content.decode()

    assert "fit on all 3/7" in runs
    assert "Save and train now" in page
    assert "Last training" in listed


@pytest.mark.redis
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("margin_weight", "1.5", "less than or equal to 1"),
        ("position_clip", "0.5", "Give 0 for no correction, or a factor above 1"),
        ("tune_minutes", "90", "less than or equal to 60"),
        ("latency_ms", "0", "greater than or equal to 0.1"),
    ],
)
def test_the_policy_refuses_what_training_would_refuse(
    shop: Shop, admin_client: Any, field: str, value: str, said: str
) -> None:
    policy = TrainingPolicy.objects.create(site=shop.site)
    page = f"/admin/recommendations/trainingpolicy/{policy.pk}/change/"
    form = {name: str(getattr(policy, name)) for name in TRAINING_FIELDS}

    refused = admin_client.post(page, {**form, field: value}).content.decode()
    taken = admin_client.post(page, {**form, "position_clip": "10", "margin_weight": "0.25"})

    assert said in refused
    assert taken.status_code == 302
    policy.refresh_from_db()
    found = train.settings_of(policy)
    assert [found.position_clip, found.margin_weight, found.tune_minutes] == [10, 0.25, 0]


def test_a_training_reads_as_much_as_fits_into_its_memory() -> None:
    assert interactions_within(16_384, n_items=1_000_000) > 50_000_000
    assert 20_000_000 < interactions_within(8_192, n_items=100_000) < 40_000_000
    assert interactions_within(512, n_items=100) == 1_000_000


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
ASK = "from recommendations.tasks import train_due_sites; train_due_sites.delay()"
WAIT_S = 180.0


@pytest.mark.redis
@pytest.mark.slow
def test_a_worker_trains_the_site_that_is_due_and_lets_it_answer(unlocked: Shop, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "RECSITE_SECRET_KEY": "only-for-tests-" + "x" * 50,
        "RECSITE_DATA_DIR": str(tmp_path),
        "REDIS_URL": unlocked.redis_url.replace("/0", "/7"),
        "EVENT_LOG_URL": unlocked.redis_url.replace("/0", "/7"),
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    }
    environment.pop("DATABASE_URL", None)

    def manage(*arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]

    manage("migrate", "-v0")
    manage("shell", "-v0", "-c", PREPARE)
    worker_command = (
        "-m celery -A recsite worker -Q recsite -P prefork -c 1 -l WARNING --without-mingle --without-gossip"
    )
    with (
        (tmp_path / "worker.log").open("wb") as said,
        subprocess.Popen(
            [sys.executable, *worker_command.split()], cwd=ROOT, env=environment, stdout=said, stderr=said
        ) as worker,
    ):
        try:
            manage("shell", "-v0", "-c", ASK)
            run = _ended_run(tmp_path / "recsite.sqlite3")
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(30)

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
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        with sqlite3.connect(database, timeout=10) as connection:
            found: tuple[Any, ...] | None = connection.execute(query).fetchone()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError("no training ended in time")
