"""Settings of the whole test run; service fixtures (Redis, PostgreSQL, Kafka) live in ``tests/services``."""

from __future__ import annotations

import os
import tempfile

from django.conf import settings

os.environ.setdefault("RECSITE_SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("RECSITE_DATA_DIR", tempfile.mkdtemp(prefix="recsite-tests-"))
# pytest-django reads the settings before this file runs; the variables above are for the processes that tests start.
settings.SECRET_KEY = os.environ["RECSITE_SECRET_KEY"]

pytest_plugins = ["tests.services.fixtures"]
