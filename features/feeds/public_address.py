"""Which web addresses may be fetched: the one validator of forms, feeds and downloads.

What is typed into a form must not become a way into the network behind us. An address is looked at as it is written,
then every IP address that its host has, and the connection goes to one of those that were looked at.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from features.feeds.addresses import MAX_ADDRESS

LOWEST_FREE_PORT: Final = 1_024
WEB_PORTS: Final = frozenset({80, 443})
SERVICE_PORTS: Final = frozenset(
    {1433, 1521, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 4369, 5432, 5555, 5672, 5900, 5984, 6000, 6379,
     6380, 6443, 7000, 7001, 7474, 8086, 8125, 8500, 9042, 9092, 9093, 9094, 9100, 9200, 9300, 10250, 10255, 11211,
     15672, 16379, 26379, 27017, 27018, 50070, 61616}
)  # fmt: skip
"""Ports above 1023 at which databases, brokers and consoles listen, and no shop's feed."""

UNICAST: Final = ipaddress.IPv6Network("2000::/3")
NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip
"""IANA's special-purpose registries: private, shared, loopback, link-local, documentation, benchmarking, multicast,
reserved; of IPv6 what lies in the unicast range, with Teredo, ORCHID and 6to4, which name IPv4 addresses inside."""

_ODD: Final = re.compile(r"[\x00-\x20\x7f\\]")


class NotFetched(ValueError):
    """An address that is not fetched; the message says why and what would be, and never holds a password."""


def checked_address(url: str) -> SplitResult:
    """Return the parts of an address that may be fetched, as far as can be said without looking its host up.

    Raises
    ------
    NotFetched
        See ``web_address`` and ``check_port``; or the host is written as a private address.
    """
    parts = web_address(url)
    written = _written_as_number(parts.hostname or "")
    if written is not None and not is_public(written):
        raise NotFetched(f"{parts.hostname} is the private address {written}; a feed must have a public one")
    check_port(parts)
    return parts


def check_port(parts: SplitResult) -> None:
    """Raise ``NotFetched`` for a port at which something else than a web server listens."""
    if parts.port is not None and not is_web_port(parts.port):
        raise NotFetched(
            f"{parts.hostname} is named with port {parts.port}, which is no port of a web server; leave it out"
        )


def web_address(url: str) -> SplitResult:
    """Return the parts of an http(s) address.

    Raises
    ------
    NotFetched
        It is none, or holds what an address cannot.
    """
    if _ODD.search(url) or len(url) > MAX_ADDRESS:
        raise NotFetched(
            f"{shown(url)!r} is not a web address: blanks and backslashes are percent-encoded in one, and it has "
            f"{MAX_ADDRESS:,} characters at most"
        )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise NotFetched(f"{shown(url)!r} is not a web address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotFetched(f"{shown(url)!r} is not a web address; start it with https://")
    return parts


def is_web_port(port: int) -> bool:
    """Return whether web servers listen at the port: 80, 443, or above 1023 where nothing else is known to."""
    return port in WEB_PORTS or (port >= LOWEST_FREE_PORT and port not in SERVICE_PORTS)


def is_public(address: str) -> bool:
    """Return whether an IP address may be connected to: a public one, whatever other address it holds inside."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.scope_id is not None:
            return False
        inner = parsed.ipv4_mapped
        if inner is None and parsed in NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(str(inner))
        if parsed not in UNICAST or _is_isatap(parsed):
            return False
    return not any(parsed in network for network in NOT_PUBLIC if network.version == parsed.version)


def shown(url: str) -> str:
    """Return an address as messages and logs may hold it: without password and query."""
    bare = re.sub(r"(?<=//)[^/@]*@", "", url)
    return re.split(r"[?#]", bare, maxsplit=1)[0][:200]


def _is_isatap(address: ipaddress.IPv6Address) -> bool:
    """Return whether the address ends with an IPv4 address that routers of old tunnel to (RFC 5214)."""
    return (int(address) >> 32) & 0xFDFF_FFFF == 0x0000_5EFE


def _written_as_number(host: str) -> str | None:
    """Return the address that a host is when it is written as one, also as ``127.1`` or ``0x7f000001``, else None."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    parts = host.rstrip(".").split(".")
    if len(parts) > 4:
        return None
    numbers = []
    for part in parts:
        if not re.fullmatch(r"0[xX][0-9a-fA-F]*|[0-9]+", part):
            return None
        numbers.append(
            int(part[2:] or "0", 16) if part[:2].lower() == "0x" else int(part, 8 if _is_octal(part) else 10)
        )
    *bytes_, rest = numbers
    if any(number > 255 for number in bytes_) or rest >= 256 ** (4 - len(bytes_)):
        return None
    value = rest
    for position, number in enumerate(bytes_):
        value += number << 8 * (3 - position)
    return str(ipaddress.IPv4Address(value))


def _is_octal(part: str) -> bool:
    return len(part) > 1 and part.startswith("0") and not set(part) & {"8", "9"}
