"""Start the processes of an installation by forking them from one that has imported everything.

A start of Python, Django and ours takes one and a half seconds of CPU and 150 MB; web, stream worker, task worker, beat
and each command that `manage.py up` runs would take that again. The fork server is Python's own (``multiprocessing``).
It imports ``recsite.preload`` once, with the environment of the installation, and no thread but its own.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

from recsite.server import stop_signals

PRELOAD: Final = "recsite.preload"
COMM_BYTES: Final = 15
"""What the kernel keeps of a process's name."""


class Forked:
    """A process that was forked, with the part of ``subprocess.Popen`` that a supervisor uses."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process
        assert process.pid is not None
        self.pid: int = process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return the exit status; None while the process runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; raises ``subprocess.TimeoutExpired`` after ``timeout`` seconds without one."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Launcher:
    """Forks Python programs that have the environment of one installation.

    One a process: Python has one fork server, and it takes its environment at its first fork.

    Parameters
    ----------
    project : Path
        The folder that holds the packages.
    environment : mapping of str to str
        The whole environment of what is started; nothing of ours comes beside.
    """

    def __init__(self, project: Path, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        # The fork server of Python 3.11 takes our sys.path too late, and goes on without what it cannot import.
        path = [str(project), *filter(None, [self.environment.get("PYTHONPATH")])]
        self.environment["PYTHONPATH"] = os.pathsep.join(path)
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([PRELOAD])

    def start(
        self,
        command: Sequence[str],
        *,
        name: str,
        output: Path | None = None,
        errors: Path | None = None,
        log_level: str | None = None,
    ) -> Forked:
        """Start a Python program in a session of its own.

        Parameters
        ----------
        command : sequence of str
            ``python -m MODULE …`` or ``python FILE …``, as for ``subprocess``.
        name : str
            Its name in the list of processes.
        output : Path or None
            The file that its output is appended to; None for ours.
        errors : Path or None
            The file of its errors and log; None where its output goes.
        log_level : str or None
            The least level of what it logs; None for that of the settings.
        """
        process = self._context.Process(
            target=_run, args=(tuple(command[1:]), name, output, errors or output, log_level), name=name
        )
        with stop_signals.held_sigterm():
            with self._its_environment():
                forkserver.ensure_running()
            try:
                process.start()
            except (EOFError, ConnectionError) as error:
                raise RuntimeError("nothing could be started from the installation's code; why stands above") from error
        return Forked(process)

    @contextlib.contextmanager
    def _its_environment(self) -> Iterator[None]:
        """Let a fork server that has to be started, or started again, take the environment of the installation."""
        ours = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update(self.environment)
            yield
        finally:
            os.environ.clear()
            os.environ.update(ours)


def _run(arguments: Sequence[str], name: str, output: Path | None, errors: Path | None, log_level: str | None) -> None:
    """Become the program, in the child."""
    os.setsid()
    stop_signals.exit_on_sigterm()  # it was held back since before the fork
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"recsite-{name}"[:COMM_BYTES])
    _redirect(Path(os.devnull), os.O_RDONLY, 0)
    for number, path in ((1, output), (2, errors)):
        if path is not None:
            _redirect(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, number)
    if log_level is not None:
        logging.disable(logging.getLevelNamesMapping()[log_level] - 1)
    try:
        if arguments[0] == "-m":
            sys.argv = list(arguments[1:])
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = list(arguments)
            runpy.run_path(arguments[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends its children without them


def _redirect(path: Path, flags: int, number: int) -> None:
    opened = os.open(path, flags, 0o600)
    os.dup2(opened, number)
    os.close(opened)
