"""Simulated shoppers on a running installation: into the performance report, over an outage, to a clean stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from features.store.placement_stats import read_placement_stats
from recommendations.monitoring.performance import Performance, total
from recsite.demo.setup import PLACEMENTS
from tests.end_to_end.conftest import ROOT, start_installation, stop_installation
from tests.services.redis_server import RedisServer
from tests.services.waiting import wait_until
from tracking.redis_client import connect


@pytest.mark.redis
@pytest.mark.slow
def test_what_they_do_reaches_the_report_and_they_outlive_the_web_process(tmp_path: Path) -> None:
    with RedisServer() as server:
        running = start_installation(
            tmp_path, redis_url=server.url, log_url=server.url + "?partitions=2", database_url=None, RECSITE_DEMO="1"
        )
        running.manage("shell", "-v", "0", "-c", _SHOP)
        walkers = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "demo_shoppers", "--url", running.address],
            env=running.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            with closing(connect(server.url, timeout_s=5)) as client:
                first_day = int(time.time()) // 86_400

                def performance() -> Performance:
                    today = int(time.time()) // 86_400  # another one by the end of the test, now and then
                    rows = [
                        row
                        for day in range(first_day, today + 1)
                        for row in read_placement_stats(client, "default", day=day, partitions=2)
                    ]
                    assert {row.placement for row in rows} <= {name for name, *_ in PLACEMENTS}
                    assert all(row.variant for row in rows), "every rec_id was signed here"
                    return total(rows)

                wait_until(lambda: performance().impressions >= 50, "impressions")
                web = running.processes["web"]
                web.ask_to_stop()
                assert web.wait_stopped(25)
                time.sleep(3)  # sleep: how long the shop is down
                before = performance()
                web.start()
                wait_until(lambda: performance().impressions > before.impressions + 20, "them to come back")
                wait_until(lambda: performance().clicks > 0, "a click")
            walkers.send_signal(signal.SIGTERM)
            said, _ = walkers.communicate(timeout=10)
            assert walkers.returncode == 0, said
            assert "Traceback" not in said
            assert said.count("not_served") <= 3, "an outage is told once, not with every try"
        finally:
            if walkers.poll() is None:
                os.kill(walkers.pid, signal.SIGKILL)
                walkers.wait(10)
            stop_installation(running)


_SHOP = """

from pathlib import Path
from django.conf import settings
from features.feeds import upsert_items
from recsite.demo import setup
from recsite.demo.source import DemoSource, end_of_history
site, _ = setup.ensure_site()
setup.ensure_placements(site)
upsert_items(site, DemoSource(end=end_of_history(Path(settings.DATA_DIR)), site=site.slug).items())
"""
