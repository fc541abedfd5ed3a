"""The process that trains: what becomes of a run, and which versions it keeps."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from recommendations.models import ModelVersion, TrainingPolicy, TrainingRun
from recommendations.release import gate, train, worker
from recommendations.training.settings import TrainingSettings
from recommendations.versions.lifecycle import version_path
from tests.recommendations.archives import DAY_MS, aisle_items, aisle_walks, write_clicked_lists, write_sessions
from tests.recommendations.conftest import Shop
from tests.services.waiting import DEADLINE_S

ROOT = Path(__file__).resolve().parents[3]
QUICK = TrainingSettings(factors=8, als_iterations=3, max_queries=300, tuning_queries=60, trees=8, num_threads=1)


def test_a_trainer_ends_when_nobody_watches_it_any_more() -> None:
    code = "from recommendations.release import worker; worker._end_with_parent()"

    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE) as orphan:
        assert orphan.stdin is not None
        orphan.stdin.close()
        assert orphan.wait(DEADLINE_S) == worker.ABANDONED_EXIT


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
        worker.execute(cautious)
        policy.auto_promote = True
        policy.save()
        trusting = TrainingRun.objects.create(site=with_archive.site)
        worker.execute(trusting)

        versions = [cautious.model_version, trusting.model_version]
        assert [version.status for version in versions if version] == ["candidate", "live"]
        assert [cautious.step, cautious.step_done, cautious.status] == [trusting.step, cautious.step_total, "done"]

    def test_what_the_gate_refused_is_said_and_not_promoted(
        self, with_archive: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        TrainingPolicy.objects.create(site=with_archive.site, auto_promote=True)
        bad = gate.GateCheck(name="quality", passed=False, reason="MRR@20 is below the live version's", at_ms=0)
        monkeypatch.setattr(gate, "quality", lambda metrics: bad)
        run = TrainingRun.objects.create(site=with_archive.site)

        worker.execute(run)

        assert run.model_version is not None
        assert [run.status, run.model_version.status, run.error] == ["done", "refused", bad.reason]

    def test_a_training_that_was_stopped_is_resumed_and_leaves_nothing(self, with_archive: Shop, settings: Any) -> None:
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
        monkeypatch.setattr(worker.RunProgress, "__call__", lambda self, step, done, total: steps.append(step))

        worker.execute(run)

        assert run.model_version is not None, run.error
        parameters = run.model_version.manifest["parameters"]
        assert [parameters["settings"][name] for name in ("position_clip", "margin_weight")] == [10.0, 0.5]
        assert [parameters["examination"][f"place_{position}"] for position in range(3)] == pytest.approx(
            [1.0, 0.5, 0.25], abs=0.08
        )
        assert "tune ranker" in steps

    def test_too_little_traffic_fails_with_what_is_missing(self, unlocked: Shop, settings: Any, tmp_path: Any) -> None:
        settings.ARCHIVE_URL = str(tmp_path / "empty")
        run = TrainingRun.objects.create(site=unlocked.site)

        assert worker.execute(run) == 1

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

    assert worker.delete_old_versions(shop.site, keep=2) == 1

    assert set(ModelVersion.objects.values_list("version", flat=True)) == {"before", "live", "newer", "newest"}
    assert not version_path(shop.site.slug, "oldest").exists()
