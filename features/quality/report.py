"""Pure: what was counted of a site → the tables of its data-quality report, and what to do about them.

A finding is made where a count leaves what a healthy shop shows; the limits stand here, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from tracking.quality import counts
from tracking.quality.counts import NO_CURRENCY, Sample
from tracking.quality.reading import QualityCountsRead

MAX_ROWS: Final = 50
"""Rows of a table on the page; the counts of the others are in its total."""
REFUSED_SHARE: Final = 0.01
"""Refused events beyond this share are a mistake of the integration; stray ones are typed by hand."""
MENDED_SHARE: Final = 0.05
CLOCKS_OFF_SHARE: Final = 0.05
"""A few users' clocks are always hours off; more of them are a server's."""
AGAIN_SHARE: Final = 0.02
UNKNOWN_SHARE: Final = 0.05
MADE_UP_SHARE: Final = 0.001
MIN_EVENTS: Final = 20
"""Below so many, a share says nothing."""


class Level(StrEnum):
    """How urgent a finding is."""

    FAULT = "fault"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong or may be, and its remedy."""

    level: Level
    title: str
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a table: what it counts, of the last 24 hours and of 30 days."""

    name: tuple[str, ...]
    day: int
    month: int
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueUse:
    """How the items of events and those of the catalogue agree, over the last seven days.

    Attributes
    ----------
    n_items : int
        Recommendable or not, in the catalogue.
    n_seen : int
        Of these, with a view, an add-to-cart or a purchase.
    known, unknown : int
        Such events of items that the catalogue has, and of others.
    unknown_examples : tuple of (str, int)
        Ids that the catalogue does not have, with their events, the most frequent first.
    not_told_apart : int
        Of the events of unknown items, those whose ids were too many to be counted one by one.
    """

    n_items: int
    n_seen: int
    known: int
    unknown: int
    unknown_examples: tuple[tuple[str, int], ...] = ()
    not_told_apart: int = 0

    @property
    def unknown_share(self) -> float:
        """Share of the events whose item is unknown; 0 without events."""
        return self.unknown / (self.known + self.unknown) if self.known + self.unknown else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityReport:
    """Everything that the page and the command show of one site."""

    site: str
    currency: str
    events: tuple[Row, ...]
    mended: tuple[Row, ...]
    refused: tuple[Row, ...]
    warnings: tuple[Row, ...]
    clocks: tuple[Row, ...]
    orders: tuple[Row, ...]
    bots: tuple[Row, ...]
    again: Row
    silent_pages: tuple[Row, ...]
    catalogue: CatalogueUse | None
    findings: tuple[Finding, ...] = field(default=())

    def total(self, table: str) -> Row:
        """Return the sum over a table's rows."""
        rows: tuple[Row, ...] = getattr(self, table)
        return Row(name=("total",), day=sum(row.day for row in rows), month=sum(row.month for row in rows))

    def count(self, event: str) -> Row:
        """Return how often an event came, whatever its source."""
        rows = [row for row in self.events if row.name[0] == event]
        return Row(name=(event,), day=sum(row.day for row in rows), month=sum(row.month for row in rows))


def make_report(
    read: QualityCountsRead, *, site: str, currency: str, catalogue: CatalogueUse | None = None
) -> QualityReport:
    """Return the report of what was counted; ``catalogue`` is None where its use cannot be read."""
    acting = read.of(counts.ACTING_PAGES)
    again = read.of(counts.ORDERS_AGAIN).get(("count",), (0, 0))
    report = QualityReport(
        site=site,
        currency=currency,
        events=_rows(read, counts.EVENTS),
        mended=_rows(read, counts.MENDED),
        refused=_rows(read, counts.REFUSED),
        warnings=_rows(read, counts.WARNINGS),
        clocks=_rows(read, counts.CLOCKS),
        orders=_rows(read, counts.ORDERS),
        bots=_rows(read, counts.BOTS),
        again=Row(
            name=("again",), day=again[0], month=again[1],
            samples=tuple(read.samples.get((counts.ORDERS_AGAIN, "count"), ())),
        ),
        silent_pages=tuple(row for row in _rows(read, counts.PAGES) if row.name not in acting),
        catalogue=catalogue,
    )  # fmt: skip
    order = list(Level)
    return replace(report, findings=tuple(sorted(_findings(report), key=lambda one: order.index(one.level))))


def _rows(read: QualityCountsRead, kind: str) -> tuple[Row, ...]:
    return tuple(
        Row(name=name, day=day, month=month, samples=tuple(read.samples.get((kind, *name), ())))
        for name, (day, month) in read.of(kind).items()
    )


def _findings(report: QualityReport) -> Iterator[Finding]:
    yield from _of_events(report)
    yield from _of_mends(report)
    yield from _of_orders(report)
    yield from _of_clocks(report)
    yield from _of_warnings(report)
    if report.catalogue is not None:
        yield from _of_catalogue(report.catalogue)


def _of_events(report: QualityReport) -> Iterator[Finding]:
    events, refused = report.total("events"), report.total("refused")
    if not events.month and not refused.month:
        yield Finding(
            level=Level.NOTE, title="No events in 30 days", detail="Nothing was collected for this site.",
            remedy="Put the two lines of the site's Embed page on the shop's pages, then open one of them.",
        )  # fmt: skip
        return
    if not events.day and events.month >= MIN_EVENTS:
        yield Finding(
            level=Level.FAULT, title="No events in the last 24 hours",
            detail=f"{events.month:,} events came in the 30 days before.",
            remedy="Open a page of the shop with the browser's console: is the snippet still there, and its key valid?",
        )  # fmt: skip
    share = refused.day / max(refused.day + events.day, 1)
    if refused.day + events.day >= MIN_EVENTS and share > REFUSED_SHARE:
        worst = max(report.refused, key=lambda row: row.day)
        sample = worst.samples[0].remedy if worst.samples else ""
        yield Finding(
            level=Level.FAULT if share > 10 * REFUSED_SHARE else Level.WARNING,
            title=f"{share:.1%} of the events of the last 24 hours were refused",
            detail=f"Most often for {worst.name[0]}: {sample}" if sample else f"Most often for {worst.name[0]}.",
            remedy="Correct the page or the sender; the refused events are kept as dead letters and can be sent again.",
        )
    added, bought = report.count("add_to_cart"), report.count("purchase")
    if added.month >= 10 * MIN_EVENTS and not bought.month:
        yield Finding(
            level=Level.WARNING, title="Carts, but no purchases",
            detail=f"{added.month:,} add_to_cart events in 30 days, and no purchase.",
            remedy="Send purchase from the thank-you page, or from the shop's server with its secret key.",
        )  # fmt: skip
    for row in report.silent_pages[:3]:
        if row.month >= MIN_EVENTS:
            yield Finding(
                level=Level.NOTE, title=f"Pages under {row.name[0]} say nothing about items",
                detail=f"{row.month:,} page views were looked at in 30 days; no event with an item came from there.",
                remedy="If products are shown there, send view_item or view_item_list with their ids.",
            )  # fmt: skip


def _of_mends(report: QualityReport) -> Iterator[Finding]:
    events, mended = report.total("events"), report.total("mended")
    if events.day >= MIN_EVENTS and mended.day / events.day > MENDED_SHARE:
        worst = max(report.mended, key=lambda row: row.day)
        sample = f" For example {worst.samples[0].value} at {worst.samples[0].path}." if worst.samples else ""
        remedy = worst.samples[0].remedy if worst.samples else "send it in the contract's form"
        yield Finding(
            level=Level.NOTE, title=f"{mended.day:,} values were mended in the last 24 hours",
            detail=f"Most often {worst.name[0]} ({worst.name[1]}).{sample}",
            remedy=f"{remedy[:1].upper()}{remedy[1:]}. Nothing is lost meanwhile; ?strict=1 makes a shop's tests fail.",
        )  # fmt: skip


def _of_orders(report: QualityReport) -> Iterator[Finding]:
    orders = report.total("orders")
    if report.again.month >= 3 and report.again.month / max(orders.month, 1) > AGAIN_SHARE:
        example = f", such as {report.again.samples[0].value}" if report.again.samples else ""
        yield Finding(
            level=Level.WARNING, title=f"{report.again.month:,} orders were reported more than once in 30 days",
            detail=f"Of {orders.month:,} purchase events{example}. Each order counts once.",
            remedy="Send purchase once: a thank-you page that is reloaded sends it again.",
        )  # fmt: skip
    foreign = [row for row in report.orders if row.name[0] not in (report.currency, NO_CURRENCY)]
    if foreign:
        listed = ", ".join(f"{row.name[0]} ({row.month:,})" for row in foreign[:5])
        yield Finding(
            level=Level.WARNING, title="Orders in other currencies than the site's",
            detail=f"{listed} beside {report.currency}. They are shown apart and not added to it.",
            remedy="Give the site exchange rates, or correct the currency that the page sends.",
        )  # fmt: skip
    bare = next((row for row in report.orders if row.name[0] == NO_CURRENCY), None)
    if bare is not None and bare.month > 0:
        yield Finding(
            level=Level.NOTE, title=f"{bare.month:,} orders name no currency",
            detail=f"They are taken for {report.currency}, the site's.", remedy="Send currency with each purchase.",
        )  # fmt: skip


def _of_clocks(report: QualityReport) -> Iterator[Finding]:
    total = report.total("clocks").day
    off = sum(row.day for row in report.clocks if row.name[0].startswith("hours"))
    if total >= MIN_EVENTS and off / total > CLOCKS_OFF_SHARE:
        yield Finding(
            level=Level.WARNING, title=f"{off / total:.0%} of the senders have a clock that is hours off",
            detail="Their times are put right by sent_at; what they do not say of themselves cannot be.",
            remedy="Set the clock of the server that sends events, and send times in milliseconds of UTC.",
        )  # fmt: skip


_REMEDIES: Final[Mapping[str, tuple[str, str]]] = {
    "user_id_placeholder": (
        "User ids that name nobody",
        "Send user_id only once a shopper has logged in; undefined, null or guest join nobody.",
    ),
    "traits_mended": (
        "Traits of identify that are cut or left out",
        "Send at most 20 traits of 1,024 bytes in all: names such as tier; texts of 100 characters, numbers or yes/no.",
    ),
}


def _of_warnings(report: QualityReport) -> Iterator[Finding]:
    for row in report.warnings:
        if row.name[0] in _REMEDIES and row.day:
            title, remedy = _REMEDIES[row.name[0]]
            yield Finding(
                level=Level.WARNING, title=title, detail=f"{row.day:,} requests in the last 24 hours.", remedy=remedy
            )


def _of_catalogue(use: CatalogueUse) -> Iterator[Finding]:
    n_events = use.known + use.unknown
    if n_events < MIN_EVENTS:
        return
    if not use.n_items:
        yield Finding(
            level=Level.FAULT, title="There is no catalogue",
            detail=f"{n_events:,} events of the last seven days name items that are not known here.",
            remedy="Load the catalogue: a feed on the Feeds page, or PUT /v1/items.",
        )  # fmt: skip
    elif use.unknown_share > UNKNOWN_SHARE:
        examples = ", ".join(item_id for item_id, _ in use.unknown_examples[:3])
        yield Finding(
            level=Level.WARNING, title=f"{use.unknown_share:.0%} of the item events name items that no feed has",
            detail=f"In the last seven days; for example {examples}.",
            remedy="Compare the ids of the page with those of the feed: a variant's and its parent's differ often.",
        )  # fmt: skip
    if use.n_items and use.not_told_apart > MIN_EVENTS and use.not_told_apart / n_events > MADE_UP_SHARE:
        yield Finding(
            level=Level.WARNING, title="More unknown item ids than can be told apart",
            detail=f"{use.not_told_apart:,} events of the last seven days are counted together; no item loses by it.",
            remedy="Somebody makes ids up, or a page sends something else as item_id, such as a session or a position.",
        )  # fmt: skip
    elif use.n_seen < use.n_items / 2 and use.known >= 20 * use.n_items:
        yield Finding(
            level=Level.NOTE, title=f"{use.n_items - use.n_seen:,} of {use.n_items:,} items had no event in seven days",
            detail="They are in the feed, and no shopper met them.",
            remedy="Are they linked in the shop, and do their pages have the snippet?",
        )  # fmt: skip
