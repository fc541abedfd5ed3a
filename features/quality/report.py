"""What was counted of a site → the tables of its data-quality report, and what to do about them.

Reads nothing; its sentences are in the reader's language, and English in commands.

A finding is made where a count leaves what a healthy shop shows; the limits stand here, each with its reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tracking.quality import counts
from tracking.quality.clocks import WrongClock
from tracking.quality.counts import NETWORK_UNKNOWN, NO_CURRENCY, Sample
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
MAX_CLOCKS: Final = 5
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
    wrong_clocks: tuple[WrongClock, ...] = ()
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
    read: QualityCountsRead,
    *,
    site: str,
    currency: str,
    catalogue: CatalogueUse | None = None,
    wrong_clocks: Sequence[WrongClock] = (),
) -> QualityReport:
    """Return the report of what was counted; ``catalogue`` is None where its use cannot be read.

    ``wrong_clocks`` are of processes of the installation: they concern every site.
    """
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
        wrong_clocks=tuple(wrong_clocks),
    )  # fmt: skip
    order = list(Level)
    return replace(report, findings=tuple(sorted(_findings(report), key=lambda one: order.index(one.level))))


def _rows(read: QualityCountsRead, kind: str) -> tuple[Row, ...]:
    return tuple(
        Row(name=name, day=day, month=month, samples=tuple(read.samples.get((kind, *name), ())))
        for name, (day, month) in read.of(kind).items()
    )


def _number(value: float) -> str:
    return number_format(value, 0, force_grouping=True)


def _share(value: float, decimals: int = 0) -> str:
    return f"{number_format(100 * value, decimals)}%"


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
            level=Level.NOTE, title=_("No events in 30 days"), detail=_("Nothing was collected for this site."),
            remedy=_("Put the two lines of the site's Embed page on the shop's pages, then open one of them."),
        )  # fmt: skip
        return
    if not events.day and events.month >= MIN_EVENTS:
        yield Finding(
            level=Level.FAULT, title=_("No events in the last 24 hours"),
            detail=ngettext(
                "%(n)s event came in the 30 days before.",
                "%(n)s events came in the 30 days before.",
                events.month,
            ) % {"n": _number(events.month)},
            remedy=_(
                "Open a page of the shop with the browser's console: is the snippet still there, and its key valid?"
            ),
        )  # fmt: skip
    share = refused.day / max(refused.day + events.day, 1)
    if refused.day + events.day >= MIN_EVENTS and share > REFUSED_SHARE:
        worst = max(report.refused, key=lambda row: row.day)
        sample = worst.samples[0].remedy if worst.samples else ""
        yield Finding(
            level=Level.FAULT if share > 10 * REFUSED_SHARE else Level.WARNING,
            title=_("%(share)s of the events of the last 24 hours were refused") % {"share": _share(share, 1)},
            detail=_("Most often for %(field)s: %(sample)s") % {"field": worst.name[0], "sample": sample}
            if sample
            else _("Most often for %(field)s.") % {"field": worst.name[0]},
            remedy=_(
                "Correct the page or the sender; the refused events are kept as dead letters and can be sent again."
            ),
        )
    added, bought = report.count("add_to_cart"), report.count("purchase")
    if added.month >= 10 * MIN_EVENTS and not bought.month:
        yield Finding(
            level=Level.WARNING, title=_("Carts, but no purchases"),
            detail=_("%(n)s add_to_cart events in 30 days, and no purchase.") % {"n": _number(added.month)},
            remedy=_("Send purchase from the thank-you page, or from the shop's server with its secret key."),
        )  # fmt: skip
    for row in report.silent_pages[:3]:
        if row.month >= MIN_EVENTS:
            yield Finding(
                level=Level.NOTE, title=_("Pages under %(path)s say nothing about items") % {"path": row.name[0]},
                detail=_("%(n)s page views were looked at in 30 days; no event with an item came from there.")
                % {"n": _number(row.month)},
                remedy=_("If products are shown there, send view_item or view_item_list with their ids."),
            )  # fmt: skip


def _of_mends(report: QualityReport) -> Iterator[Finding]:
    events, mended = report.total("events"), report.total("mended")
    if events.day >= MIN_EVENTS and mended.day / events.day > MENDED_SHARE:
        worst = max(report.mended, key=lambda row: row.day)
        said = [_("Most often %(field)s (%(done)s).") % {"field": worst.name[0], "done": worst.name[1]}]
        remedy = _("send it in the contract's form")
        if worst.samples:
            first = worst.samples[0]
            said.append(_("For example %(value)s at %(path)s.") % {"value": first.value, "path": first.path})
            remedy = first.remedy
        yield Finding(
            level=Level.NOTE,
            title=ngettext(
                "%(n)s value was mended in the last 24 hours",
                "%(n)s values were mended in the last 24 hours",
                mended.day,
            ) % {"n": _number(mended.day)},
            detail=" ".join(said),
            remedy=_("%(remedy)s. Nothing is lost meanwhile; ?strict=1 makes a shop's tests fail.")
            % {"remedy": f"{remedy[:1].upper()}{remedy[1:]}"},
        )  # fmt: skip


def _of_orders(report: QualityReport) -> Iterator[Finding]:
    orders = report.total("orders")
    if report.again.month >= 3 and report.again.month / max(orders.month, 1) > AGAIN_SHARE:
        said = [_("Of %(n)s purchase events. Each order counts once.") % {"n": _number(orders.month)}]
        if report.again.samples:
            said.append(_("The last was %(value)s.") % {"value": report.again.samples[0].value})
        yield Finding(
            level=Level.WARNING,
            title=ngettext(
                "%(n)s order was reported more than once in 30 days",
                "%(n)s orders were reported more than once in 30 days",
                report.again.month,
            ) % {"n": _number(report.again.month)},
            detail=" ".join(said),
            remedy=_("Send purchase once: a thank-you page that is reloaded sends it again."),
        )  # fmt: skip
    foreign = [row for row in report.orders if row.name[0] not in (report.currency, NO_CURRENCY)]
    if foreign:
        listed = ", ".join(f"{row.name[0]} ({_number(row.month)})" for row in foreign[:5])
        yield Finding(
            level=Level.WARNING, title=_("Orders in other currencies than the site's"),
            detail=_("%(listed)s beside %(currency)s. They are shown apart and not added to it.")
            % {"listed": listed, "currency": report.currency},
            remedy=_("Give the site exchange rates, or correct the currency that the page sends."),
        )  # fmt: skip
    bare = next((row for row in report.orders if row.name[0] == NO_CURRENCY), None)
    if bare is not None and bare.month > 0:
        yield Finding(
            level=Level.NOTE, title=ngettext(
                "%(n)s order names no currency",
                "%(n)s orders name no currency",
                bare.month,
            ) % {"n": _number(bare.month)},
            detail=_("They are taken for %(currency)s, the site's.") % {"currency": report.currency},
            remedy=_("Send currency with each purchase."),
        )  # fmt: skip


def _of_clocks(report: QualityReport) -> Iterator[Finding]:
    for one in report.wrong_clocks[:MAX_CLOCKS]:
        off = _("The clock of %(process)s is %(n)s min ahead") if one.off_ms > 0 else _(
            "The clock of %(process)s is %(n)s min behind"
        )  # fmt: skip
        yield Finding(
            level=Level.FAULT,
            title=off % {"process": one.process, "n": _number(abs(one.off_ms) / 60_000)},
            detail=_(
                "A process of this installation, in the last 24 hours; times of its records are put right by the "
                "log's clock, so that features and the archive are unharmed."
            ),
            remedy=_(
                "Set the clock of its host (NTP), then restart the process: its tokens and caches have times, too."
            ),
        )
    total = report.total("clocks").day
    hours_off = sum(row.day for row in report.clocks if row.name[0].startswith("hours"))
    if total >= MIN_EVENTS and hours_off / total > CLOCKS_OFF_SHARE:
        yield Finding(
            level=Level.WARNING,
            title=_("%(share)s of the senders have a clock that is hours off") % {"share": _share(hours_off / total)},
            detail=_("Their times are put right by sent_at; what they do not say of themselves cannot be."),
            remedy=_("Set the clock of the server that sends events, and send times in milliseconds of UTC."),
        )  # fmt: skip


_REMEDIES: Final[Mapping[str, tuple[Any, Any]]] = {
    "user_id_placeholder": (
        gettext_lazy("User ids that name nobody"),
        gettext_lazy("Send user_id only once a shopper has logged in; undefined, null or guest join nobody."),
    ),
    NETWORK_UNKNOWN: (
        gettext_lazy("Visitors' networks are not known: a proxy's word is not taken"),
        gettext_lazy(
            "Set RECSITE_TRUSTED_PROXIES to the number of proxies before Recsite. Until then votes are not priced in "
            "networks, and made-up visitors can lead popularity and trends."
        ),
    ),
    "traits_mended": (
        gettext_lazy("Traits of identify that are cut or left out"),
        gettext_lazy(
            "Send at most 20 traits of 1,024 bytes in all: names such as tier; texts of 100 characters, numbers or "
            "yes/no."
        ),
    ),
}


def _of_warnings(report: QualityReport) -> Iterator[Finding]:
    for row in report.warnings:
        if row.name[0] in _REMEDIES and row.day:
            title, remedy = _REMEDIES[row.name[0]]
            yield Finding(
                level=Level.WARNING,
                title=str(title),
                detail=ngettext("%(n)s request in the last 24 hours.", "%(n)s requests in the last 24 hours.", row.day)
                % {"n": _number(row.day)},
                remedy=str(remedy),
            )


def _of_catalogue(use: CatalogueUse) -> Iterator[Finding]:
    n_events = use.known + use.unknown
    if n_events < MIN_EVENTS:
        return
    if not use.n_items:
        yield Finding(
            level=Level.FAULT, title=_("There is no catalogue"),
            detail=ngettext(
                "%(n)s event of the last seven days names an item that is not known here.",
                "%(n)s events of the last seven days name items that are not known here.",
                n_events,
            ) % {"n": _number(n_events)},
            remedy=_("Load the catalogue: a feed on the Feeds page, or PUT /v1/items."),
        )  # fmt: skip
    elif use.unknown_share > UNKNOWN_SHARE:
        examples = ", ".join(item_id for item_id, _ in use.unknown_examples[:3])
        yield Finding(
            level=Level.WARNING,
            title=_("%(share)s of the item events name items that no feed has") % {"share": _share(use.unknown_share)},
            detail=_("In the last seven days; for example %(examples)s.") % {"examples": examples},
            remedy=_("Compare the ids of the page with those of the feed: a variant's and its parent's differ often."),
        )  # fmt: skip
    if use.n_items and use.not_told_apart > MIN_EVENTS and use.not_told_apart / n_events > MADE_UP_SHARE:
        yield Finding(
            level=Level.WARNING, title=_("More unknown item ids than can be told apart"),
            detail=_("%(n)s events of the last seven days are counted together; no item loses by it.")
            % {"n": _number(use.not_told_apart)},
            remedy=_(
                "Somebody makes ids up, or a page sends something else as item_id, such as a session or a position."
            ),
        )  # fmt: skip
    elif use.n_seen < use.n_items / 2 and use.known >= 20 * use.n_items:
        yield Finding(
            level=Level.NOTE,
            title=_("%(n)s of %(all)s items had no event in seven days")
            % {"n": _number(use.n_items - use.n_seen), "all": _number(use.n_items)},
            detail=_("They are in the feed, and no shopper met them."),
            remedy=_("Are they linked in the shop, and do their pages have the snippet?"),
        )  # fmt: skip
