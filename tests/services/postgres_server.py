"""A real PostgreSQL; it refuses to run as root, so there it runs as the user ``postgres``."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import struct
import subprocess
import uuid
from pathlib import Path

from tests.services.process import Missing, Server

REMEDY = "apt install postgresql"


class PostgresServer(Server):
    """The newest PostgreSQL that is installed, without fsync: fast, and good for tests only."""

    name = "postgres"

    def __init__(self) -> None:
        self._bin = _newest_bin()
        self._uid = _unprivileged_user()
        super().__init__()
        if self._uid is not None:
            os.chown(self.data, self._uid, -1)
        self._cluster = self.data / "cluster"

    @property
    def url(self) -> str:
        """The URL of an empty database, as superuser ``recsite``."""
        return f"postgres://recsite@127.0.0.1:{self.port}/postgres"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        import psycopg

        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgres://recsite@127.0.0.1:{self.port}/{name}"

    def user(self) -> int | None:
        """Return the user to run as."""
        return self._uid

    def command(self) -> list[str]:
        """Return the command line; makes the cluster when there is none."""
        if not self._cluster.exists():
            made = subprocess.run(
                [self._bin / "initdb", "-D", self._cluster, "-U", "recsite", "-A", "trust", "-E", "UTF8",
                 "--locale=C.UTF-8", "--no-sync"],
                user=self._uid, cwd="/", capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            if made.returncode:
                raise RuntimeError(f"initdb failed: {made.stderr}")
        return [
            str(self._bin / "postgres"), "-D", str(self._cluster), "-p", str(self.port), "-h", "127.0.0.1",
            "-k", str(self.data), "-F", "-c", "full_page_writes=off", "-c", "synchronous_commit=off",
            "-c", "max_connections=200",
        ]  # fmt: skip

    def answers(self) -> bool:
        """Return whether a start-up packet for our user is answered with an authentication message."""
        body = struct.pack("!I", 196608) + b"user\0recsite\0database\0postgres\0\0"
        with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(struct.pack("!I", len(body) + 4) + body)
            return connection.recv(1) == b"R"


def _newest_bin() -> Path:
    versions = Path("/usr/lib/postgresql")
    found = sorted(
        (folder / "bin" for folder in versions.glob("[0-9]*") if (folder / "bin/postgres").exists()),
        key=lambda folder: float(folder.parent.name),
    )
    if found:
        return found[-1]
    if program := shutil.which("postgres"):
        return Path(program).parent
    raise Missing("PostgreSQL", REMEDY)


def _unprivileged_user() -> int | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_uid
    except KeyError:
        raise Missing("PostgreSQL", f"there is no user 'postgres' to run it as; {REMEDY}") from None
