"""Whose word for an address is taken, over the command line of every way to start a web process."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsite.supervisor.installation import Installation
from recsite.supervisor.ports import free_port
from tests.services.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
APPLICATION = "recsite.asgi:application"
FORGED = ("198.51.100.1", "198.51.100.1, 203.0.113.2", "198.51.100.1:4711", "127.0.0.1", "unknown")


def of_supervisor(port: int, data: Path) -> list[str]:
    """Return what ``manage.py up`` starts."""
    place = Installation(project=ROOT, data=data, host="127.0.0.1", port=port, web_workers=1, demo=False)
    return list(next(each.command for each in place.processes({}) if each.name == "web"))


def of_image(port: int, data: Path) -> list[str]:
    """Return what the container image starts, here and on another port."""
    text = (ROOT / "deploy/Dockerfile").read_text().replace("\\\n", "")
    command: list[str] = json.loads(re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)[-1])
    given = {"python": sys.executable, "0.0.0.0": "127.0.0.1", "8000": str(port)}
    return [given.get(word, word) for word in command]


def of_uvicorn(port: int, data: Path) -> list[str]:
    """Return what a person types who knows uvicorn."""
    return [sys.executable, "-m", "uvicorn", APPLICATION, "--port", str(port)]


@contextlib.contextmanager
def started(command: list[str], port: int, data: Path, **environment: str) -> Iterator[None]:
    """Run the command line with an application that says the address, until the end of the block."""
    assert APPLICATION in command
    command = ["tests.security.address_app:application" if word == APPLICATION else word for word in command]
    settings = {"RECSITE_SECRET_KEY": "only-for-tests-" + "p" * 50, "RECSITE_DATA_DIR": str(data), **environment}
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: process.poll() is not None or answers(port), "the server answers")
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    """Return whether anybody answers at the port."""
    with contextlib.suppress(OSError):
        return bool(address_of(port))
    return False


def address_of(port: int, forwarded: str | None = None) -> str:
    """Return the address that a request from here with the header is taken to come from."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/")
    if forwarded is not None:
        request.add_header("X-Forwarded-For", forwarded)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
@pytest.mark.parametrize("way", [of_supervisor, of_image, of_uvicorn])
def test_nobodys_word_is_taken_unless_proxies_are_trusted(way, tmp_path: Path) -> None:
    port = free_port()
    with started(way(port, tmp_path), port, tmp_path):
        assert {address_of(port, forwarded) for forwarded in (None, *FORGED)} == {"127.0.0.1"}


@pytest.mark.slow
@pytest.mark.parametrize("way", [of_supervisor, of_image, of_uvicorn])
def test_a_trusted_proxys_word_counts_for_the_hop_that_it_saw(way, tmp_path: Path) -> None:
    port = free_port()
    with started(way(port, tmp_path), port, tmp_path, RECSITE_TRUSTED_PROXIES="1"):
        assert address_of(port, "10.9.9.9, 198.51.100.1") == "198.51.100.1"
        assert address_of(port) == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.parametrize("way", [of_supervisor, of_image])
def test_a_connection_from_elsewhere_than_the_proxies_networks_is_itself(way, tmp_path: Path) -> None:
    port = free_port()
    settings = {"RECSITE_TRUSTED_PROXIES": "1", "RECSITE_TRUSTED_PROXY_NETWORKS": "10.0.0.0/8, fd00::/8"}
    with started(way(port, tmp_path), port, tmp_path, **settings):
        assert {address_of(port, forwarded) for forwarded in FORGED} == {"127.0.0.1"}
