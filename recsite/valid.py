"""What a setting may be: each function returns the value as it is used, or says what is wrong and the remedy.

Functions raise ``ValueError`` with words that follow name and value: ``RECSITE_LOG_LEVEL='LOUD' is no level; …``.
"""

from __future__ import annotations

import ipaddress
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

SECRET_LENGTH: Final = 16
TOKEN_LENGTH: Final = 8
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
BROKER_SCHEMES: Final = ("redis", "rediss", "amqp", "amqps", "memory", "sentinel", "sqs", "unix", "redis+socket")
_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")


def a_network(word: str) -> str:
    """Return an IP network or address as Python writes it."""
    try:
        return str(ipaddress.ip_network(word))
    except ValueError as error:
        raise ValueError(f"is not a network: {error}; write one such as 10.0.0.0/8") from None


def a_host(word: str) -> str:
    """Return a host name or an IP address that a process can listen on, or that names it."""
    try:
        ipaddress.ip_address(word.removeprefix("[").removesuffix("]"))
        return word
    except ValueError:
        pass
    if len(word) > 253 or not all(_NAME.fullmatch(part) for part in word.rstrip(".").split(".")):
        raise ValueError("is not a host; write a name or an address alone, without scheme, port or path")
    return word


def an_allowed_host(word: str) -> str:
    """Return a host that requests may be for: ``*`` for any, ``.shop.example`` for a domain and all below it."""
    if word != "*":
        a_host(word.removeprefix("."))
    return word


def an_origin(word: str) -> str:
    """Return an origin, such as ``https://admin.shop.example``; ``*.`` may stand for what is below a domain."""
    parts = _split(word)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path or parts.query or parts.fragment:
        raise ValueError("is not an origin; write https:// and the host, without a path")
    a_host(parts.hostname.removeprefix("*."))
    return word


def a_header_name(word: str) -> str:
    """Return the name of an HTTP header, or nothing."""
    if word and not _NAME.fullmatch(word):
        raise ValueError("is no name of a header; write one such as CF-IPCountry, or leave it empty")
    return word


def a_level(word: str) -> str:
    """Return a level of logging, in capitals."""
    if word.upper() not in LEVELS:
        raise ValueError(f"is no level; use one of {', '.join(LEVELS)}")
    return word.upper()


def one_of(*words: str) -> Callable[[str], str]:
    """Return what takes these words alone."""

    def check(word: str) -> str:
        if word not in words:
            raise ValueError(f"is unknown; use one of {', '.join(words)}")
        return word

    return check


def a_secret(word: str) -> str:
    """Return a secret that nobody guesses."""
    return _secret(word, SECRET_LENGTH)


def a_token(word: str) -> str:
    """Return a token that stands in the configuration of another program."""
    return _secret(word, TOKEN_LENGTH)


def a_project(url: str) -> str:
    """Return the address of a project to which errors are told; it is a secret, so no message holds it."""
    parts = _split(url)
    project = parts.path.rpartition("/")[2]
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.username or not project.isdecimal():
        raise ValueError("is no address of a project; write https://key@host/number as the service shows it")
    return url


def a_collector(url: str) -> str:
    """Return the address of an OpenTelemetry collector: a host, and a path where it is not the usual one."""
    parts = _split(a_server(url))
    if parts.query or parts.fragment or parts.username:
        raise ValueError(
            "has more than a host, a port and a path; write http://host:4318, and keys in OTEL_EXPORTER_OTLP_HEADERS"
        )
    return url


def a_server(url: str) -> str:
    """Return a URL that names a server (or, with ``unix``, a socket) and a port that there can be."""
    parts = _split(url)
    if parts.scheme.startswith("unix"):
        if not parts.path:
            raise ValueError("names no socket; write unix:///path/to/redis.sock")
    elif not parts.hostname:
        raise ValueError(f"names no host; write {parts.scheme}://host:port/…")
    return url


def a_redis(url: str) -> str:
    """Return the URL of a Redis; its path is the number of a database."""
    parts = _split(a_server(url))
    number = parts.path.strip("/")
    if not parts.scheme.startswith("unix") and number and not number.isdigit():
        raise ValueError(f"ends with {number!r}; end it with the number of a database, such as /0")
    return url


def a_database(url: str) -> str:
    """Return the URL of a database, whose path is its name, or the path of its file."""
    parts = _split(url)
    if parts.scheme == "sqlite":
        if parts.path in ("", "/") and url != "sqlite://:memory:":
            raise ValueError("names no file; write sqlite:////path/to/file")
        return url
    if not parts.path.strip("/"):
        raise ValueError("names no database; end it with /name")
    return url


def a_broker(url: str) -> str:
    """Return the URL of a broker of Celery."""
    parts = _split(url)
    if parts.scheme not in BROKER_SCHEMES:
        raise ValueError(f"must start with one of {', '.join(name + '://' for name in BROKER_SCHEMES)}")
    return url


def an_archive(url: str) -> str:
    """Return a folder, or an address that fsspec has a file system for."""
    parts = _split(url)
    if "://" not in url:
        return a_folder(url)
    from fsspec import available_protocols  # names alone: none of the file systems is imported

    if parts.scheme not in available_protocols():
        raise ValueError(
            f"has the scheme {parts.scheme!r}, which fsspec does not know; write a folder, or s3://bucket/…"
        )
    if parts.scheme not in ("file", "memory", "local") and not parts.netloc:
        raise ValueError(f"names no bucket; write {parts.scheme}://bucket/path")
    return url


def a_folder(text: str) -> str:
    """Return a folder that is there, or can be made; what stands in its way is named."""
    if "\0" in text:
        raise ValueError("holds U+0000; write a path")
    folder = Path(text)
    existing = _existing(folder)
    if not existing.is_dir():
        raise ValueError(f"cannot be a folder: {str(existing)!r} is a file; name another folder")
    if existing != folder.absolute():
        _try_to_write(existing)
    return text


def a_folder_that_is_there(text: str) -> str:
    """Return a folder that is read from, or nothing."""
    if text and ("\0" in text or not Path(text).is_dir()):
        raise ValueError("is no folder that is there; name the one that holds the files, or leave it empty")
    return text


def a_writable_folder(text: str) -> str:
    """Return a folder that is there, or can be made, and that this user may write to."""
    a_folder(text)
    _try_to_write(_existing(Path(text)))
    return text


def _existing(folder: Path) -> Path:
    absolute = folder.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.exists())


def _try_to_write(folder: Path) -> None:
    """Write a file that has no name: what a right on the folder says is not the whole truth of a mount."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(
            f"cannot be written: {str(folder)!r}: {error.strerror}; name a folder that this user may write to"
        ) from None


def _split(url: str) -> SplitResult:
    """Return the parts of a URL; where it names several servers, of the last one, with each looked at."""
    scheme, sign, rest = url.partition("://")
    servers, slash, path = rest.partition("/")
    before, at, hosts = servers.rpartition("@")
    *others, last = hosts.split(",")
    for other in others:
        _split(f"{scheme}{sign}{before}{at}{other}{slash}{path}")
    try:
        parts = urlsplit(f"{scheme}{sign}{before}{at}{last}{slash}{path}")
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}; write {scheme or 'scheme'}://host:port/…") from None
    if port == 0:
        raise ValueError("has port 0; name the port that the server listens on")
    if re.search(r"\s", url):
        raise ValueError("holds a blank; percent-encode it")
    return parts


def _secret(word: str, least: int) -> str:
    if len(word) < least:
        raise ValueError(
            f"has {len(word)} characters; use {least} random ones or more: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        )
    return word


def a_role(text: str) -> str:
    """Return a pair of a provider's group and a role on a site, as ``group=site:Role``."""
    if not all(parts_of_role(text)):
        raise ValueError("is no group with its role; write it like merchants=shop:Merchandiser")
    return text


def parts_of_role(text: str) -> tuple[str, str, str]:
    """Return group, site and role of ``group=site:Role``; what is missing is empty."""
    group, _, rest = text.rpartition("=")
    site, _, role = rest.partition(":")
    return group.strip(), site.strip(), role.strip()
