"""Django's PostgreSQL backend, whose connections wait for an answer only so long.

``statement_timeout`` is kept by the server, so a server that is frozen keeps nothing, and TCP sees nothing amiss: its
kernel still acknowledges. A thread that loads a snapshot would hang for good. So the client counts, too.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from django.conf import settings
from django.db.backends.postgresql import base

GRACE_S: Final = 5.0
"""What the client waits longer than the server, whose own error says more."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with connections that give up."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that raises ``OperationalError`` when the server is silent for too long."""
        connection = super().get_new_connection(conn_params)
        if settings.DATABASE_TIMEOUT_MS:
            give_up_after(connection, timeout_s=settings.DATABASE_TIMEOUT_MS / 1000 + GRACE_S)
        return connection


def give_up_after(connection: psycopg.Connection[Any], *, timeout_s: float) -> None:
    """Let ``connection`` wait no longer than ``timeout_s`` for any answer, and be closed then."""
    wait = connection.wait

    def wait_or_give_up(gen: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("timeout", timeout_s)
        try:
            return wait(gen, *args, **kwargs)
        except psycopg.errors._WaitTimeout as error:
            connection.pgconn.finish()  # what is under way on it is lost; the next use connects again
            raise psycopg.OperationalError(
                f"the database gave no answer for {timeout_s:g} s; see RECSITE_DATABASE_TIMEOUT_MS"
            ) from error

    connection.wait = wait_or_give_up  # type: ignore[method-assign]
