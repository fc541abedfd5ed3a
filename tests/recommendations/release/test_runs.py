"""Trainings in turn and watched: when they are due, never two at once, bounded in memory and time."""

from __future__ import annotations

import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from features.exceptions import StoreUnavailable
from features.store import connections
from recommendations import keys
from recommendations.models import TrainingPolicy, TrainingRun
from recommendations.release import runs as training_runs
from recommendations.release.lock import AlreadyTraining, is_training
from recommendations.release.runs import is_due, train_in_process
from tests.recommendations.conftest import Shop
from tests.services.waiting import DEADLINE_S, wait_until

TWO = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
SCHEDULE = TrainingRun.Trigger.SCHEDULE
HOLDS = "import sys; sys.stdin.read()"
"""Runs until its watcher ends it."""


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


def trained_by(shop: Shop, code: str, *, timeout_s: float = DEADLINE_S) -> TrainingRun:
    """Let this Python code be the trainer; one that waits for a thread which failed is ended."""
    command = [sys.executable, "-c", code]
    return train_in_process(shop.site, trigger=SCHEDULE, command=command, timeout_s=timeout_s)


@pytest.mark.redis
class TestWatcher:
    def test_no_second_training_begins_while_one_runs_and_the_lock_is_renewed(self, unlocked: Shop) -> None:
        client = connections.client()
        client.set(keys.training_lock(), "another", px=30_000)

        with pytest.raises(AlreadyTraining, match="another training runs"):
            trained_by(unlocked, HOLDS)

        assert [TrainingRun.objects.count(), client.get(keys.training_lock())] == [0, b"another"]

    def test_the_lock_is_renewed_as_long_as_the_training_runs_and_then_released(
        self, unlocked: Shop, tmp_path: Path
    ) -> None:
        client, key, end = connections.client(), keys.training_lock(), tmp_path / "end"
        renewals: list[int] = []

        def look() -> None:
            wait_until(is_training, "the lock")
            for _ in range(2):
                client.pexpire(key, 30_000)
                wait_until(lambda: client.pttl(key) > 40_000, "a renewal")
                renewals.append(1)
            end.touch()

        watching = threading.Thread(target=look)
        watching.start()
        trained_by(unlocked, f"import os, time\nwhile not os.path.exists({str(end)!r}): time.sleep(0.05)")
        watching.join()

        assert len(renewals) == 2
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

        run = trained_by(unlocked, f"held = b'x' * 120_000_000; {HOLDS}")

        assert run.status == "failed"
        assert "more than 64 MB" in run.error
        assert "train_spark" in run.error
        assert (run.peak_memory_mb or 0) > 64

    def test_a_peak_between_two_looks_is_seen_by_the_next(self, unlocked: Shop) -> None:
        TrainingPolicy.objects.create(site=unlocked.site, memory_mb=64)

        run = trained_by(unlocked, f"held = b'x' * 120_000_000; del held; {HOLDS}")

        assert "more than 64 MB" in run.error

    def test_the_peak_that_the_trainer_said_is_kept(
        self, unlocked: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        said = tmp_path / "said"

        def look(_pid: int) -> int:
            """While the watcher looks, do what a trainer does at its end: write its own peak, and end."""
            TrainingRun.objects.filter(site=unlocked.site).update(peak_memory_mb=5_000)
            said.touch()
            return 100

        monkeypatch.setattr(training_runs, "peak_memory_mb", look)
        run = trained_by(unlocked, f"import os, time\nwhile not os.path.exists({str(said)!r}): time.sleep(0.05)")

        assert run.peak_memory_mb == 5_000

    def test_a_trainer_beyond_its_time_is_ended(self, unlocked: Shop) -> None:
        assert "longer than" in trained_by(unlocked, HOLDS, timeout_s=0.5).error

    def test_a_trainer_whose_lock_was_taken_is_ended_and_the_takers_lock_is_left_alone(self, unlocked: Shop) -> None:
        def take() -> None:
            wait_until(is_training, "the lock")
            connections.client().set(keys.training_lock(), "another")

        taking = threading.Thread(target=take)
        taking.start()

        run = trained_by(unlocked, HOLDS)

        taking.join()
        assert "the lock was lost" in run.error
        assert connections.client().get(keys.training_lock()) == b"another"

    def test_without_redis_nothing_begins(self, unlocked: Shop, settings: Any) -> None:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"

        with pytest.raises(StoreUnavailable, match="the training lock cannot be had"):
            trained_by(unlocked, HOLDS)

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
def test_a_run_that_was_stopped_with_its_worker_is_resumed_three_times_at_most(unlocked: Shop) -> None:
    now = datetime.now(UTC)
    TrainingPolicy.objects.create(site=unlocked.site, hour=(now.hour + 1) % 24)
    due = []
    for minutes in (30, 20, 10):
        TrainingRun.objects.filter(site=unlocked.site).update(status="failed")
        TrainingRun.objects.create(site=unlocked.site, started_at=now - timedelta(minutes=minutes))
        due.append(unlocked.site in training_runs.due_sites(now))

    assert due == [True, True, False]
