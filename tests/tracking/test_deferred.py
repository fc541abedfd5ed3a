"""Large libraries are imported where something of them is first used, and by no process that never does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tracking.deferred import deferred

LARGE = (
    "implicit",
    "kafka",
    "lightgbm",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "polars",
    "pyarrow",
    "scipy",
    "tokenizers",
)
STARTED = f"""
import sys
import django
django.setup()
import recsite.asgi, recsite.celery, recsite.urls, recsite.management.commands.up
recsite.celery.app.loader.import_default_modules()
print(*(name for name in {LARGE!r} if name in sys.modules))
"""


@pytest.mark.slow
def test_web_workers_beat_and_up_start_without_what_trainings_and_reports_compute_with(tmp_path: Path) -> None:
    environment = {
        "DJANGO_SETTINGS_MODULE": "recsite.settings",
        "RECSITE_SECRET_KEY": "only-for-this-test" * 4,
        "RECSITE_DATA_DIR": str(tmp_path),
    }
    said = subprocess.run(
        [sys.executable, "-c", STARTED],
        env=environment, cwd=Path(__file__).resolve().parents[2], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.split() == []


def test_a_deferred_module_is_imported_once_by_whoever_comes_first(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "slowly_imported.py").write_text(
        "import time\ntime.sleep(0.1)  # sleep: others come meanwhile\nVALUE = object()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = deferred("slowly_imported")
    assert "slowly_imported" not in sys.modules
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(module.VALUE)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert set(found) == {sys.modules["slowly_imported"].VALUE}


def test_what_is_changed_in_the_module_is_seen_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    module = deferred("json")
    assert module.dumps is json.dumps
    monkeypatch.setattr(json, "dumps", print)
    assert module.dumps is print


def test_what_is_not_there_is_told_at_its_first_use() -> None:
    with pytest.raises(ImportError, match="no_such_module"):
        _ = deferred("no_such_module").anything
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = deferred("json").no_such_name
