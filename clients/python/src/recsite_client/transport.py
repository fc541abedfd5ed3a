"""Requests over kept connections, one a thread, retried where that can help."""

from __future__ import annotations

import http.client
import threading
import time
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from recsite_client.exceptions import ApiError, NoAnswer

RETRIED: Final = frozenset({429, 503})
LONGEST_PAUSE_S: Final = 5.0


class Transport:
    """Sends one request and returns the body of a good answer. Thread-safe.

    Every operation of the API may be sent twice without harm, so each is retried after a broken connection, a 429
    or a 503, ``retries`` times at most, after the pause that the server names.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float, retries: int) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url={url!r} is not an address; use one such as https://rec.shop.example")
        self._parts = parts
        self._prefix = parts.path.rstrip("/")
        self._key = key
        self._timeout_s = timeout_s
        self._retries = retries
        self._local = threading.local()

    def send(self, method: str, path: str, body: Any = None) -> bytes:
        """Return the body of the answer.

        Raises
        ------
        ApiError
            The server refused.
        NoAnswer
            It could not be reached, or did not answer in time.
        """
        data = None if body is None else msgspec.json.encode(body)
        for attempt in range(self._retries + 1):
            try:
                status, headers, answer = self._once(method, self._prefix + path, data)
            except (OSError, http.client.HTTPException) as error:
                self._local.connection = None
                if attempt == self._retries:
                    raise NoAnswer(f"{method} {path}: {error!r}") from error
                time.sleep(0.1 * 2**attempt)
                continue
            if status < 400:
                return answer
            if status not in RETRIED or attempt == self._retries:
                raise _error(status, answer)
            time.sleep(min(_pause_s(headers.get("retry-after")), LONGEST_PAUSE_S))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _once(self, method: str, path: str, data: bytes | None) -> tuple[int, Any, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            assert self._parts.hostname is not None  # checked when this was made
            connection = kind(self._parts.hostname, self._parts.port, timeout=self._timeout_s)
            self._local.connection = connection
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, body=data, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def _pause_s(said: str | None) -> float:
    return float(said) if said is not None and said.isdigit() else 0.5


def _error(status: int, answer: bytes) -> ApiError:
    try:
        said = msgspec.json.decode(answer, type=dict[str, Any])
    except msgspec.DecodeError:  # a proxy in between answered, not we
        said = {}
    return ApiError(
        status=status,
        error=str(said.get("error", "unknown")),
        message=str(said.get("message", answer[:200].decode("utf-8", "replace"))),
        field=str(said.get("field", "")),
    )
