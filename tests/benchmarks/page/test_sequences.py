"""A small run of what ``python -m benchmarks page`` does with 10,000 sequences: one visitor in two tabs of Chromium."""

from __future__ import annotations

import re
import shutil

import pytest

from benchmarks.page import sequences
from benchmarks.sdk import SDK
from benchmarks.serving_lab import lab
from tests.services.fixtures import leave_out
from tests.services.process import Missing

pytestmark = [pytest.mark.browser, pytest.mark.redis, pytest.mark.slow]

FIRST_SEED = 1
SEQUENCES = 494  # and those below: 500, which is some two minutes of CPU
ONCE_AT_MOST = 2
# Seeds that once showed a fault: a log-in right after a log-out, choices that crossed, a log-in before the part for
# tokens came, a user named before consent, a choice not heard yet, a token that was not renewed.
ONCE_FOUND = (1006, 1055, 1012, 211, 306, 311)


@pytest.fixture(autouse=True)
def _needed(request: pytest.FixtureRequest) -> None:
    found = all(map(shutil.which, ("chromium", "node"))) and (SDK / "node_modules/playwright-core").exists()
    if not found:
        leave_out(request.config, Missing("Chromium", "install Debian's chromium and nodejs, then run npm ci in sdk/"))
    if not shutil.which("redis-server"):
        leave_out(request.config, Missing("Redis", "install Debian's redis-server"))


def test_random_walks_of_a_visitor_draw_store_and_send_only_what_the_model_allows() -> None:
    """Words of two tabs cross at other moments in each walk: what a seed shows once, it must not show in three more."""
    with lab() as made:
        walked = sequences.walk(made, seeds=(*ONCE_FOUND, *range(FIRST_SEED, FIRST_SEED + SEQUENCES)))
    shown = {int(found[1]) for each in walked.violations if (found := re.match(r"seed (\d+),", each))}
    print(*walked.violations, sep="\n")
    assert len(shown) <= ONCE_AT_MOST, walked.violations
    if shown:
        with lab() as made:
            again = sequences.walk(made, seeds=[seed for seed in sorted(shown) for _ in range(3)])
        assert again.violations == ()
    assert walked.sequences == SEQUENCES + len(ONCE_FOUND)
    assert walked.sockets == 1, "one socket a page"
