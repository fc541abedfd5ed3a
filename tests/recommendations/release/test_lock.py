"""One training at a time, whoever begins it: the lock says who holds it, and does not outlive its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from features import keys
from features.store import connections
from recommendations.release import lock as module
from recommendations.release.lock import AlreadyTraining, LockLost, is_training, training_lock
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis
ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import django, os, sys, time
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django.setup()
from recommendations import training_lock
training_lock.LOCK_TTL_S, training_lock.RENEW_S = 2.0, 0.3
with training_lock.training_lock("manage.py train of night"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def unlocked(shop: Shop) -> Iterator[Shop]:
    """Return a shop while no training holds the lock."""
    client = connections.client()
    client.delete(keys.training_lock())
    yield shop
    client.delete(keys.training_lock())


def test_the_second_is_told_who_trains_and_since_when(unlocked: Shop) -> None:
    with (
        training_lock("manage.py train of night"),
        pytest.raises(
            AlreadyTraining, match=rf"train of night \(process {os.getpid()} on .+\), since 20\d\d-.+ UTC; one"
        ),
        training_lock("another"),
    ):
        pass

    assert not is_training()


@pytest.mark.parametrize("command", [["train"], ["train_spark", "--site", "SITE"]])
def test_a_training_by_hand_waits_for_its_turn(unlocked: Shop, command: list[str]) -> None:
    arguments = [unlocked.site.slug if word == "SITE" else word for word in command]

    with (
        training_lock("training of night by a task worker"),
        pytest.raises(CommandError, match="night by a task worker"),
    ):
        call_command(*arguments)


def test_the_lock_is_renewed_while_its_holder_lives_and_gone_soon_after_it_was_killed(unlocked: Shop) -> None:
    environment = {**os.environ, "REDIS_URL": unlocked.redis_url, "RECSITE_SECRET_KEY": "only-for-tests-" + "x" * 50}
    with subprocess.Popen([sys.executable, "-c", HOLDER], cwd=ROOT, env=environment, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            until = time.monotonic() + 3.0
            while time.monotonic() < until:
                assert is_training()
                time.sleep(0.2)
        finally:
            holder.send_signal(signal.SIGKILL)

    gone_by = time.monotonic() + 3.0
    while is_training() and time.monotonic() < gone_by:
        time.sleep(0.1)
    assert not is_training()


def test_a_lock_that_another_has_taken_ends_the_training_and_is_left_to_it(
    unlocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.05)
    noticed = threading.Event()

    with training_lock("first") as check:
        check()
        connections.client().set(keys.training_lock(), "another")
        until = time.monotonic() + 5.0
        while not noticed.is_set() and time.monotonic() < until:
            try:
                check()
            except LockLost:
                noticed.set()

    assert noticed.is_set()
    assert connections.client().get(keys.training_lock()) == b"another"


def test_without_redis_the_command_says_so(unlocked: Shop, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(CommandError, match=r"the training lock cannot be had: .*is Redis running\?"):
        call_command("train")
