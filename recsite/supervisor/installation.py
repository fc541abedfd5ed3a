"""Which processes an installation on one machine has, and the environment that they share."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recsite.supervisor.launcher import Launcher
from recsite.supervisor.processes import Supervised


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where things are on this machine.

    Parameters
    ----------
    project : Path
        The folder that holds ``manage.py``.
    data : Path
        ``RECSITE_DATA_DIR``: everything that is written.
    host : str
        Address that the web processes listen on.
    port : int
    web_workers : int
    demo : bool
        Serves the demo shop and allows plain HTTP.
    """

    project: Path
    data: Path
    host: str
    port: int
    web_workers: int
    demo: bool

    @property
    def env_file(self) -> Path:
        """Return the file in which commands of another terminal find this installation."""
        return self.data / "local.env"

    @property
    def demo_ready(self) -> Path:
        """Return the file that says that the demo has a trained model; `demo_data` removes it when that is refused."""
        return self.data / "demo_ready"

    @property
    def demo_progress(self) -> Path:
        """Return the file that says in words what the open demo shop still waits for; absent when for nothing."""
        return self.data / "demo_progress"

    @property
    def logs(self) -> Path:
        """Return the folder of the processes' logs."""
        return self.data / "logs"

    @property
    def prometheus(self) -> Path:
        """Return the folder in which all processes keep their metrics."""
        return self.data / "run" / "prometheus"

    def environment(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of every process: ours, what was chosen, and one thread for each BLAS."""
        return {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # item factors on huge pages: a third less time at 1M items
            # Each worker would run Django's checks again at its start, throw away what they say, and write to memory
            # that it shares with the others; `manage.py migrate` runs them, and bad settings are refused by themselves.
            "CELERY_SKIP_CHECKS": "1",
            **os.environ,
            **chosen,
            "RECSITE_DATA_DIR": str(self.data),
            "PROMETHEUS_MULTIPROC_DIR": str(self.prometheus),
            "PYTHONUNBUFFERED": "1",
            **({"RECSITE_DEMO": "1"} if self.demo else {}),
        }

    def secret_key(self) -> str:
        """Return the secret of this installation; made at its first start and readable by its owner alone."""
        path = self.data / "secret_key"
        if not path.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(50))
        return path.read_text().strip()

    def write_env_file(self, chosen: Mapping[str, str]) -> None:
        """Write what was chosen for commands in another terminal."""
        self.env_file.touch(mode=0o600)
        lines = ["# Written by `manage.py up` at each start; the environment wins over it."]
        lines += [f"{name}={value}" for name, value in chosen.items()]
        if self.demo:
            lines.append("RECSITE_DEMO=1")
        self.env_file.write_text("\n".join(lines) + "\n")

    def make_folders(self) -> None:
        """Make the folders, and empty that of the metrics: files of dead processes would be counted again."""
        shutil.rmtree(self.prometheus, ignore_errors=True)
        for folder in (self.prometheus, self.logs, self.data / "static"):
            folder.mkdir(parents=True, exist_ok=True)

    def manage(self, *arguments: str) -> list[str]:
        """Return the command line of a management command."""
        return [sys.executable, str(self.project / "manage.py"), *arguments]

    def shoppers(self, environment: Mapping[str, str], address: str, *, launcher: Launcher | None = None) -> Supervised:
        """Return the simulated shoppers of the demo, who walk through the shop at ``address``."""
        return Supervised(
            name="shoppers",
            command=self.manage("demo_shoppers", "--url", address),
            environment=environment,
            log_path=self.logs / "shoppers.log",
            project=self.project,
            takes_sigterm=True,
            launcher=launcher,
        )

    def processes(self, environment: Mapping[str, str], *, launcher: Launcher | None = None) -> list[Supervised]:
        """Return web, stream worker, task worker and beat, in the order of their start.

        With a launcher they are forked from it, and have its environment.
        """
        celery = [sys.executable, "-m", "celery", "-A", "recsite"]
        commands = {
            "stream": [
                *celery,
                "worker",
                "-Q",
                "stream",
                "-P",
                "threads",
                "-c",
                "1",
                "-n",
                "stream@%h",
                "-l",
                "INFO",
                "--without-mingle",
                "--without-gossip",
            ],
            "web": [
                *(sys.executable, "-m", "recsite.server.web", "recsite.asgi:application"),
                *("--host", self.host, "--port", str(self.port), "--workers", str(self.web_workers)),
                *(
                    "--http",
                    "recsite.server.uvicorn_http:TimedProtocol",
                    "--no-access-log",
                    "--no-server-header",
                    "--timeout-graceful-shutdown",
                    "20",
                ),
                *("--ws", "recsite.server.uvicorn_ws:BoundedSocket"),
                *("--timeout-keep-alive", "75", "--ws-max-size", "16384", "--backlog", "2048"),
            ],
            "tasks": [
                *celery,
                "worker",
                "-Q",
                "recsite",
                "-P",
                "prefork",
                "-c",
                "2",  # one of them may train for an hour
                "-n",
                "tasks@%h",
                "-l",
                "INFO",
                "--without-mingle",
                "--without-gossip",
            ],
            "beat": [*celery, "beat", "-l", "INFO", "--pidfile", ""],
        }
        return [
            Supervised(
                name=name,
                command=command,
                environment=environment,
                log_path=self.logs / f"{name}.log",
                project=self.project,
                takes_sigterm=True,
                launcher=launcher,
            )
            for name, command in commands.items()
        ]
