"""Three of what ``python -m benchmarks wishes`` carries out: by hand in the console, held against the shop's lists."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.sdk import SDK
from benchmarks.serving_lab import lab
from benchmarks.wishes import FEW
from benchmarks.wishes.granted import Granted, carry_out
from tests.services.fixtures import leave_out
from tests.services.process import Missing


@pytest.fixture(autouse=True)
def _needed(request: pytest.FixtureRequest) -> None:
    found = all(map(shutil.which, ("chromium", "node"))) and (SDK / "node_modules/playwright-core").exists()
    if not found:
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    if not shutil.which("redis-server"):
        leave_out(request.config, Missing("Redis", "install Debian's redis-server"))


@pytest.mark.browser
@pytest.mark.redis
@pytest.mark.slow
def test_wishes_are_fulfilled_by_clicks_and_keys_in_the_console() -> None:
    with lab() as made:
        granted = carry_out(made, names=FEW)
    assert {one.name: one.problem for one in granted} == dict.fromkeys(FEW, "")
    assert all(one.clicks >= 4 for one in granted), "each begins at the home page and ends with a button"


def test_a_person_takes_longer_by_the_clicks_and_keys() -> None:
    one = Granted(
        name="", of="", wish="", clicks=2, fields=1, keys=10, seconds=3.0, notes="", problem=""
    )  # fmt: skip
    assert one.seconds_by_hand == pytest.approx(3.0 + 2 * 1.3 + (1.3 + 0.8) + 2.8)
