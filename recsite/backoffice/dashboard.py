"""The admin's first page: interactions of today, the performance of the lists, and the health of every part."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.timesince import timesince

from features.exceptions import StoreUnavailable
from features.models import Item
from features.money import to_major
from features.store import connections
from features.store.item_stats import ItemStats, load_item_stats
from features.stream.lag import read_lag
from recommendations.admin.gate import judge_site
from recommendations.lint.findings import Finding, Problem, Severity
from recommendations.models import ModelVersion, Placement
from recommendations.monitoring.performance import Performance, grouped, read_days
from recommendations.state.models import watch_models
from tracking.admin.screens import site_choice
from tracking.exceptions import LogUnavailable
from tracking.models import DeadLetter, Site
from tracking.redis_client import UNAVAILABLE, connect

DAY_S = 86_400
REDIS_TIMEOUT_S = 0.5
MAX_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with its name and what it means; ``tone`` is ok, warn or bad."""

    name: str
    value: str
    note: str = ""
    tone: str = "ok"
    link: str = ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures of one site to the context of the admin's first page."""
    context |= site_choice(request)
    site = context["site"]
    if site is None:
        return context
    try:
        stats = load_item_stats(connect(settings.REDIS_URL, timeout_s=REDIS_TIMEOUT_S), site.slug)
        context["interactions"] = interactions(stats, site)
        context["performance"] = placement_performance(site)
    except StoreUnavailable as error:
        context["store_error"] = str(error)
    context["findings"] = attention(site)
    context["health"] = [*stream_health(), *list_health(context["findings"]), *content_health(site)]
    return context


def interactions(stats: ItemStats, site: Site) -> list[dict[str, Any]]:
    """Return views, carts, purchases and revenue, each over an hour, a day and a week."""
    rows = []
    for metric, title in (
        ("views", "Views"),
        ("carts", "Add-to-carts"),
        ("purchases", "Purchases"),
        ("revenue", "Revenue"),
    ):
        sums = {window: int(stats.of(metric, window).sum()) for window in ("1h", "24h", "7d")}
        if metric == "revenue":
            values = {window: f"{to_major(amount, site.currency):,.0f}" for window, amount in sums.items()}
            title = f"{title}, {site.currency}"
        else:
            values = {window: f"{amount:,}" for window, amount in sums.items()}
        rows.append({"title": title, "hour": values["1h"], "day": values["24h"], "week": values["7d"]})
    return rows


def placement_performance(site: Site) -> list[Performance]:
    """Return the performance of each placement in the last seven UTC days, the best first."""
    client = connect(settings.REDIS_URL, timeout_s=REDIS_TIMEOUT_S)
    today = int(time.time()) // DAY_S
    rows = read_days(client, site.slug, first=today - 6, last=today, partitions=connections.partitions())
    names = Placement.objects.filter(site=site, is_active=True).values_list("name", flat=True)
    return grouped(rows, "placement", names=names, currency=site.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """A finding of the linter with the page on which it is mended."""

    finding: Finding
    link: str


def attention(site: Site) -> list[Attention]:
    """Return what is wrong with the rules and placements that are served, the gravest first."""
    names = dict(Placement.objects.filter(site=site).values_list("name", "pk"))
    return [
        Attention(
            finding=each,
            link=_change("rule", each.rule_ids[0])
            if each.rule_ids
            else _change("placement", names.get(each.placement)),
        )
        for each in judge_site(site)
    ]


def list_health(findings: Sequence[Attention]) -> list[Figure]:
    """Return whether some list is empty or short, or a rule does not do what it says."""
    emptied = sorted({each.finding.placement for each in findings if each.finding.problem is Problem.EMPTYING})
    if emptied:
        return [
            Figure(
                name="Rules and placements",
                value="a list is empty",
                tone="bad",
                link="#attention",
                note=f"{', '.join(emptied[:MAX_NAMED])}: some visitors see nothing there",
            )
        ]
    n_found = sum(each.finding.severity > Severity.NOTE for each in findings)
    return [
        Figure(
            name="Rules and placements",
            value=f"{n_found:,} to look at" if n_found else "in order",
            note="see what needs attention" if n_found else "no rule contradicts another, none is without effect",
            tone="warn" if n_found else "ok",
            link="#attention" if n_found else _list("recommendations_rule"),
        )
    ]


def _change(model: str, number: int | None) -> str:
    return "" if number is None else reverse(f"admin:recommendations_{model}_change", args=[number])


def stream_health() -> list[Figure]:
    """Return how far the features are behind the log."""
    try:
        lags = read_lag()
    except (LogUnavailable, *UNAVAILABLE) as error:
        return [Figure(name="Event log", value="unavailable", note=str(error)[:120], tone="bad")]
    behind = sum(lag.records for lag in lags)
    return [
        Figure(
            name="Features behind the log",
            value=f"{behind:,} records",
            note="up to date" if behind == 0 else "the stream workers are catching up",
            tone="ok" if behind < 100 else "warn",
        )
    ]


def content_health(site: Site) -> list[Figure]:
    """Return the state of catalogue, model and dead letters."""
    items = Item.objects.filter(site=site)
    total = items.count()
    shown = items.filter(is_active=True).exclude(availability=Item.Availability.OUT_OF_STOCK).exclude(stock=0).count()
    live = ModelVersion.objects.filter(site=site, status=ModelVersion.Status.LIVE).first()
    letters = DeadLetter.objects.filter(site=site, status=DeadLetter.Status.NEW).count()
    return [
        Figure(
            name="Items that can be shown",
            value=f"{shown:,} of {total:,}",
            note="the others are sold out or inactive" if shown < total else "everything is in stock",
            tone="ok" if shown else "bad",
            link=_list("features_item"),
        ),
        model_health(site, live),
        Figure(
            name="Dead letters",
            value=f"{letters:,}",
            note="records put aside, waiting for you" if letters else "none waits",
            tone="warn" if letters else "ok",
            link=_list("tracking_deadletter"),
        ),
    ]


def model_health(site: Site, live: ModelVersion | None) -> Figure:
    """Return which version answers, or why none does: what is live in the database may be refused by this code."""
    link = _list("recommendations_modelversion")
    if live is None:
        note = "lists are popular items until manage.py train has run"
        return Figure(name="Live model", value="none", note=note, tone="warn", link=link)
    refused = watch_models(site.slug).ensure_loaded().refused.get(live.version)
    if refused is not None:
        # The folder's path is of no use here; what is wrong and what to do stand after it.
        note = f"lists are popular and similar items: {refused.partition(live.version)[2].strip() or refused}"
        return Figure(name="Live model", value="refused", note=note[:300], tone="bad", link=link)
    age = timesince(live.created_at).split(",")[0]
    return Figure(name="Live model", value=f"{age} old", note=live.version, link=link)


def _list(model: str) -> str:
    try:
        return reverse(f"admin:{model}_changelist")
    except NoReverseMatch:
        return ""
