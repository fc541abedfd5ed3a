"""One connection to Redis shared by all requests of an event loop: commands go out as they come, answers in that order.

redis-py's asyncio client takes a connection from a pool for each command and spends ten times the CPU that reading two
small values needs. This does only what serving needs, with every answer bounded by a time-out. A connection that was
lost is opened again by the next command.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any, Final, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import hiredis

from features.exceptions import StoreUnavailable

MAX_WAITING: Final = 10_000
"""Commands on their way at once; beyond, callers are refused rather than queued."""


class _Connection(asyncio.Protocol):
    """Matches answers to commands by their order."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiting: deque[asyncio.Future[Any]] = deque()
        self._reader = hiredis.Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports are no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        reader, waiting = self._reader, self.waiting
        reader.feed(data)
        while True:
            try:
                answer = reader.gets()
            except hiredis.ProtocolError:
                self.lose("it answered something that is not its protocol")
                return
            if answer is False:
                return
            future = waiting.popleft()
            if not future.done():
                future.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        while self.waiting:
            future = self.waiting.popleft()
            if not future.done():
                future.set_exception(StoreUnavailable(f"the connection to Redis was lost: {exc or 'closed'}"))
                future.exception()  # nobody may be waiting any more

    def lose(self, why: str) -> None:
        if self.transport is not None:
            self.transport.abort()
        self.connection_lost(ConnectionError(why))

    def send(self, *commands: tuple[Any, ...]) -> list[asyncio.Future[Any]]:
        assert self.transport is not None
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in commands]
        self.waiting.extend(futures)
        self.transport.write(b"".join(map(hiredis.pack_command, commands)))
        return futures


class SharedConnection:
    """Sends single commands to the server at ``url``, for one event loop.

    Parameters
    ----------
    url : str
        ``redis://``, ``rediss://`` or ``unix://``; not a Cluster. Of redis-py's options it knows ``ssl_ca_certs``,
        ``ssl_certfile``, ``ssl_keyfile`` and ``ssl_cert_reqs``.
    timeout_s : float
        For connecting, and for each answer.
    """

    def __init__(self, url: str, *, timeout_s: float) -> None:
        self._parts = urlsplit(url)
        self._timeout_s = timeout_s
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[_Connection] | None = None

    async def execute(self, *command: Any) -> Any:
        """Send one command and return its answer.

        Raises
        ------
        StoreUnavailable
            Redis is unavailable, did not answer in time, or refused the command.
        """
        connection = self._connection
        if connection is None or connection.transport is None:
            connection = await self._connected()
        if connection.transport is None:  # it was lost in the moment between connecting and this turn of the loop
            raise StoreUnavailable("the connection to Redis was lost")
        if len(connection.waiting) >= MAX_WAITING:
            raise StoreUnavailable(f"{MAX_WAITING} answers of Redis are waited for already")
        (future,) = connection.send(command)
        handle = asyncio.get_running_loop().call_later(self._timeout_s, _expire, future, self._timeout_s)
        try:
            answer = await future
        finally:
            handle.cancel()
        if isinstance(answer, Exception):
            raise StoreUnavailable(f"Redis refused {command[0]}: {answer}")
        return answer

    def reset(self) -> None:
        """Drop the connection: answers that never came would be waited for on it for ever."""
        if self._connection is not None:
            self._connection.lose("it did not answer")
            self._connection = None

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None and self._connection.transport is not None:
            self._connection.transport.close()
        self._connection = None

    async def _connected(self) -> _Connection:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(self._connecting)
        except (OSError, TimeoutError) as error:
            raise StoreUnavailable(f"Redis cannot be reached: {error or 'no answer in time'}") from error

    async def _connect(self) -> _Connection:
        loop, parts = asyncio.get_running_loop(), self._parts
        async with asyncio.timeout(max(1.0, self._timeout_s)):
            if parts.scheme == "unix":
                _, connection = await loop.create_unix_connection(_Connection, parts.path)
                database = ""
            else:
                context = tls_context(parts) if parts.scheme == "rediss" else None
                _, connection = await loop.create_connection(
                    _Connection, parts.hostname or "127.0.0.1", parts.port or 6379, ssl=context
                )
                database = parts.path.removeprefix("/")
            if connection.transport is None:
                raise StoreUnavailable("the connection to Redis was lost as soon as it was made")
            greetings: list[tuple[Any, ...]] = []
            if parts.password:
                user = (unquote(parts.username),) if parts.username else ()
                greetings.append(("AUTH", *user, unquote(parts.password)))
            if database not in ("", "0"):
                greetings.append(("SELECT", database))
            for future in connection.send(*greetings) if greetings else ():
                answer = await future
                if isinstance(answer, Exception):
                    connection.lose(str(answer))
                    raise StoreUnavailable(f"Redis refused the connection: {answer}")
        self._connection = connection
        return connection


def _expire(future: asyncio.Future[Any], timeout_s: float) -> None:
    if not future.done():
        future.set_exception(StoreUnavailable(f"Redis did not answer within {timeout_s} s"))


def tls_context(parts: SplitResult) -> ssl.SSLContext:
    """Return how a ``rediss://`` URL wants its server checked: by the system's authorities unless it names its own."""
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    except OSError as error:
        raise StoreUnavailable(f"the certificates that the Redis URL names cannot be read: {error}") from error
    if options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
