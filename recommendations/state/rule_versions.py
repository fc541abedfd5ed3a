"""What was published of a rule, by whom and when; kept when the rule is deleted, so that its reports keep its name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django.db.models import Max

from recommendations.models import Placement, Rule, RuleVersion
from recommendations.pipeline.rules.base import RuleSpec
from tracking.models import Site

Kind = RuleVersion.Kind

FIELDS: Final = (
    "name", "action", "strength", "position", "pin_count", "pin_order", "at_most", "per", "replacements", "items",
    "categories", "brands", "tags", "price_from", "price_to", "stock_from", "stock_to", "condition", "same",
    "page_price", "page_price_percent", "also", "segments", "shoppers", "context_condition", "devices", "locales",
    "countries", "campaigns", "queries", "pages", "priority",
)  # fmt: skip
"""What a rule and ``RuleSpec`` call alike; placements and times are stored in another form."""


def record_version(rule: Rule, kind: RuleVersion.Kind, document: Mapping[str, Any] | None, *, author: str = "") -> None:
    """Add a version; called within the transaction that changes the rule."""
    last = RuleVersion.objects.filter(rule_number=rule.pk).aggregate(last=Max("number"))["last"] or 0
    RuleVersion.objects.create(
        site=rule.site,
        rule_number=rule.pk,
        number=last + 1,
        kind=kind,
        name=rule.name,
        document=None if document is None else dict(document),
        author=author,
    )


def restore(rule: Rule, document: Mapping[str, Any]) -> list[str]:
    """Make the form of a rule say what a version said; what is served stays.

    Returns
    -------
    list of str
        Placements of the version that the site does not have any more.

    Raises
    ------
    msgspec.ValidationError
        The version is of another form of rules.
    """
    spec = msgspec.convert(dict(document), RuleSpec)
    for name, value in msgspec.to_builtins(spec).items():
        if name in FIELDS:
            setattr(rule, name, value)
    rule.starts_at, rule.ends_at = _moment(spec.starts_at_ms), _moment(spec.ends_at_ms)
    rule.revision += 1
    rule.save()
    found = {row.name: row for row in Placement.objects.filter(site=rule.site, name__in=spec.placements)}
    rule.placements.set(found.values())
    return [name for name in spec.placements if name not in found]


def names_of_rules(site: Site) -> dict[int, str]:
    """Return what every rule of a site is called, the deleted ones by the name that they had last."""
    versions = RuleVersion.objects.filter(site=site).order_by("rule_number", "number")
    names = dict(versions.values_list("rule_number", "name"))
    return {**names, **dict(Rule.objects.filter(site=site).values_list("pk", "name"))}


def _moment(epoch_ms: int | None) -> dt.datetime | None:
    return None if epoch_ms is None else dt.datetime.fromtimestamp(epoch_ms / 1000, dt.UTC)
