"""One supervised process: start it in a group of its own, restart it when it dies, stop it cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from recsite.server.stop_signals import held_sigterm
from recsite.supervisor.launcher import Forked, Launcher

STOP_TIMEOUT_S = 25.0
KILL_TIMEOUT_S = 5.0
STABLE_AFTER_S = 20.0  # a process that lived this long starts again at once; sooner deaths back off
MAX_BACKOFF_S = 15.0


@dataclass(slots=True, kw_only=True)
class Supervised:
    """A process of the installation.

    Parameters
    ----------
    name : str
        What the person at the terminal calls it.
    command : sequence of str
    environment : mapping of str to str
        The whole environment of the process.
    log_path : Path
        Its standard output and error are appended here.
    project : Path
        The folder that it is started in.
    takes_sigterm : bool
        The program takes a SIGTERM that was held back while it started, so that an early stop is clean, too.
    launcher : Launcher or None
        Forks it, where the command is a Python program that takes SIGTERM; None starts the command as it is.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log_path: Path
    project: Path = Path()
    takes_sigterm: bool = False
    launcher: Launcher | None = None
    restarts: int = 0
    _process: subprocess.Popen[bytes] | Forked | None = field(default=None, repr=False)
    _log: IO[bytes] | None = field(default=None, repr=False)
    _started_s: float = 0.0
    _start_again_s: float = 0.0

    @property
    def pid(self) -> int | None:
        """Return the process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the process in a group of its own, so that Ctrl-C reaches the supervisor alone."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self._started_s = time.monotonic()
        if self.launcher is not None:
            self._process = self.launcher.start(self.command, name=self.name, output=self.log_path)
            return
        if self._log is None:
            self._log = self.log_path.open("ab")
        with held_sigterm() if self.takes_sigterm else nullcontext():
            self._process = subprocess.Popen(
                list(self.command),
                env=dict(self.environment),
                cwd=self.project,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def watch(self) -> int | None:
        """Return the exit status once when the process has died, and start it again after its back-off."""
        now_s = time.monotonic()
        if self._process is None:
            if self._start_again_s and now_s >= self._start_again_s:
                self._start_again_s = 0.0
                self.start()
            return None
        status = self._process.poll()
        if status is None:
            return None
        self._kill_group()  # a child that lives on would hold the port that the next start needs
        self._process = None
        quick = now_s - self._started_s < STABLE_AFTER_S
        self.restarts = self.restarts + 1 if quick else 0
        self._start_again_s = now_s + (min(MAX_BACKOFF_S, 0.5 * 2**self.restarts) if quick else 0.0)
        return status

    def ask_to_stop(self) -> None:
        """Send SIGTERM; the process drains."""
        self._start_again_s = 0.0
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Wait for the end; kill the whole group when it outstays ``timeout_s``. Return whether it ended by itself."""
        clean = True
        if self._process:
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                clean = False
            self._kill_group()
            self._process.wait(KILL_TIMEOUT_S)
        if self._log is not None:
            self._log.close()
            self._log = None
        return clean

    def _kill_group(self) -> None:
        """End what the process left behind in its group (pool children, shells)."""
        assert self._process is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return

    def last_lines(self, count: int = 15) -> str:
        """Return the end of the log, for the message that says why it died."""
        try:
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return ""
