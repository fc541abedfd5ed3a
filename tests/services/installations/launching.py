"""Processes and commands of one installation, forked from one that has started; any number of installations a test run.

Tests ask an installation again and again how far it is, kill its processes and start them again; a start of Python and
Django for each costs more than all they wait for. It is the product's own way (``recsite.supervisor.launcher``); Python
has one fork server a process, so each installation of a test run brings its own here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Final

from recsite.supervisor.launcher import PRELOAD, Forked, Launcher

ROOT: Final = Path(__file__).resolve().parents[3]
_turn: Final = threading.Lock()


class Started(Launcher):
    """A launcher with a fork server of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(ROOT, environment)
        self._server = forkserver.ForkServer()
        self._server.set_forkserver_preload([PRELOAD])

    def start(self, command: Sequence[str], **options: Any) -> Forked:
        """Start a Python program, as ``Launcher.start`` does."""
        with self._in_place():
            return super().start(command, **options)

    def manage(self, *arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a management command; return what it printed and its status."""
        with tempfile.TemporaryDirectory() as folder:
            output, errors = Path(folder) / "output", Path(folder) / "errors"
            output.touch()
            errors.touch()
            command = [sys.executable, str(ROOT / "manage.py"), *arguments]
            process = self.start(command, name=arguments[0], output=output, errors=errors)
            try:
                status = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            return subprocess.CompletedProcess(list(arguments), status, output.read_text(), errors.read_text())

    def close(self) -> None:
        """End the fork server; what it started goes on."""
        self._server._stop()

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """Let ``multiprocessing`` use our server."""
        names = ("connect_to_new_process", "ensure_running")
        with _turn:
            usual = {name: getattr(forkserver, name) for name in names}
            try:
                for name in names:
                    setattr(forkserver, name, getattr(self._server, name))
                yield
            finally:
                for name, one in usual.items():
                    setattr(forkserver, name, one)
