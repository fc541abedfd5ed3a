"""The demo's data are made once, and only where they were asked for."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from features.models import Item
from recommendations.models import Experiment
from tracking.contract.parsing import parse_record


@pytest.mark.redis
@pytest.mark.slow
def test_demo_data_makes_everything_once(db: None, settings: Any, tmp_path: Any, redis_url: str) -> None:
    settings.DEMO, settings.DATA_DIR = True, tmp_path
    settings.EVENT_LOG_URL = f"memory://demo-{tmp_path.name}?partitions=2"

    call_command("demo_data")  # without Redis
    assert Experiment.objects.count() == 0
    password = (tmp_path / "admin_password").read_text()
    settings.REDIS_URL = redis_url
    call_command("demo_data")
    assert Experiment.objects.count() == 2

    from tracking.log import open_log

    log = open_log(settings.EVENT_LOG_URL)
    ids = [parse_record(entry.value).events[0].event_id for number in range(2) for entry in log.read_all(number)]
    assert Item.objects.count() == 2_000
    assert 30_000 < len(ids) == len(set(ids))
    assert (tmp_path / "admin_password").read_text() == password
    assert (tmp_path / "admin_password").stat().st_mode & 0o077 == 0


def test_demo_data_is_refused_where_it_was_not_asked_for(db: None, settings: Any) -> None:
    settings.DEMO = settings.DEBUG = False
    with pytest.raises(CommandError, match="RECSITE_DEMO=1"):
        call_command("demo_data")
