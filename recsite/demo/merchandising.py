"""What the demo shop's merchandiser steered in its six weeks: a campaign that runs, one that is over, and rules.

Each rule was published, some were changed since, one is still a draft: so the pages of rules, campaigns and versions
have something to show as soon as the shop is open. Times are counted from the moment at which they are made.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from recommendations.core.actions import LimitPer, PinOrder, RuleAction
from recommendations.models import Campaign, HoldOut, Placement, Rule, RuleVersion
from recommendations.state.placements import announce_placements, publish, withdraw
from tracking.models import Site

AUTHOR: Final = "demo"
PRODUCT_LISTS: Final = ("product_similar", "product_also_viewed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """A rule and its history; days are counted back from now.

    Parameters
    ----------
    days_ago : int or None
        When it was published; ``None`` leaves it a draft.
    before : dict
        What it said otherwise until its last change; empty: it was never changed.
    changed_days_ago : int
    withdrawn_days_ago : int or None
    """

    name: str
    placements: tuple[str, ...]
    action: RuleAction
    days_ago: int | None
    values: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    changed_days_ago: int = 0
    withdrawn_days_ago: int | None = None


RUNNING: Final = "Gifts for the cold season"
OVER: Final = "End of the garden season"

OF_RUNNING: Final = (
    Steered(
        name="Wool and candles first", placements=("home_for_you", "home_trending"), action=RuleAction.BOOST,
        days_ago=12, values={"brands": ["Tundra Wool", "Wick & Wax"], "strength": 1.6}, before={"strength": 1.3},
        changed_days_ago=4,
    ),
    Steered(
        name="The newest arrival on the home page", placements=("home_for_you",), action=RuleAction.PIN,
        days_ago=12,
        values={"tags": ["new"], "position": 4, "pin_count": 1, "pin_order": PinOrder.NEWEST.value},
    ),
)  # fmt: skip
OF_OVER: Final = (
    Steered(
        name="Garden offers up", placements=("home_for_you",), action=RuleAction.BOOST, days_ago=38,
        values={"brands": ["Greenhand", "Old Orchard"], "strength": 2.0}, withdrawn_days_ago=24,
    ),
)  # fmt: skip
ALONE: Final = (
    Steered(
        name="No more than three of a brand", placements=PRODUCT_LISTS, action=RuleAction.LIMIT, days_ago=41,
        values={"condition": "price > 0", "at_most": 3, "per": LimitPer.BRAND.value}, before={"at_most": 2},
        changed_days_ago=26,
    ),
    Steered(
        name="Nearly sold out goes down", placements=("home_trending",), action=RuleAction.BURY, days_ago=33,
        values={"stock_from": 1, "stock_to": 3, "strength": 2.0},
    ),
    Steered(
        name="No bikes below the cart", placements=("cart_cross_sell",), action=RuleAction.EXCLUDE, days_ago=20,
        values={"categories": ["Cycling > Bikes"]},
    ),
    Steered(
        name="Offers for those who come back", placements=("home_trending",), action=RuleAction.BOOST, days_ago=None,
        values={"tags": ["sale"], "strength": 1.5, "shoppers": Rule.Shoppers.RETURNING},
    ),
)  # fmt: skip


@transaction.atomic
def ensure_merchandising(site: Site) -> int:
    """Make campaigns and rules where the site has none of either; return how many rules were made."""
    if Rule.objects.filter(site=site).exists() or Campaign.objects.filter(site=site).exists():
        return 0
    now = timezone.now()
    running = Campaign.objects.create(
        site=site, name=RUNNING, starts_at=now - dt.timedelta(days=12), ends_at=now + dt.timedelta(days=16)
    )
    over = Campaign.objects.create(
        site=site, name=OVER, starts_at=now - dt.timedelta(days=38), ends_at=now - dt.timedelta(days=24)
    )
    made = [_rule(site, one, now) for one in ALONE]
    made += [_rule(site, one, now, campaign=running) for one in OF_RUNNING]
    made += [_rule(site, one, now, campaign=over) for one in OF_OVER]
    announce_placements(site.slug)
    return len(made)


def _rule(site: Site, steered: Steered, now: dt.datetime, *, campaign: Campaign | None = None) -> Rule:
    rule = Rule.objects.create(
        site=site, name=steered.name, action=steered.action.value, campaign=campaign, updated_by=AUTHOR,
        **steered.values | steered.before,
    )  # fmt: skip
    rule.placements.set(Placement.objects.filter(site=site, name__in=steered.placements))
    if steered.days_ago is None:
        return rule
    _publish(rule, now - dt.timedelta(days=steered.days_ago))
    if steered.before:
        for name, value in steered.values.items():
            setattr(rule, name, value)
        rule.revision += 1
        rule.save()
        _publish(rule, now - dt.timedelta(days=steered.changed_days_ago))
    if steered.withdrawn_days_ago is not None:
        _withdraw(rule, now - dt.timedelta(days=steered.withdrawn_days_ago))
    return rule


def _publish(rule: Rule, at: dt.datetime) -> None:
    """Publish a rule as somebody did then."""
    publish(rule, author=AUTHOR)
    Rule.objects.filter(pk=rule.pk).update(published_at=at, updated_at=at)
    _date_newest_version(rule, at)


def _withdraw(rule: Rule, at: dt.datetime) -> None:
    """Withdraw a rule as somebody did then."""
    withdraw(rule, author=AUTHOR)
    Rule.objects.filter(pk=rule.pk).update(updated_at=at)
    _date_newest_version(rule, at)


def _date_newest_version(rule: Rule, at: dt.datetime) -> None:
    newest = RuleVersion.objects.filter(rule_number=rule.pk).latest("number")
    RuleVersion.objects.filter(pk=newest.pk).update(at=at)


def hold_out_of_campaign(site: Site) -> HoldOut | None:
    """Return a new hold-out of the campaign that runs; ``None`` where it was deleted."""
    campaign = Campaign.objects.filter(site=site, name=RUNNING).first()
    if campaign is None:
        return None
    held = HoldOut.objects.create(site=site, campaign=campaign, percent=10, metric="carts")
    HoldOut.objects.filter(pk=held.pk).update(started_at=timezone.now() - dt.timedelta(days=12))
    return held
