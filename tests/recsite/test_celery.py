"""Periodic work: every entry of beat names a task that workers know."""

from __future__ import annotations

from recsite.celery import app


def test_beat_sends_only_tasks_that_workers_know() -> None:
    app.loader.import_default_modules()
    wanted = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert wanted <= set(app.tasks)


def test_what_comes_too_late_is_dropped_before_the_next_is_sent() -> None:
    for name, entry in app.conf.beat_schedule.items():
        expires = entry.get("options", {}).get("expires")
        assert expires is None or expires <= entry["schedule"], name
