"""Bring an installation up step by step, watch its processes, and take it down again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from recsite.supervisor import embedded_redis
from recsite.supervisor.database import DatabaseOutdated, check_tables
from recsite.supervisor.installation import Installation
from recsite.supervisor.launcher import Forked, Launcher
from recsite.supervisor.ports import is_free
from recsite.supervisor.processes import Supervised

READY_TIMEOUT_S = 90.0
CATCH_UP_TIMEOUT_S = 600.0
POLL_S = 0.2
COMMAND_STOP_TIMEOUT_S = 10.0


class StartFailed(RuntimeError):
    """The installation could not be brought up; the message says what to do."""


class CommandFailed(StartFailed):
    """A management command of the start ended with another status than 0."""


class Stopped(Exception):
    """Ctrl-C or SIGTERM arrived."""


class Up:
    """One run of an installation, from nothing to serving and back.

    Parameters
    ----------
    installation : Installation
    data_arguments : sequence of str
        Arguments of ``demo_data`` that name a real log to load in place of the demo's simulated shoppers.
    started_s : float
        ``time.time()`` of the person's command, for the time that is printed.
    has_shoppers : bool
        Whether simulated shoppers walk through the demo shop; never through a real log's.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        data_arguments: Sequence[str] = (),
        console: Console,
        started_s: float,
        has_shoppers: bool = True,
    ) -> None:
        self.installation = installation
        self.data_arguments = data_arguments
        self.console = console
        self.started_s = started_s
        self.has_shoppers = has_shoppers
        self.running: list[Supervised] = []
        self.environment: dict[str, str] = {}
        self.launcher = Launcher(installation.project, {})
        self._is_stopping = False

    def run(self) -> None:
        """Bring everything up, watch until Ctrl-C or SIGTERM, and leave nothing running."""
        try:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._on_signal)
            self._bring_up()
            self._watch()
        except Stopped:
            self.console.print("\nStopping …")
        finally:
            self._take_down()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note it alone: an exception out of a handler breaks what it lands in, a start of a thread or a process."""
        self._is_stopping = True

    def _go_on(self) -> None:
        """Raise `Stopped` when a signal came; called wherever there is nothing to leave half done."""
        if self._is_stopping:
            raise Stopped

    def _pause(self) -> None:
        time.sleep(POLL_S)
        self._go_on()

    # --- up ---------------------------------------------------------------------------------------------------

    def _bring_up(self) -> None:
        place = self.installation
        if not is_free(place.port, place.host):
            raise StartFailed(f"port {place.port} is in use; choose another one: PORT={place.port + 1} make demo")
        try:
            check_tables()
        except DatabaseOutdated as error:
            raise StartFailed(str(error)) from error
        os.umask(0o077)  # for every process: what is kept of shoppers is its owner's to read alone
        place.data.mkdir(parents=True, exist_ok=True)
        place.make_folders()
        chosen = self._chosen_settings()
        self.environment = place.environment(chosen)
        if "REDIS_URL" not in chosen:
            with self._step("Redis"):
                chosen = {**chosen, "REDIS_URL": self._start_redis()}
        self.environment = place.environment(chosen)
        place.write_env_file(chosen)
        self.launcher = Launcher(place.project, self.environment)
        self._manage("Database", "migrate", "--no-input", "--verbosity", "0")
        stream, *others = place.processes(self.environment, launcher=self.launcher)
        if place.demo:
            self._manage("Demo shop", "demo_data", *self.data_arguments)
        trains = place.demo and not place.demo_ready.exists()
        with self._step("Stream worker, web, tasks, beat"):
            for process in (stream, *others):
                self._start(process)
        self._wait("Web", self._ready, READY_TIMEOUT_S)
        self._print_addresses()
        if trains:
            self._learn()
        if place.demo and not self.data_arguments and self.has_shoppers:
            self._start(place.shoppers(self.environment, self._address, launcher=self.launcher))

    def _learn(self) -> None:
        """Count the history and train a first model while the shop is open; its pages say what they wait for."""
        progress = self.installation.demo_progress
        try:
            progress.write_text("the history is being counted")
            self._wait("Features of all events", self._caught_up, CATCH_UP_TIMEOUT_S)
            progress.write_text("the first model is being trained")
            self._manage("Segments", "segments", "--site", "default")
            self._train()
        finally:
            progress.unlink(missing_ok=True)
        self.installation.demo_ready.touch()
        seconds = time.time() - self.started_s
        self.console.print(f"[bold]All is ready after {seconds:.0f} s.[/bold] Open {self._address}/")

    def _chosen_settings(self) -> dict[str, str]:
        names = ("REDIS_URL", "EVENT_LOG_URL", "DATABASE_URL")
        chosen = {name: os.environ[name] for name in names if os.environ.get(name)}
        if not os.environ.get("RECSITE_SECRET_KEY") and not os.environ.get("RECSITE_SECRET_KEY_FILE"):
            chosen["RECSITE_SECRET_KEY"] = self.installation.secret_key()
        return chosen

    def _start_redis(self) -> str:
        folder = self.installation.data / "redis"
        server, url = embedded_redis.make_server(
            folder, log_path=self.installation.logs / "redis.log", environment=dict(os.environ)
        )
        self._start(server)
        embedded_redis.wait_ready(server, url, pause=self._pause)
        return url

    def _start(self, process: Supervised) -> None:
        self._go_on()
        self.running.append(process)
        process.start()

    def _train(self) -> None:
        """Train a first model; a real log may be too small or too odd for one, and its shop is served without."""
        try:
            self._manage("Training", "train", "--site", "default", "--promote", "--quick")
        except CommandFailed:
            if not self.data_arguments:
                raise
            self.console.print(
                "  No model is live, for the reason above: popular lists are shown. "
                "Train again with more events: `manage.py train --site default`, whose --help says how",
                style="yellow", markup=False, highlight=False,
            )  # fmt: skip

    def _manage(self, title: str, *arguments: str) -> None:
        """Run a management command in the foreground, its progress visible."""
        self.console.print(f"[bold]{title}[/bold]")
        started_s = time.monotonic()
        process = self.launcher.start(
            self.installation.manage(*arguments),
            name=arguments[0],
            log_level="WARNING",  # the command's own progress counts here
        )
        status = self._status_of(process)
        if status != 0:
            raise CommandFailed(
                f"`manage.py {' '.join(arguments)}` ended with status {status}; its message stands above"
            )
        self.console.print(f"  done in {time.monotonic() - started_s:.1f} s", style="dim")

    def _status_of(self, process: Forked) -> int:
        """Wait for a command and return its status; a signal to us ends it."""
        try:
            while (status := process.poll()) is None:
                self._pause()
        except Stopped:
            _end(process)
            raise
        return status

    def _step(self, title: str) -> _Step:
        return _Step(self.console, title)

    def _wait(self, title: str, is_done: Callable[[], bool], timeout_s: float) -> None:
        deadline_s = time.monotonic() + timeout_s
        with self._step(title):
            while not is_done():
                self._restart_dead()
                if time.monotonic() > deadline_s:
                    raise StartFailed(f"{title}: not ready after {timeout_s:.0f} s; look into {self.installation.logs}")
                self._pause()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/readyz", timeout=2):  # noqa: S310  (our own address)
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _caught_up(self) -> bool:
        """Return whether the stream worker has applied and archived everything that is in the log."""
        with tempfile.NamedTemporaryFile() as said:
            process = self.launcher.start(
                self.installation.manage("stream_lag", "--json"),
                name="stream_lag",
                output=Path(said.name),
                errors=Path(os.devnull),
            )
            if self._status_of(process) != 0:
                return False
            lag: Mapping[str, int] = json.loads(said.read().splitlines()[-1])
        return lag["records"] == 0 and lag["archive_records"] == 0

    @property
    def _address(self) -> str:
        host = "127.0.0.1" if self.installation.host in ("0.0.0.0", "::") else self.installation.host  # noqa: S104  (where it listens is where we ask)
        return f"http://{host}:{self.installation.port}"

    def _print_addresses(self) -> None:
        table = Table.grid(padding=(0, 2))
        table.add_row("Shop" if self.installation.demo else "API", self._address + "/")
        table.add_row("Admin", self._address + "/admin/")
        password_path = self.installation.data / "admin_password"
        if self.installation.demo and password_path.exists():
            table.add_row("  login", f"admin / {password_path.read_text().strip()}")
        table.add_row("API docs", self._address + "/v1/docs")
        table.add_row("Metrics", self._address + "/metrics")
        table.add_row("Logs", str(self.installation.logs))
        seconds = time.time() - self.started_s
        self.console.print(
            Panel(table, title=f"Recsite is up after {seconds:.0f} s", subtitle="Ctrl-C stops everything")
        )

    # --- watching and stopping --------------------------------------------------------------------------------

    def _restart_dead(self) -> None:
        for process in self.running:
            status = process.watch()
            if status is not None:
                self.console.print(f"[red]{process.name} ended with status {status}; it is started again.[/red]")
                self.console.print(process.last_lines(), style="dim", markup=False, highlight=False)

    def _watch(self) -> None:
        while True:
            self._restart_dead()
            self._pause()

    def _take_down(self) -> None:
        """Stop every service, then Redis, which they need; a second signal changes nothing."""
        self._is_stopping = True
        services = [process for process in self.running if process.name != "redis"]
        for process in services:
            process.ask_to_stop()
        for process in services:
            if not process.wait_stopped():
                self.console.print(f"{process.name} did not stop in time and was killed", style="red")
        for process in self.running:
            if process.name == "redis":
                process.ask_to_stop()
                process.wait_stopped()
        self.running.clear()


def _end(process: Forked) -> None:
    """End a command and what it started: with SIGTERM, and by force when that takes longer than ten seconds."""
    process.terminate()
    try:
        process.wait(COMMAND_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Step:
    """Prints a step's title while it runs and its time when it is done."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._started_s = 0.0

    def __enter__(self) -> None:
        self._started_s = time.monotonic()
        self._status = self._console.status(f"{self._title} …")
        self._status.start()

    def __exit__(self, kind: object, *rest: object) -> None:
        self._status.stop()
        if kind is None:
            self._console.print(f"[bold]{self._title}[/bold]")
            self._console.print(f"  done in {time.monotonic() - self._started_s:.1f} s", style="dim")
