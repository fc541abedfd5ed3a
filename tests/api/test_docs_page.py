"""The API's page in Chromium, under our own Content-Security-Policy and without any other host."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from recommendations.http.rest import api
from tests.api.conftest import Place
from tests.end_to_end.conftest import ROOT
from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]


def test_the_page_shows_every_operation_and_the_console_is_silent(place: Place, request: pytest.FixtureRequest) -> None:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not chromium or not node or not (ROOT / "sdk/node_modules/playwright-core").exists():
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    assert chromium is not None
    assert node is not None
    done = subprocess.run(
        [node, str(ROOT / "tests/api/docs.mjs"), place.address, chromium],
        capture_output=True,
        text=True,
        timeout=BROWSER_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["problems"] == []
    assert "default-src 'self'" in seen["policy"]
    assert seen["operations"] == sum(len(operations) for operations in api.get_openapi_schema()["paths"].values())
