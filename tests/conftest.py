"""Settings of the whole test run; service fixtures (Redis, PostgreSQL, Kafka) live in ``tests/services``."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings

os.environ.setdefault("RECSITE_SECRET_KEY", "only-for-tests-" + "x" * 50)
MADE: Path | None = None
"""The folder of files of this process, where nobody named one."""
if "PYTEST_XDIST_WORKER" in os.environ or "RECSITE_DATA_DIR" not in os.environ:  # each process has its own
    MADE = Path(tempfile.mkdtemp(prefix="recsite-tests-"))
    os.environ["RECSITE_DATA_DIR"] = str(MADE)
# pytest-django reads the settings before this file runs; the variables above are for the processes that tests start.
settings.SECRET_KEY = os.environ["RECSITE_SECRET_KEY"]

# A busy machine makes no example wrong; all else stays, as that a run with CI=true draws the same examples each time.
hypothesis.settings.register_profile(
    "any-machine",
    parent=hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any-machine")

pytest_plugins = [
    "tests.services.left_out",
    "tests.services.fixtures",
    "tests.services.logged_errors",
    "tests.services.fast",
    "tests.together",
]


def pytest_unconfigure() -> None:
    """Leave no folder behind."""
    if MADE is not None:
        shutil.rmtree(MADE, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def _no_snapshots_of_other_files() -> Iterator[None]:
    """Sites of two files have the same names: what one file loaded into memory is not what the next one has written."""
    from tracking.snapshots import by_site  # after the settings

    yield
    by_site.close_all()
