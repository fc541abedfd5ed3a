"""A shop's service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recommendations.outside_service import Service, running


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with running(tmp_path, monkeypatch) as made:
        yield made
