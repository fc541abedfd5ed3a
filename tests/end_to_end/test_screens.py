"""The screens of merchandisers in Chromium: they fit a phone, can be read by everybody, and make every kind of rule."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.end_to_end.conftest import ROOT, Running
from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S

pytestmark = [
    pytest.mark.browser, pytest.mark.redis, pytest.mark.slow,
    pytest.mark.parametrize("installation", ["redis"], indirect=True),  # no screen knows which log there is
]  # fmt: skip

STAFF = """
from django.contrib.auth import get_user_model
from django.test import Client
client = Client()
client.force_login(get_user_model().objects.create_superuser("anna", password="x" * 16))
print("said=" + client.cookies["sessionid"].value)
"""


@pytest.fixture(scope="module")
def seen(trained: Running, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what a merchandiser saw."""
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if not chromium or not node or not (ROOT / "sdk/node_modules/playwright-core").exists():
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    session = trained.manage("shell", "-v0", "-c", STAFF).partition("said=")[2].strip()
    try:
        done = subprocess.run(
            [str(node), str(ROOT / "tests/end_to_end/screens.mjs"), str(chromium), trained.address, session],
            capture_output=True, text=True, timeout=BROWSER_S, check=False,
        )  # fmt: skip
    finally:  # the installation is shared: no list of another test may follow these rules
        trained.manage("shell", "-v0", "-c", "from recommendations.models import Rule; Rule.objects.all().delete()")
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_screens_fit_a_phone_and_can_be_read_by_everybody(seen: dict[str, Any]) -> None:
    assert seen["problems"] == []


def test_a_rule_of_each_action_is_made_by_choosing_and_published(seen: dict[str, Any]) -> None:
    said = {action: " ".join(text.split()) for action, text in seen["rules"].items()}

    assert "Pins item lamp13 to rank 2" in said["pin"]
    assert "Moves up brand Lamp, 5 times" in said["boost"]
    assert "Moves down category Tent, to 1/5" in said["bury"]
    assert "Never shows every item with price 10.1 to 10.11" in said["exclude"]
    assert 'Shows nothing but every item with not brand = "Nobody"' in said["include_only"]
    assert all("published" in text.lower() for text in said.values())
