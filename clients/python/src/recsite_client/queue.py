"""Events that wait on the shop server's disk, in SQLite; several processes may share one file."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from msgspec import Struct

from recsite_client.exceptions import QueueFull

BUSY_TIMEOUT_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id TEXT, anonymous_id TEXT,
    event BLOB NOT NULL
)
"""


class Waiting(Struct, frozen=True):
    """One event that waits."""

    id: int
    user_id: str | None
    anonymous_id: str | None
    event: bytes


class Queue:
    """A first-in-first-out queue on disk. Thread-safe: each call has a connection of its own.

    Parameters
    ----------
    path : Path
        The SQLite file; its folder is made when it is missing.
    max_events : int
        Beyond that many, ``put`` raises.
    """

    def __init__(self, path: Path, *, max_events: int) -> None:
        self._path = path
        self._max_events = max_events
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._make()

    def put(self, event: bytes, *, user_id: str | None, anonymous_id: str | None) -> None:
        """Add an event and return once it is on the disk; raises ``QueueFull``."""
        with self._lock, closing(self._connect()) as connection, connection:
            newest, oldest = connection.execute("SELECT max(id), min(id) FROM events").fetchone()
            if newest is not None and newest - oldest + 1 >= self._max_events:
                raise QueueFull(
                    f"{self._max_events} events wait in {self._path.name}; check the address, the key, and max_events"
                )
            connection.execute(
                "INSERT INTO events (user_id, anonymous_id, event) VALUES (?, ?, ?)", (user_id, anonymous_id, event)
            )

    def peek(self, *, most: int) -> list[Waiting]:
        """Return the oldest events; they stay until ``forget``."""
        with closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT id, user_id, anonymous_id, event FROM events ORDER BY id LIMIT ?", (most,)
            ).fetchall()
        return [Waiting(*row) for row in rows]

    def forget(self, events: list[Waiting]) -> None:
        """Drop events that the server has, or never will take."""
        with closing(self._connect()) as connection, connection:
            connection.executemany("DELETE FROM events WHERE id = ?", [(event.id,) for event in events])

    def __len__(self) -> int:
        with closing(self._connect()) as connection:
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])

    def _make(self) -> None:
        """Make the file ready, however many processes do so at once."""
        give_up_at = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                with closing(self._connect()) as connection:
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.execute(_SCHEMA)
                    connection.commit()
                return
            except sqlite3.OperationalError as error:
                # Of two that turn the log on, SQLite refuses one at once, without its time-out: both waiting for
                # the other would wait for ever.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                    raise
            time.sleep(random.uniform(0.005, 0.05))

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S)
        connection.execute("PRAGMA synchronous=FULL")  # on the disk when put returns, also when the power fails
        return connection
