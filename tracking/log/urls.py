"""The URL of the event log, read into a typed address; errors name the part that is wrong and the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from tracking.log.base import EventLog, InvalidLogUrl

SCHEMES: Final = (
    "kafka", "kafka+ssl", "redis", "rediss", "redis+cluster", "rediss+cluster", "unix", "memory",
)  # fmt: skip
DEFAULT_TOPIC: Final = "recsite.events"
DEFAULT_PARTITIONS: Final = 4
MAX_PARTITIONS: Final = 1_024
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


def open_log(url: str, *, partitions: int = DEFAULT_PARTITIONS) -> EventLog:
    """Return the event log at ``url``; connects to nothing yet.

    ``partitions`` counts when the topic is made and the URL does not say how many; it never changes a topic.
    ``kafka://host:port[,host:port]/topic?partitions=8``, ``redis://host:port/db?stream=name&partitions=4``,
    ``unix:///path?db=0&stream=name``, or ``memory://name?partitions=4`` (the twin for tests). The other options
    are in ``docs/event-log.md``.

    Raises
    ------
    InvalidLogUrl
        The URL is malformed, or names an option that does not exist.
    """
    parts = _split(url)
    if parts.scheme.startswith("kafka"):
        from tracking.log.kafka import KafkaLog, read_kafka_url

        return KafkaLog(read_kafka_url(parts, partitions=partitions))
    if parts.scheme == "unix" or parts.scheme.startswith("redis"):
        from tracking.log.redis_streams import RedisStreamsLog, read_redis_url

        return RedisStreamsLog(read_redis_url(parts, partitions=partitions))
    from tracking.log.memory import MemoryLog

    options = Options(parts)
    partitions = options.integer("partitions", partitions, minimum=1, maximum=MAX_PARTITIONS)
    options.refuse_the_rest()
    return MemoryLog(name=parts.netloc or "default", topic=DEFAULT_TOPIC, partitions=partitions)


@dataclass(slots=True)
class Options:
    """The query of a log URL, taken option by option; what is left over at the end is a mistake."""

    parts: SplitResult
    _left: dict[str, str] = field(init=False)
    _known: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        pairs = parse_qsl(self.parts.query, keep_blank_values=True)
        self._left = dict(pairs)
        if len(self._left) < len(pairs):
            raise InvalidLogUrl(f"event log URL {self.safe_url!r} gives an option twice; give each once")

    @property
    def safe_url(self) -> str:
        """The URL without its password, for messages."""
        return without_secrets(self.parts)

    def text(self, name: str, default: str) -> str:
        """Take an option as text."""
        self._known.append(name)
        value = self._left.pop(name, None)
        if value == "":
            raise InvalidLogUrl(f"event log URL {self.safe_url!r}: option {name} is empty; leave it out or fill it in")
        return default if value is None else value

    def choice(self, name: str, default: str, *, among: tuple[str, ...]) -> str:
        """Take an option that is one of a few words."""
        value = self.text(name, default)
        if value not in among:
            raise InvalidLogUrl(f"event log URL {self.safe_url!r}: {name}={value!r} is not one of {', '.join(among)}")
        return value

    def topic(self, name: str, default: str) -> str:
        """Take an option that is the name of a topic."""
        return check_topic(self.text(name, default), safe_url=self.safe_url)

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Take an option as a whole number within its limits."""
        raw = self.text(name, str(default))
        if not raw.isdecimal() or not minimum <= int(raw) <= maximum:
            raise InvalidLogUrl(
                f"event log URL {self.safe_url!r}: {name}={raw!r} is not a whole number from {minimum} to {maximum}"
            )
        return int(raw)

    def refuse_the_rest(self) -> None:
        """Raise when an option is left that nobody asked for."""
        if self._left:
            raise InvalidLogUrl(
                f"event log URL {self.safe_url!r} has an unknown option {next(iter(self._left))!r}; "
                f"known are {', '.join(sorted(self._known))}"
            )


def check_topic(topic: str, *, safe_url: str) -> str:
    """Return ``topic`` when Kafka would take it as a name."""
    if not _TOPIC.fullmatch(topic) or topic in {".", ".."}:
        raise InvalidLogUrl(
            f"event log URL {safe_url!r}: {topic!r} is not a topic name; "
            "use 1 to 200 letters, digits, dots, dashes and underscores"
        )
    return topic


def without_secrets(parts: SplitResult) -> str:
    """Return the URL with passwords blotted out."""
    account, at, hosts = parts.netloc.rpartition("@")
    user, colon, _ = account.partition(":")
    netloc = f"{user}:***@{hosts}" if colon else f"{account}{at}{hosts}"
    query = re.sub(r"(password=)[^&]*", r"\1***", parts.query)
    return urlunsplit(parts._replace(netloc=netloc, query=query))


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
