"""A rule that is gone back to says exactly what its version said."""

from __future__ import annotations

import pytest

from recommendations.models import Placement, Rule, RuleVersion
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.state.placements import publish, rule_spec, withdraw
from recommendations.state.rule_versions import FIELDS, names_of_rules, restore
from tracking.models import Site


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.create(slug="shop", name="Shop")


def test_every_field_of_a_rule_comes_back(site: Site) -> None:
    home = Placement.objects.create(site=site, name="home")
    rule = Rule.objects.create(
        site=site, name="Full", action="bury", strength=3.5, position=4, items=["a"], categories=["b"], brands=["c"],
        tags=["d"], price_from=1.5, price_to=9.0, stock_from=1, stock_to=5, condition="price > 2", segments=["loyal"],
        shoppers="new", context_condition='brand = "x"', priority=7, starts_at="2030-01-01T10:00Z",
        ends_at="2031-01-01T10:00Z",
    )  # fmt: skip
    rule.placements.set([home])
    rule.refresh_from_db()
    before = rule_spec(rule)
    publish(rule, author="anna")
    other = Rule.objects.create(site=site, name="Other", action="exclude", items=["z"])
    version = RuleVersion.objects.get(rule_number=rule.pk)

    assert restore(other, version.document) == []

    again = rule_spec(Rule.objects.get(pk=other.pk))
    assert {name: getattr(again, name) for name in RuleSpec.__struct_fields__ if name != "rule_id"} == {
        name: getattr(before, name) for name in RuleSpec.__struct_fields__ if name != "rule_id"
    }


def test_every_field_of_a_rule_is_kept_or_has_a_form_of_its_own() -> None:
    assert set(RuleSpec.__struct_fields__) == {*FIELDS, "rule_id", "placements", "starts_at_ms", "ends_at_ms"}


def test_versions_are_numbered_by_rule_and_names_outlive_rules(site: Site) -> None:
    first = Rule.objects.create(site=site, name="First", action="exclude", items=["a"])
    second = Rule.objects.create(site=site, name="Second", action="exclude", items=["a"])
    for rule in (first, second):
        publish(rule)
    withdraw(first)
    number = first.pk
    first.delete()
    second.name = "Renamed"
    second.save()

    stored = RuleVersion.objects.values_list("rule_number", "number", "kind")
    assert list(stored) == [(number, 1, "published"), (number, 2, "withdrawn"), (second.pk, 1, "published")]
    assert names_of_rules(site) == {number: "First", second.pk: "Renamed"}
