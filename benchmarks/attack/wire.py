"""Requests as the proxy before Recsite passes them on."""

from __future__ import annotations


def from_address(address: str, request: bytes) -> bytes:
    """Return a request with the address that the proxy saw."""
    return request.replace(b"\r\n", b"\r\nX-Forwarded-For: %b\r\n" % address.encode(), 1)
