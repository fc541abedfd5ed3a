"""One server process: start it, wait until it answers, freeze it, kill it, bring it back with its data."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.services.waiting import wait_until


class Missing(Exception):
    """A part that this machine does not have; ``remedy`` says how to get it."""

    def __init__(self, part: str, remedy: str) -> None:
        super().__init__(f"{part} is missing: {remedy}")
        self.part = part
        self.remedy = remedy


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_program(part: str, remedy: str, *names: str) -> str:
    """Return the first of ``names`` that can be run, or raise ``Missing``."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise Missing(part, remedy)


class Server(ABC):
    """A server in a process of its own; a context manager.

    Freezing and killing are for fault tests: after ``kill`` (SIGKILL) or ``stop`` (SIGTERM), ``start`` continues
    on the same port with the same data.
    """

    name: str

    def __init__(self) -> None:
        self.port = free_port()
        self.data = Path(tempfile.mkdtemp(prefix=f"recsite-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._log = self.data / "server.out"

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command line that runs the server in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether the server is ready; may raise ``OSError``."""

    def user(self) -> int | None:
        """Return the user id to run as, where it must be another one."""
        return None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start and wait until the server answers."""
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, user=self.user(),
                start_new_session=True,
            )  # fmt: skip

        def is_up() -> bool:
            if not self.is_running:
                raise RuntimeError(f"{self.name} ended at its start:\n{self.tail()}")
            try:
                return self.answers()
            except OSError:
                return False

        try:
            wait_until(is_up, self.name)
        except AssertionError as error:
            tail = self.tail()
            self.kill()
            raise RuntimeError(f"{error}:\n{tail}") from error
        return self

    def stop(self, timeout_s: float = 15.0) -> None:
        """Stop in good order (SIGTERM), or by force when that takes too long."""
        if self._process is None:
            return
        if self.is_running:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def kill(self) -> None:
        """Kill at once (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop the process where it is (SIGSTOP): connections stay open and nothing answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def tail(self, lines: int = 30) -> str:
        """Return the last lines the server wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
