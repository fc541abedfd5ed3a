"""One kept-alive HTTP/1.1 connection to a shop's service: to the address that was checked, bounded in size.

httptools reads what comes in; there is no redirect that is followed, no cookie, no compression. Whoever waits says for
how long: a request that is cancelled takes its connection with it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult

import httptools

from features.feeds.public_address import NotFetched, checked_address, is_public

MAX_HEADER_BYTES: Final = 32 << 10


class NoAnswer(Exception):
    """A service that gave no answer that can be read; the message names what happened and never holds what was sent."""


class Closed(NoAnswer):
    """The service closed the connection before it said anything, as it may with one that was idle."""


class Connection(asyncio.Protocol):
    """Sends one request at a time and reads its answer."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._body = bytearray()
        self._n_bytes = 0
        self._max_bytes = 0

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    async def post(self, parts: SplitResult, body: bytes, headers: dict[str, str], *, max_bytes: int) -> bytes:
        """Return the body of a 200, of at most ``max_bytes``; waits until it is cancelled.

        Raises
        ------
        NoAnswer
            The connection ended, the answer is too large, is no HTTP, or has another status.
        """
        assert self._transport is not None
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._n_bytes, self._max_bytes = bytearray(), 0, max_bytes
        self._waiting = asyncio.get_running_loop().create_future()
        port = f":{parts.port}" if parts.port is not None else ""
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        lines = [
            f"POST {path} HTTP/1.1", f"Host: {host}{port}", "Content-Type: application/json",
            "Accept: application/json", "Accept-Encoding: identity", "User-Agent: Recsite candidate source",
            f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items()),
        ]  # fmt: skip
        try:
            self._transport.write("\r\n".join([*lines, "", ""]).encode("ascii") + body)
            status, answer = await self._waiting
        except BaseException:
            self.close()  # what is still on its way would be taken for the next answer
            raise
        if status != 200:
            self.close()
            remedy = "give the address that it leads to" if 300 <= status < 400 else "answer 200"
            raise NoAnswer(f"the service answered {status}; {remedy}")
        return answer

    def close(self) -> None:
        """Close it at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read a part of the answer."""
        if self._waiting is None or self._waiting.done() or self._parser is None:
            self.close()  # nobody asked
            return
        self._n_bytes += len(data)
        if self._n_bytes > self._max_bytes + MAX_HEADER_BYTES:
            self._fail(NoAnswer(f"the answer has more than {self._max_bytes:,} bytes"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(NoAnswer(f"the answer is no HTTP/1.1: {error}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._transport = None
        if self._n_bytes:
            self._fail(NoAnswer("the service closed the connection before its answer ended; send a Content-Length"))
        else:
            self._fail(Closed("the service closed the connection and answered nothing"))

    # --- httptools ----------------------------------------------------------------------------------------

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body."""
        self._body += part

    def on_message_complete(self) -> None:
        """Answer whoever waits."""
        if self._waiting is None or self._waiting.done() or self._parser is None:
            return
        status = self._parser.get_status_code()
        if status < 200:
            return  # 100 Continue: the answer follows
        if not self._parser.should_keep_alive() and self._transport is not None:
            self._transport.close()
        self._waiting.set_result((status, bytes(self._body)))

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)
        self.close()


async def connected(parts: SplitResult) -> Connection:
    """Return a connection to a service; every address of its host must be public, and one of these is connected to.

    Raises
    ------
    NoAnswer
        The host cannot be found, is not public, takes no connection, or shows no certificate of its name.
    """
    loop = asyncio.get_running_loop()
    host, port = parts.hostname or "", parts.port or 443
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        private = next((address for address in addresses if not is_public(address)), None)
        if private is not None or not addresses:
            raise NoAnswer(f"{host} is the private address {private}; the service must have a public one")
        context = await loop.run_in_executor(None, _tls)
        for address in addresses[:-1]:  # a host may have an IPv6 address, and we no way to it
            try:
                return (await loop.create_connection(Connection, address, port, ssl=context, server_hostname=host))[1]
            except ssl.SSLError:
                raise
            except OSError:
                continue
        _, made = await loop.create_connection(Connection, addresses[-1], port, ssl=context, server_hostname=host)
    except (OSError, UnicodeError) as error:  # of ssl, too
        raise NoAnswer(f"{host} cannot be reached: {error or type(error).__name__}") from error
    return made


def service_address(url: str) -> SplitResult:
    """Return the parts of an address at which a service may be asked.

    Raises
    ------
    NotFetched
        See ``features.feeds.public_address``; or it is not https, or holds a password.
    """
    parts = checked_address(url)
    if parts.scheme != "https":
        raise NotFetched("What shoppers looked at is sent by https alone; start the address with https://")
    if parts.username or parts.password:
        raise NotFetched("The address holds a name or password, which logs would keep; use the secret instead")
    if not url.isascii() or parts.fragment:
        raise NotFetched("The address has characters beside ASCII, or a part after #; percent-encode them, or cut it")
    return parts


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Return what checks certificates; reading the authorities takes some ten milliseconds."""
    return ssl.create_default_context()
