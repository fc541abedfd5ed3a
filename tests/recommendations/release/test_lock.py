"""One training at a time, whoever begins it: the lock says who holds it, and does not outlive its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from features.store import connections
from recommendations import keys
from recommendations.release import lock as module
from recommendations.release.lock import AlreadyTraining, LockLost, is_training, training_lock
from tests.recommendations.conftest import Shop
from tests.services.waiting import wait_until

pytestmark = pytest.mark.redis
ROOT = Path(__file__).resolve().parents[3]
HOLDER = """
import django, os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
django.setup()
from recommendations.release import lock
lock.RENEW_S = 0.1
with lock.training_lock("manage.py train of night"):
    print("held", flush=True)
    sys.stdin.read()
"""


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
    client, key = connections.client(), keys.training_lock()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            for _ in range(2):
                client.pexpire(key, 30_000)
                wait_until(lambda: client.pttl(key) > 40_000, "a renewal")
        finally:
            holder.send_signal(signal.SIGKILL)

    left_ms = client.pttl(key)
    client.pexpire(key, 1)

    assert 0 < left_ms <= module.LOCK_TTL_S * 1000
    wait_until(lambda: not is_training(), "the end of the lock")


def test_a_lock_that_another_has_taken_ends_the_training_and_is_left_to_it(
    unlocked: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.05)

    with training_lock("first") as check:
        check()
        connections.client().set(keys.training_lock(), "another")

        def is_lost() -> bool:
            try:
                check()
            except LockLost:
                return True
            return False

        wait_until(is_lost, "the loss of the lock")

    assert connections.client().get(keys.training_lock()) == b"another"


def test_without_redis_the_command_says_so(unlocked: Shop, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(CommandError, match=r"the training lock cannot be had: .*is Redis running\?"):
        call_command("train")
