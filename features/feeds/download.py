"""Fetch a feed from the shop's address: public hosts only, checked again at each redirect, within time and size.

A feed's address is typed into a form, so it must not become a way into the network behind us. The host is resolved
once, every address it has must be public, and the connection goes to the very address that was checked.
"""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from collections.abc import Callable
from typing import BinaryIO, Final
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from features.feeds.public_address import NotFetched, check_port, is_public, web_address

CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 30.0
TOTAL_TIMEOUT_S: Final = 1_800.0
MAX_BYTES: Final = 2 << 30
MAX_REDIRECTS: Final = 5
_CHUNK: Final = 1 << 16
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class DownloadFailed(Exception):
    """The feed could not be fetched; the message names the host, what happened and the remedy."""


def download(
    url: str,
    target: BinaryIO,
    *,
    max_bytes: int = MAX_BYTES,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Write what ``url`` answers into ``target`` and return how many bytes there were.

    Raises
    ------
    DownloadFailed
        The address is not http(s) or not public, the host does not answer in time, or it answers too much.
    """
    deadline = clock() + TOTAL_TIMEOUT_S
    for _ in range(MAX_REDIRECTS + 1):
        if clock() > deadline:
            raise DownloadFailed(f"{urlsplit(url).hostname} did not answer within {TOTAL_TIMEOUT_S:.0f} s")
        parts = _checked(url)
        connection = _connection(parts)
        try:
            connection.request("GET", _path(parts), headers=_headers(parts))
            response = connection.getresponse()
            if response.status in _REDIRECTS:
                url = _next_address(parts, response.headers.get("Location", ""))
                continue
            if response.status != 200:
                raise DownloadFailed(
                    f"{parts.hostname} answered {response.status} {response.reason}; check the address"
                )
            return _copy(response, target, max_bytes=max_bytes, deadline=deadline, clock=clock)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadFailed(f"{parts.hostname} cannot be read: {error or type(error).__name__}") from error
        finally:
            connection.close()
    raise DownloadFailed(f"{urlsplit(url).hostname} redirects more than {MAX_REDIRECTS} times; give the last address")


def _checked(url: str) -> SplitResult:
    try:
        return web_address(url)
    except NotFetched as error:
        raise DownloadFailed(str(error)) from error


def _resolve(host: str, port: int) -> str:
    """Return the address to connect to; every address of the host must be public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DownloadFailed(f"{host} cannot be found: {error}") from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_public(address):
            raise DownloadFailed(f"{host} is the private address {address}; a feed must have a public one")
    return addresses[0]


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    address = _resolve(host, port)
    try:
        check_port(parts)
    except NotFetched as error:
        raise DownloadFailed(str(error)) from error
    if parts.scheme == "https":
        return _PinnedHttps(host, port, address)
    return _PinnedHttp(host, port, address)


class _PinnedHttp(http.client.HTTPConnection):
    """Connects to the address that was checked, whatever the name means a moment later."""

    def __init__(self, host: str, port: int, address: str) -> None:
        super().__init__(host, port, timeout=READ_TIMEOUT_S)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), CONNECT_TIMEOUT_S)
        self.sock.settimeout(READ_TIMEOUT_S)


class _PinnedHttps(http.client.HTTPSConnection):
    """The same, with the certificate checked against the host's name."""

    def __init__(self, host: str, port: int, address: str) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=READ_TIMEOUT_S, context=self._tls)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), CONNECT_TIMEOUT_S)
        plain.settimeout(READ_TIMEOUT_S)
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise


def _next_address(parts: SplitResult, location: str) -> str:
    """Return where a redirect leads; never from https to plain http, where others read what a password is for."""
    url = urljoin(parts.geturl(), location)
    if parts.scheme == "https" and urlsplit(url).scheme == "http":
        raise DownloadFailed(f"{parts.hostname} redirects from https to http; give the last address")
    return url


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _headers(parts: SplitResult) -> dict[str, str]:
    headers = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "Recsite feed reader"}
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    return headers


def _copy(
    response: http.client.HTTPResponse,
    target: BinaryIO,
    *,
    max_bytes: int,
    deadline: float,
    clock: Callable[[], float],
) -> int:
    size = 0
    while chunk := response.read1(_CHUNK):  # what there is: a sender that drips must not outlast the deadline
        size += len(chunk)
        if size > max_bytes:
            raise DownloadFailed(f"the feed is larger than {max_bytes:,} bytes; split it, or pack it with gzip")
        if clock() > deadline:
            raise DownloadFailed(f"the feed did not arrive within {TOTAL_TIMEOUT_S:.0f} s")
        target.write(chunk)
    if response.length:
        raise DownloadFailed(f"the feed ended {response.length:,} bytes before its end; fetch it again")
    return size
