"""The backends of the event log and the URLs that name them: adding a backend is one class and one line here.

Errors name the part of the URL that is wrong and the remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tracking.log.base import EventLog, InvalidLogUrl
from tracking.log.options import without_secrets

DEFAULT_PARTITIONS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A place where an event log can be kept.

    Parameters
    ----------
    implementation : str
        Module and name of a subclass of ``EventLog``; imported at first use, as each has a client library of its own.
    schemes : tuple of str
        Schemes of its URLs.
    is_for_tests : bool
        It does not outlive the process, so the setting ``EVENT_LOG_URL`` does not take it.
    """

    implementation: str
    schemes: tuple[str, ...]
    is_for_tests: bool = False


BACKENDS: Final = (
    Backend(implementation="tracking.log.kafka:KafkaLog", schemes=("kafka", "kafka+ssl")),
    Backend(
        implementation="tracking.log.redis_streams:RedisStreamsLog",
        schemes=("redis", "rediss", "redis+cluster", "rediss+cluster", "unix"),
    ),
    Backend(implementation="tracking.log.memory:MemoryLog", schemes=("memory",), is_for_tests=True),
)
SCHEMES: Final = {scheme: backend for backend in BACKENDS for scheme in backend.schemes}
DURABLE_SCHEMES: Final = tuple(scheme for scheme, backend in SCHEMES.items() if not backend.is_for_tests)


def open_log(url: str, *, partitions: int = DEFAULT_PARTITIONS) -> EventLog:
    """Return the event log at ``url``; connects to nothing yet.

    ``partitions`` counts when the topic is made and the URL does not say how many; it never changes a topic. URLs and
    their options are in ``docs/event-log.md``.

    Raises
    ------
    InvalidLogUrl
        The URL is malformed, or names an option that does not exist.
    """
    parts = _split(url)
    implementation: type[EventLog] = resolve_name(SCHEMES[parts.scheme].implementation)
    return implementation.at(parts, partitions=partitions)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InvalidLogUrl(f"event log URL {url!r} cannot be read: {error}") from error
    if parts.scheme not in SCHEMES:
        raise InvalidLogUrl(
            f"event log URL {without_secrets(parts)!r} must start with one of "
            f"{', '.join(scheme + '://' for scheme in SCHEMES)}"
        )
    if parts.fragment:
        raise InvalidLogUrl(f"event log URL {without_secrets(parts)!r} has a '#'; write %23 inside a password")
    return parts
