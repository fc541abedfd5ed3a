"""What collect saw of each site, by hour and by day: events, mends, refusals, clocks, orders and their currencies.

Collecting adds to sums in memory and waits for nothing; a thread brings them to Redis every few seconds. While Redis
is unavailable they wait. What stands in Redis is bounded: two hashes and a set of samples a site and day, with at most
``MAX_NAMES`` names of a kind that callers choose.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from tracking import keys
from tracking.background_flusher import RedisFlusher
from tracking.contract.events import (
    KNOWN_EVENTS,
    CustomEvent,
    EventRecord,
    Purchase,
    PurchaseParams,
    Refund,
    RefundParams,
)
from tracking.contract.mending.currencies import CURRENCIES, has_excess_decimals
from tracking.contract.mending.event import Mend
from tracking.contract.mending.values import Done
from tracking.contract.parsing import ParsedEnvelope, Rejected
from tracking.error_codes import ErrorCode
from tracking.records import Built

FLUSH_S: Final = 5.0
REDIS_TIMEOUT_S: Final = 0.5
MAX_SITES: Final = 1_000
MAX_NAMES: Final = 200
"""Names of one kind that a process tells apart in an hour, where callers choose them; the rest counts as ``OTHER``."""
MAX_ORDERS: Final = 100_000
"""Orders of a day that are told apart; of further ones, repeats are not counted."""
SAMPLE_PAGES: Final = 16
"""Of the requests, one in so many has the addresses of its pages looked at."""
OTHER: Final = "(other)"
NO_CURRENCY: Final = "(none)"
HOUR_MS: Final = 3_600_000
HOURS_A_DAY: Final = 24
_MAX_TEXT: Final = 120
_MOST_DECIMALS: Final = max(CURRENCIES.values())
_CLOCK_STEPS_MS: Final = ((2_000, "within 2 s"), (60_000, "within a minute"), (HOUR_MS, "within an hour"))
_LABELS: Final[dict[type, str]] = {kind: name for name, kind in KNOWN_EVENTS.items()}
_ENCODE: Final = msgspec.json.Encoder().encode

EVENTS: Final = "events"
MENDED: Final = "mended"
REFUSED: Final = "refused"
CLOCKS: Final = "clocks"
ORDERS: Final = "orders"
ORDERS_AGAIN: Final = "orders_again"
PAGES: Final = "pages"
ACTING_PAGES: Final = "acting_pages"
WARNINGS: Final = "warnings"
BOTS: Final = "bots"
NETWORK_UNKNOWN: Final = "network_unknown"
"""A proxy is before us whose word is not taken: everybody comes from its own address, which is nobody's network."""
DECLARED_BOT: Final = "declared"
"""A program that says so itself, by ``ctx.bot``, under the name of a browser."""

Name = tuple[str, ...]
"""A kind, and what it tells apart: ``("events", "view_item", "browser")``."""


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value that was mended or refused, at most 120 characters of each text.

    ``became`` is what a mended value was taken for, None where it was dropped or refused.
    """

    at_ms: int
    path: str
    value: str
    became: str | None = None
    remedy: str


class Order(NamedTuple):
    """A reported order, as it is recognised when it is reported again."""

    transaction_id: str
    hour: int


class _SiteCounts:
    """What waits of one site."""

    __slots__ = ("counts", "orders", "samples")

    def __init__(self) -> None:
        self.counts: dict[int, Counter[Name]] = defaultdict(Counter)  # by hour since 1970
        self.samples: dict[tuple[int, Name], Sample] = {}  # by day since 1970
        self.orders: list[Order] = []


class QualityCounts:
    """The sums of one process. Thread-safe; ``start`` begins to add them to those in Redis."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sites: dict[str, _SiteCounts] = {}
        self._names: dict[tuple[str, str, int], set[str]] = defaultdict(set)
        self._n_requests = 0
        self._flusher: RedisFlusher[str] = RedisFlusher(
            "quality", self._write, timeout_s=REDIS_TIMEOUT_S, every_s=FLUSH_S, capacity=MAX_SITES, retries=True
        )

    def start(self, url: str) -> None:
        """Add to the sums in the Redis at ``url`` from a thread of our own."""
        self._flusher.start_at(url)

    def stop(self) -> None:
        """Write what waits, and end the writing."""
        self._flusher.stop()

    def flush(self) -> None:
        """Write what waits now; raises what redis-py raises."""
        self._flusher.flush()

    def add(
        self, site: str, built: Built, parsed: ParsedEnvelope, *, kinds: Mapping[type, int], received_at_ms: int
    ) -> None:
        """Count one request; ``kinds`` says how many of the accepted events are of each type."""
        hour = received_at_ms // HOUR_MS
        with self._lock:
            waiting = self._sites.get(site)
            if waiting is None:
                waiting = self._sites[site] = _SiteCounts()
                self._flusher.put(site)
            counts = waiting.counts[hour]
            counts[CLOCKS, clock_step(parsed.envelope.sent_at, received_at_ms)] += 1
            if built.records:
                self._add_events(waiting, site, hour, built.records, kinds)
            for warning in built.warnings:
                counts[WARNINGS, warning] += 1
            for mend in parsed.mends:
                name: Name = (MENDED, mend.field, mend.done)
                counts[name] += 1
                waiting.samples[hour // HOURS_A_DAY, name] = _mended(mend, received_at_ms)
            for bad in parsed.rejected:
                name = (REFUSED, self._bounded(site, REFUSED, hour, _refused_as(bad)), str(bad.error))
                counts[name] += 1
                waiting.samples[hour // HOURS_A_DAY, name] = _refused(bad, received_at_ms)

    def warn(self, site: str, warning: str, *, received_at_ms: int) -> None:
        """Count what is true of a request and is the installation's to mend, not the sender's."""
        with self._lock:
            waiting = self._sites.get(site)
            if waiting is None:
                waiting = self._sites[site] = _SiteCounts()
                self._flusher.put(site)
            waiting.counts[received_at_ms // HOUR_MS][WARNINGS, warning] += 1

    def _add_events(
        self, waiting: _SiteCounts, site: str, hour: int, records: Sequence[EventRecord], kinds: Mapping[type, int]
    ) -> None:
        counts, source = waiting.counts[hour], records[0].source
        for kind, n_events in kinds.items():
            if kind is not CustomEvent:
                counts[EVENTS, _LABELS[kind], source] += n_events
        for record in records:
            if record.ctx.bot:
                n_events = len(record.events) + len(record.custom)
                counts[BOTS, record.ctx.bot_class or DECLARED_BOT] += n_events
        if CustomEvent in kinds:
            for record in records:
                for event in record.custom:
                    counts[EVENTS, self._bounded(site, EVENTS, hour, event.event), source] += 1
        if Purchase in kinds or Refund in kinds:
            self._add_orders(waiting, counts, site, hour, records)
        self._n_requests += 1
        if self._n_requests % SAMPLE_PAGES == 1:
            self._add_pages(counts, site, hour, records)

    def _add_orders(
        self, waiting: _SiteCounts, counts: Counter[Name], site: str, hour: int, records: Sequence[EventRecord]
    ) -> None:
        for record in records:
            for event in record.events:
                if not isinstance(event, Purchase | Refund):
                    continue
                for name, amount in _rounded(event.params):
                    counts[MENDED, name, str(Done.ROUNDED)] += 1
                    sample = _rounded_sample(name, amount, event, record.received_at_ms)
                    waiting.samples[hour // HOURS_A_DAY, (MENDED, name, str(Done.ROUNDED))] = sample
                if isinstance(event, Purchase):
                    currency = event.params.currency
                    counts[ORDERS, self._bounded(site, ORDERS, hour, currency) if currency else NO_CURRENCY] += 1
                    if len(waiting.orders) < MAX_ORDERS:
                        waiting.orders.append(Order(event.params.transaction_id, hour))

    def _add_pages(self, counts: Counter[Name], site: str, hour: int, records: Sequence[EventRecord]) -> None:
        for record in records:
            for event in record.events:
                if event.url:
                    section = self._bounded(site, PAGES, hour, section_of(event.url))
                    is_act = bool(getattr(event.params, "items", ()))
                    counts[ACTING_PAGES if is_act else PAGES, section] += 1

    def _bounded(self, site: str, kind: str, hour: int, name: str) -> str:
        """Return the name, or ``OTHER`` where this hour has too many; the lock is held."""
        known = self._names[site, kind, hour]
        if name not in known:
            if len(known) >= MAX_NAMES:
                return OTHER
            if not known:
                self._names = defaultdict(set, {key: names for key, names in self._names.items() if key[2] >= hour - 1})
                known = self._names[site, kind, hour]
            known.add(name)
        return name.replace("|", "/")[:_MAX_TEXT]

    def _write(self, client: Any, batch: deque[str]) -> None:
        """Add what waits of each site to Redis, a site at a time; what Redis did not take goes on waiting."""
        while batch:
            site = batch[0]
            with self._lock:
                waiting = self._sites.pop(site, None)
            if waiting is not None:
                try:
                    _write_site(client, site, waiting)
                except BaseException:
                    self._take_back(site, waiting)
                    raise
            batch.popleft()

    def _take_back(self, site: str, old: _SiteCounts) -> None:
        with self._lock:
            waiting = self._sites.setdefault(site, _SiteCounts())
            for hour, counts in old.counts.items():
                waiting.counts[hour].update(counts)
            waiting.samples = {**old.samples, **waiting.samples}
            waiting.orders = (old.orders + waiting.orders)[:MAX_ORDERS]


def _write_site(client: Any, site: str, waiting: _SiteCounts) -> None:
    again, waiting.orders = _seen_again(client, site, waiting.orders), []
    for order in again:
        name: Name = (ORDERS_AGAIN, "count")
        waiting.counts[order.hour][name] += 1
        waiting.samples[order.hour // HOURS_A_DAY, name] = Sample(
            at_ms=order.hour * HOUR_MS, path="params.transaction_id", value=order.transaction_id[:_MAX_TEXT],
            remedy="send an order once, from its thank-you page or from the server",
        )  # fmt: skip
    with client.pipeline(transaction=False) as pipeline:
        for hour, counts in waiting.counts.items():
            day = hour // HOURS_A_DAY
            for key, ttl_s in (
                (keys.quality_hour(site, hour), keys.QUALITY_HOUR.ttl_s),
                (keys.quality_day(site, day), keys.QUALITY_DAY.ttl_s),
            ):
                for name, amount in counts.items():
                    pipeline.hincrby(key, "|".join(name), amount)
                pipeline.expire(key, ttl_s)
        for (day, name), sample in waiting.samples.items():
            key = keys.quality_samples(site, day)
            pipeline.hset(key, "|".join(name), _ENCODE(sample))
            pipeline.expire(key, keys.QUALITY_SAMPLES.ttl_s)
        pipeline.execute()


def _seen_again(client: Any, site: str, orders: Sequence[Order]) -> list[Order]:
    """Return the orders that were reported before, today or yesterday.

    An answer that is lost on its way makes the orders of this one write count as reported before.
    """
    if not orders:
        return []
    days = {order.hour // HOURS_A_DAY for order in orders}
    if max(client.scard(keys.quality_orders(site, day)) for day in days) > MAX_ORDERS:
        return []
    with client.pipeline(transaction=False) as pipeline:
        for order in orders:
            today = order.hour // HOURS_A_DAY
            pipeline.sismember(keys.quality_orders(site, today - 1), _digest(order.transaction_id))
            pipeline.sadd(keys.quality_orders(site, today), _digest(order.transaction_id))
        for day in days:
            pipeline.expire(keys.quality_orders(site, day), keys.QUALITY_ORDERS.ttl_s)
        answers = pipeline.execute()
    known = zip(orders, answers[0 : 2 * len(orders) : 2], answers[1 : 2 * len(orders) : 2], strict=True)
    return [order for order, was_yesterday, is_new in known if was_yesterday or not is_new]


def forget(client: Any, site: str, *, now_ms: int) -> int:
    """Drop a site's samples, for an erasure: values that somebody sent may name them; return how many keys went."""
    newest = now_ms // HOUR_MS // HOURS_A_DAY
    days = range(newest - keys.QUALITY_SAMPLES.ttl_s // 86_400, newest + 1)
    return sum(int(client.delete(keys.quality_samples(site, day))) for day in days)


def plain_path(field: str) -> str:
    """Return a path without the numbers of its list entries: ``events[3].params.items[0].price`` → ``…items[].price``.

    What comes before the event's own fields is left out.
    """
    parts = [part.split("[", 1)[0] + "[]" * part.count("[") for part in field.split(".")]
    if parts and parts[0] in ("events[]", "records[]"):
        parts = parts[1:]
        if parts and parts[0] == "events[]":
            parts = parts[1:]
    return ".".join(parts) or "event"


def _refused_as(bad: Rejected) -> str:
    """Return what a refusal is counted under: where it is, and of an unknown event its name, too."""
    written = bad.message.partition(" is not ")[0]
    return f"{plain_path(bad.field)} {written}" if bad.error is ErrorCode.UNKNOWN_EVENT else plain_path(bad.field)


def clock_step(sent_at_ms: int | None, received_at_ms: int) -> str:
    """Return in words how far the sender's clock is off; the way here counts as if it were."""
    if sent_at_ms is None:
        return "not sent"
    offset_ms = sent_at_ms - received_at_ms
    away = abs(offset_ms)
    for most, words in _CLOCK_STEPS_MS:
        if away <= most:
            return words
    return "hours ahead" if offset_ms > 0 else "hours behind"


def section_of(url: str) -> str:
    """Return the first part of a page's path, such as ``/product``; the start page is ``/``."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return OTHER
    return "/" + path.lstrip("/").split("/", 1)[0][:40]


def _rounded(params: PurchaseParams | RefundParams) -> Iterator[tuple[str, float]]:
    """Yield the amounts that have more decimals than their currency; without one, more than any currency has."""
    currency = params.currency or ""
    if params.value is not None and has_excess_decimals(params.value, currency, otherwise=_MOST_DECIMALS):
        yield "value", params.value
    for item in params.items:
        if item.price is not None and has_excess_decimals(item.price, currency, otherwise=_MOST_DECIMALS):
            yield "price", item.price
            break  # an event is counted once for all of its prices


def _rounded_sample(name: str, amount: float, event: Purchase | Refund, at_ms: int) -> Sample:
    path = "params.value" if name == "value" else "params.items[].price"
    currency = event.params.currency
    remedy = f"send as many decimals as {currency or 'the currency'} has; half a unit is rounded to even"
    return Sample(at_ms=at_ms, path=path, value=repr(amount), became="rounded when it is counted", remedy=remedy)


def _mended(mend: Mend, at_ms: int) -> Sample:
    return Sample(
        at_ms=at_ms,
        path=mend.path[:_MAX_TEXT],
        value=mend.value[:_MAX_TEXT],
        became=None if mend.became is None else mend.became[:_MAX_TEXT],
        remedy=mend.remedy[:_MAX_TEXT],
    )


def _refused(bad: Rejected, at_ms: int) -> Sample:
    return Sample(at_ms=at_ms, path=bad.field[:_MAX_TEXT], value="", remedy=bad.message[:_MAX_TEXT])


def _digest(transaction_id: str) -> bytes:
    return hashlib.blake2b(transaction_id.encode(), digest_size=8).digest()
