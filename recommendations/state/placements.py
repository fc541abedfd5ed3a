"""Placements and their published rules in memory, so that no request waits for the database."""

from __future__ import annotations

import bisect
import logging
from collections.abc import Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
from django.db import transaction
from django.db.models import Count, Max, Sum
from django.utils import timezone

from recommendations.core.actions import RuleAction
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.filters.language import Condition
from recommendations.models import Campaign, Placement, RecalledItem, Rule
from recommendations.pipeline.diversity import Variety
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import CompiledRule, RuleSpec, compile_rule
from recommendations.state.rule_versions import FIELDS, Kind, record_version
from tracking.models import Site
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

logger = logging.getLogger(__name__)

REFRESH_S: Final = 5.0

RECALL: Final = 0
"""The id of the rule that keeps recalled items out; rules of merchandisers begin with 1."""

ADDED: Final = "+"
"""How a placement writes a source that stands beside those of its strategy, and not in their place."""

RECALLED: Final = "Recalled everywhere"

DEFAULT_PLACEMENTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("home_for_you", "For you", "for_you"),
    ("home_trending", "Trending now", "trending"),
    ("home_new", "New arrivals", "new"),
    ("home_recently_viewed", "Recently viewed", "recently_viewed"),
    ("home_buy_again", "Buy again", "buy_again"),
    ("product_similar", "Similar items", "similar"),
    ("product_also_viewed", "Others also viewed", "also_viewed"),
    ("product_bought_together", "Bought together", "bought_together"),
    ("cart_goes_with", "Goes with your cart", "cart"),
    ("search_results", "Results for you", "rerank"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placements:
    """All active placements of a site, and the rules that name no placement, as preview pages need them.

    Attributes
    ----------
    stamp : str
        Changes whenever anything here does.
    turns : tuple of (int, str)
        When (epoch milliseconds) the schedule of a rule begins or ends, and a placement concerned; earliest first.
    recalled : tuple of CompiledRule
        The rule that keeps recalled items out, if there are any: the first rule of every placement, and of lists that
        no placement stands behind.
    """

    by_name: Mapping[str, PlacementSpec]
    stamp: str = ""
    turns: tuple[tuple[int, str], ...] = ()
    recalled: tuple[CompiledRule, ...] = ()

    def stamp_at(self, now_ms: int) -> tuple[str, int]:
        """Return what changes whenever anything here does, schedules included; part of the key of cached lists."""
        return self.stamp, bisect.bisect_right(self.turns, now_ms, key=_turn_ms)

    def turned_between(self, after_ms: int, until_ms: int) -> frozenset[str]:
        """Return the placements of which a rule began or ended after the first moment and until the second."""
        first = bisect.bisect_right(self.turns, after_ms, key=_turn_ms)
        last = bisect.bisect_right(self.turns, until_ms, key=_turn_ms)
        return frozenset(name for _, name in self.turns[first:last])


def _turn_ms(turn: tuple[int, str]) -> int:
    return turn[0]


def watch_placements(site: str) -> Snapshot[Placements]:
    """Return the site's snapshot, kept fresh in the background from the first call on."""
    return _placements.of(site)


def placement_names(site: str, loads: bool) -> Container[str]:
    """Return the names of the active placements; loads them in this thread where ``loads``, else never blocks.

    Raises
    ------
    SnapshotMissing
        They have not been loaded yet.
    """
    snapshot = watch_placements(site)
    return (snapshot.ensure_loaded() if loads else snapshot.current()).by_name


def announce_placements(site: str) -> None:
    """Tell every process, once the transaction is committed, that placements or rules of the site changed."""
    _placements.announce(site)


def load_placements(site: str) -> Placements:
    """Return the active placements with their published rules; four queries, two more when a rule has changed."""
    rows = list(Placement.objects.filter(site__slug=site, is_active=True).order_by("name"))
    published = load_published(site)
    rules = list(published.rules)
    recalled = recalled_rule(RecalledItem.objects.filter(site__slug=site).values_list("item_id", flat=True))
    if recalled is not None:
        rules.insert(0, recalled)
    stamp = "|".join(
        [
            *(f"{row.name}@{row.updated_at.timestamp()}" for row in rows),
            published.stamp,
            recalled.key if recalled is not None else "",
        ]
    )
    by_name = {row.name: placement_spec(row, rules) for row in rows}
    turns = {
        (moment_ms, name)
        for name, spec in by_name.items()
        for rule in spec.rules
        for moment_ms in (rule.spec.starts_at_ms, rule.spec.ends_at_ms)
        if moment_ms is not None
    }
    recalls = () if recalled is None else (recalled,)
    return Placements(by_name=by_name, stamp=stamp, turns=tuple(sorted(turns)), recalled=recalls)


class Published(NamedTuple):
    """The published rules of a site, as they are served: within their campaigns, those of one that is off left out.

    Attributes
    ----------
    changed : Hashable
        What differs when anything of them may have changed.
    stamp : str
        What differs when they did.
    rules : sequence of CompiledRule
        Highest priority first.
    """

    changed: Hashable
    stamp: str
    rules: Sequence[CompiledRule]


def load_published(site: str) -> Published:
    """Return the published rules; two queries, and the same objects again as long as nothing changed.

    Thousands of rules take longer to read and compile than to look up, and a page of the admin asks several times.
    """
    rules, campaigns = Rule.objects.filter(site__slug=site), Campaign.objects.filter(site__slug=site)
    changed = (
        *rules.aggregate(
            Count("pk"), Count("published_at"), Sum("pk"), Sum("campaign_id"), Sum("revision"), Max("published_at"),
            Max("updated_at"),
        ).values(),
        *campaigns.aggregate(Count("pk"), Max("updated_at")).values(),
    )  # fmt: skip
    known = _published.get(site)
    if known is None or known.changed != changed:
        known = _published[site] = _read_published(site, changed)
    return known


def _read_published(site: str, changed: Hashable) -> Published:
    published = list(
        Rule.objects.filter(site__slug=site, published__isnull=False)
        .order_by("pk")
        .values_list("published", "published_at", "campaign_id")
    )
    campaigns = {row.pk: row for row in Campaign.objects.filter(site__slug=site)}
    rules = compiled_rules(
        [document for document, _, number in published if document is not None and _is_on(number, campaigns)],
        within={rule["rule_id"]: campaigns[number] for rule, _, number in published if rule and number in campaigns},
    )
    dates = (f"{at}@{number or ''}" for _, at, number in published)
    of_campaigns = (f"{row.pk}@{row.updated_at.timestamp()}" for row in campaigns.values())
    return Published(changed=changed, stamp="|".join([*dates, *of_campaigns]), rules=tuple(rules))


_published: Final[dict[str, Published]] = {}
_placements: Final = SiteSnapshots("placements", lambda site: partial(load_placements, site), refresh_s=REFRESH_S)


def recalled_rule(item_ids: Iterable[str]) -> CompiledRule | None:
    """Return the rule that never shows these items, in any list; ``None`` for none."""
    items = tuple(sorted(item_ids))
    if not items:
        return None
    return compile_rule(RuleSpec(rule_id=RECALL, name=RECALLED, action=RuleAction.EXCLUDE, items=items))


def within_campaign(spec: RuleSpec, campaign: Campaign | None) -> RuleSpec:
    """Return a rule with the schedule of its campaign: it holds while both do."""
    if campaign is None:
        return spec
    starts = [each for each in (spec.starts_at_ms, _epoch_ms(campaign.starts_at)) if each is not None]
    ends = [each for each in (spec.ends_at_ms, _epoch_ms(campaign.ends_at)) if each is not None]
    return msgspec.structs.replace(
        spec, starts_at_ms=max(starts, default=None), ends_at_ms=min(ends, default=None)
    )  # fmt: skip


def _is_on(number: int | None, campaigns: Mapping[int, Campaign]) -> bool:
    return number is None or number not in campaigns or campaigns[number].is_on


def compiled_rules(
    documents: list[Mapping[str, Any]], *, within: Mapping[int, Campaign] | None = None
) -> list[CompiledRule]:
    """Return published rules, highest priority first; one that cannot be read is left out and logged.

    Parameters
    ----------
    within : mapping of rule id to Campaign, optional
        Campaigns whose schedules hold, too.
    """
    rules = []
    for document in documents:
        try:
            spec = msgspec.convert(document, RuleSpec)
            rules.append(compile_rule(within_campaign(spec, (within or {}).get(spec.rule_id))))
        except (msgspec.ValidationError, InvalidQuery) as error:
            logger.error("placements.rule_unreadable rule=%s error=%s", document.get("rule_id"), error)
    return by_priority(rules)


def by_priority(rules: Iterable[CompiledRule]) -> list[CompiledRule]:
    """Return rules as lists follow them: highest priority first, of equal ones the older."""
    return sorted(rules, key=lambda rule: (-rule.spec.priority, rule.spec.rule_id))


def placement_spec(row: Placement, rules: list[CompiledRule]) -> PlacementSpec:
    """Return a placement as it is served, with those of ``rules`` that may touch it."""
    condition = _condition(row.condition, placement=row.name, field="condition")
    repeatable = _condition(row.repeatable, placement=row.name, field="repeatable")
    return PlacementSpec(
        name=row.name,
        heading=row.heading,
        layout=row.layout,
        strategy=row.strategy,
        segment_strategies=dict(row.segment_strategies),
        sources=tuple(name for name in row.sources if not name.startswith(ADDED)),
        added_sources=tuple(name.removeprefix(ADDED) for name in row.sources if name.startswith(ADDED)),
        filter=row.condition if condition is not None else "",
        condition=condition,
        size=row.size,
        repeats=row.repeats,  # type: ignore[arg-type]  # one of the model's choices
        hides_cart=row.hides_cart,
        bought_days=row.bought_days,
        repeatable_filter=row.repeatable if repeatable is not None else "",
        repeatable=repeatable,
        window=row.window,
        variety=Variety(
            difference=row.diversity / 100.0,
            max_per_category=row.max_per_category,
            max_per_brand=row.max_per_brand,
        ),
        fallback=row.fallback,  # type: ignore[arg-type]  # one of the model's choices
        editorial_items=tuple(row.editorial_items),
        exploration=row.exploration / 100.0,
        objectives=row.objectives,
        rules=tuple(rule for rule in rules if not rule.spec.placements or row.name in rule.spec.placements),
    )


def _condition(text: str, *, placement: str, field: str) -> Condition | None:
    """Return a placement's condition, None for none; one that cannot be read was written by other means than a form."""
    if not text:
        return None
    try:
        return language.parse(text, field=field)
    except InvalidQuery as error:
        logger.error("placements.condition_unreadable placement=%s field=%s error=%s", placement, field, error)
        return None


def rule_spec(rule: Rule, *, chosen: Iterable[Placement] | None = None) -> RuleSpec:
    """Return a rule as its form stands now; raises ``msgspec.ValidationError`` for what cannot be served.

    Parameters
    ----------
    chosen : iterable of Placement, optional
        The placements of a form that is not saved yet, in place of the stored ones.
    """
    if chosen is None:
        chosen = rule.placements.all() if rule.pk else ()
    return msgspec.convert(
        {
            "rule_id": rule.pk or 0,
            **{name: getattr(rule, name) for name in FIELDS},
            "placements": [placement.name for placement in chosen],
            "starts_at_ms": _epoch_ms(rule.starts_at),
            "ends_at_ms": _epoch_ms(rule.ends_at),
        },
        RuleSpec,
    )  # fmt: skip


@transaction.atomic
def publish(rule: Rule, *, author: str = "") -> None:
    """Serve the rule as its form stands now: within two seconds on every process; a version is kept of it."""
    spec = rule_spec(rule)
    compile_rule(spec)
    rule.published = msgspec.to_builtins(spec)
    rule.published_at = timezone.now()
    rule.save(update_fields=["published", "published_at", "updated_at"])
    record_version(rule, Kind.PUBLISHED, rule.published, author=author)


@transaction.atomic
def withdraw(rule: Rule, *, author: str = "") -> None:
    """Serve the rule no longer; its form stays as a draft, and what was served as a version."""
    record_version(rule, Kind.WITHDRAWN, None, author=author)
    rule.published = None
    rule.published_at = None
    rule.save(update_fields=["published", "published_at", "updated_at"])


def has_draft_changes(rule: Rule) -> bool:
    """Return whether the form says something else than what is served."""
    if rule.published is None:
        return False
    try:
        return rule_spec(rule) != msgspec.convert(rule.published, RuleSpec)
    except msgspec.ValidationError:  # what is served was published under another form of rules
        return True


def ensure_default_placements(site: Site) -> list[Placement]:
    """Make the usual placements where they are missing, so that a new site has something to show."""
    made = []
    for name, heading, strategy in DEFAULT_PLACEMENTS:
        placement, is_new = Placement.objects.get_or_create(
            site=site, name=name, defaults={"heading": heading, "strategy": strategy}
        )
        if is_new:
            made.append(placement)
    return made


def _epoch_ms(moment: Any) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
