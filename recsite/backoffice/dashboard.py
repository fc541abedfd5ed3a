"""The admin's first page: what lists brought against the period before, what to do, and the health of every part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.http import HttpRequest
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from features.exceptions import StoreUnavailable
from features.money import to_major
from features.store.item_stats import ItemStats, load_item_stats
from features.stream.lag import read_lag
from recommendations.admin.gate import judge_site
from recommendations.lint.findings import Finding, Problem, Severity
from recommendations.models import ModelVersion, Placement
from recommendations.state.models import watch_models
from recommendations.state.site import watch_site
from recsite.backoffice.attention import Standing, Task, tasks_of
from recsite.backoffice.incremental import decided, incremental
from recsite.backoffice.trends import trends
from tracking.admin.screens import site_choice
from tracking.exceptions import LogUnavailable
from tracking.models import Site
from tracking.redis_client import UNAVAILABLE, connect
from tracking.templatetags.written import whole

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


Linked = TypeVar("Linked", Figure, Task)


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures of one site to the context of the admin's first page."""
    context |= site_choice(request)
    site = context["site"]
    if site is None:
        return context
    stats: ItemStats | None = None
    tasks: list[Task] = []
    try:
        client = connect(settings.REDIS_URL, timeout_s=REDIS_TIMEOUT_S)
        stats = load_item_stats(client, site.slug)
        context["interactions"] = interactions(stats, site)
        context["incremental"] = incremental(site, client)
        tasks = decided(site, client)
    except StoreUnavailable as error:
        context["store_error"] = str(error)
    findings = attention(site)
    standing = Standing.of(site)
    context |= trends(site, {name: request.GET.get(name, "") for name in ("days", "show")})
    found = tasks_of(site, [(each.finding, each.link) for each in findings], stats, standing, more=tasks)
    context["tasks"] = [_without_closed(one, request) for one in found]
    if request.user.has_perm("recommendations.add_holdout"):
        context["holdout_link"] = reverse("admin:recommendations_holdout_add")
    health = [*stream_health(), *list_health(findings), *content_health(site, standing)]
    context["health"] = [_without_closed(one, request) for one in health]
    return context


def _without_closed(one: Linked, request: HttpRequest) -> Linked:
    """Return a figure or a task without its link, where the page behind that does not open for the reader."""
    path = urlsplit(one.link).path  # nothing where a link leads to a part of this page
    name = resolve(path).url_name if path else None
    for model, screen in admin.site._registry.items():
        if str(name).startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):
            return one if screen.has_view_permission(request) else replace(one, link="")
    return one


def interactions(stats: ItemStats, site: Site) -> list[dict[str, Any]]:
    """Return views, carts, purchases and revenue, each over an hour, a day and a week."""
    rows = []
    for metric, title in (
        ("views", _("Views")),
        ("carts", _("Add-to-carts")),
        ("purchases", _("Purchases")),
        ("revenue", _("Revenue")),
    ):
        sums = {window: int(stats.of(metric, window).sum()) for window in ("1h", "24h", "7d")}
        if metric == "revenue":
            values = {window: whole(to_major(amount, site.currency)) for window, amount in sums.items()}
            title = f"{title}, {site.currency}"
        else:
            values = {window: whole(amount) for window, amount in sums.items()}
        rows.append({"title": title, "hour": values["1h"], "day": values["24h"], "week": values["7d"]})
    return rows


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
                name=_("Rules and placements"),
                value=_("a list is empty"),
                tone="bad",
                link="#attention",
                note=_("%(emptied)s: some visitors see nothing there") % {"emptied": ", ".join(emptied[:MAX_NAMED])},
            )
        ]
    n_found = sum(each.finding.severity > Severity.NOTE for each in findings)
    return [
        Figure(
            name=_("Rules and placements"),
            value=_("%(n_found)s to look at") % {"n_found": intcomma(n_found)} if n_found else _("in order"),
            note=_("see what needs attention") if n_found else _("no rule contradicts another, none is without effect"),
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
        return [Figure(name=_("Event log"), value=_("unavailable"), note=str(error)[:120], tone="bad")]
    behind = sum(lag.records for lag in lags)
    return [
        Figure(
            name=_("Features behind the log"),
            value=ngettext("%(n)s record", "%(n)s records", behind) % {"n": whole(behind)},
            note=_("up to date") if behind == 0 else _("the stream workers are catching up"),
            tone="ok" if behind < 100 else "warn",
        )
    ]


def content_health(site: Site, standing: Standing) -> list[Figure]:
    """Return the state of catalogue, model and dead letters."""
    # Of what is in memory: to count a million rows takes the database half a second.
    catalogue = watch_site(site.slug).ensure_loaded().item_index.catalogue
    total, shown = len(catalogue), int(catalogue.is_recommendable.sum())
    return [
        Figure(
            name=_("Items that can be shown"),
            value=_("%(shown)s of %(total)s") % {"shown": intcomma(shown), "total": intcomma(total)},
            note=_("the others are sold out or inactive") if shown < total else _("everything is in stock"),
            tone="ok" if shown else "bad",
            link=_list("features_item"),
        ),
        model_health(site, standing.live),
        Figure(
            name=_("Dead letters"),
            value=intcomma(standing.letters),
            note=_("records put aside, waiting for you") if standing.letters else _("none waits"),
            tone="warn" if standing.letters else "ok",
            link=_list("tracking_deadletter"),
        ),
    ]


def model_health(site: Site, live: ModelVersion | None) -> Figure:
    """Return which version answers, or why none does: what is live in the database may be refused by this code."""
    link = _list("recommendations_modelversion")
    if live is None:
        note = _("lists are popular items until manage.py train has run")
        return Figure(name=_("Live model"), value=_("none"), note=note, tone="warn", link=link)
    refused = watch_models(site.slug).ensure_loaded().refused.get(live.version)
    if refused is not None:
        # The folder's path is of no use here; what is wrong and what to do stand after it.
        note = _("lists are popular and similar items: %(value)s") % {
            "value": refused.partition(live.version)[2].strip() or refused
        }
        return Figure(name=_("Live model"), value=_("refused"), note=note[:300], tone="bad", link=link)
    age = timesince(live.created_at).split(",")[0]
    return Figure(name=_("Live model"), value=_("%(age)s old") % {"age": age}, note=live.version, link=link)


def _list(model: str) -> str:
    try:
        return reverse(f"admin:{model}_changelist")
    except NoReverseMatch:
        return ""
