"""Mistakes in the settings are told at the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.checks import run_checks


def errors() -> dict[str, str]:
    return {str(found.id): str(found.msg) for found in run_checks() if str(found.id).startswith("tracking.")}


def test_good_settings_pass(settings, tmp_path: Path) -> None:
    settings.SPOOL_DIR = tmp_path / "not" / "there" / "yet"
    settings.EVENT_LOG_URL = "kafka://127.0.0.1:9092/recsite.events"
    assert errors() == {}


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("EVENT_LOG_URL", "kafka://127.0.0.1:9092/recsite.events?partitionz=4", "tracking.E001"),
        ("REDIS_URL", "redis://127.0.0.1:0/0", "tracking.E002"),
        ("SPOOL_DIR", Path("/dev/null/spool"), "tracking.E003"),
    ],
)
def test_a_mistake_is_named_with_its_setting(settings, name: str, value: object, check: str) -> None:
    setattr(settings, name, value)
    assert name in errors()[check]
