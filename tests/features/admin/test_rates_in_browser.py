"""The page of exchange rates in Chromium: uploads work, nothing complains, nothing is wider than a phone."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S
from tests.tracking.web_process import ROOT, Web

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

STAFF = """
from django.contrib.auth import get_user_model
from django.test import Client
from features.store import connections
from tests.features.quality.stocking import stock
from tracking.models import Site
client = Client()
client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
stock(connections.client(), Site.objects.get().slug)
print("said=" + client.cookies["sessionid"].value)
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, redis_url: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what a member of staff saw."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not chromium or not node or not (ROOT / "sdk/node_modules/playwright-core").exists():
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    folder = tmp_path_factory.mktemp("rates")
    today = dt.datetime.now(dt.UTC).date()
    days = [today - dt.timedelta(days=number) for number in range(40)]
    table = "".join(f"{day},1.1594,0.8763,N/A\n" for day in [*days, today - dt.timedelta(days=120)])
    (folder / "good.csv").write_text("Date,USD,GBP,CYP\n" + table)
    (folder / "faults.csv").write_text(f"day,currency,rate\n{today},EURO,1\n{today},USD,0\n31/12/2025,JPY,x\n")
    redis_url = redis_url.replace("/0", "/9")
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    log_url = f"{redis_url}?stream=rates-{os.getpid()}&partitions=1"
    web = Web(folder, redis_url=redis_url, log_url=log_url, application="recsite.asgi:application")
    try:
        web.prepare()
        web.manage("collectstatic", "--noinput", "-v0")
        session = web.manage("shell", "-v0", "-c", STAFF).partition("said=")[2].strip()
        web.start()
        script = Path(__file__).with_name("rates.mjs")
        done = subprocess.run(
            [
                str(node), str(script), str(chromium), f"http://127.0.0.1:{web.port}", session, str(folder),
                os.environ.get("SCREENSHOTS", ""),
            ],
            capture_output=True, text=True, timeout=BROWSER_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:] + web.out.read_text()[-2000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    finally:
        web.kill()


def test_nothing_complains_and_nothing_is_wider_than_a_phone(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []
    assert set(seen["overflow"].values()) == {0}


def test_what_is_missing_is_said_before_there_is_a_table(seen: dict[str, Any]) -> None:
    assert "JPY: no rate" in seen["said"]["empty"]


def test_a_table_with_faults_is_refused_by_line(seen: dict[str, Any]) -> None:
    assert "Nothing was written" in seen["said"]["faults"]
    assert "EURO" in seen["said"]["faults"]


def test_a_table_is_taken_and_a_pair_deleted(seen: dict[str, Any]) -> None:
    assert "82 new" in seen["said"]["good"]
    assert "CYP" in seen["said"]["good"]
    assert seen["pairs"] == ["1 EUR in GBP", "1 EUR in USD"]
    assert seen["left"] == ["1 EUR in GBP"]
