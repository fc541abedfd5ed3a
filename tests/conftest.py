"""Settings of the whole test run; service fixtures (Redis, PostgreSQL, Kafka) live in ``tests/services``."""

from __future__ import annotations

import os
import tempfile

os.environ.setdefault("RECSITE_SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("RECSITE_DATA_DIR", tempfile.mkdtemp(prefix="recsite-tests-"))

pytest_plugins = ["tests.services.fixtures"]
