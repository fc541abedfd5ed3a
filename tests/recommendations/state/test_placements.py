"""Placements with their published rules: what is served, when a schedule turns, and what a draft changes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recommendations.models import Campaign, Placement, Rule
from recommendations.state import placements
from recommendations.state.placements import (
    DEFAULT_PLACEMENTS,
    Placements,
    compiled_rules,
    ensure_default_placements,
    has_draft_changes,
    load_placements,
    load_published,
    publish,
    withdraw,
)
from tracking.models import Site


def rule(site: Site, name: str, **values: Any) -> Rule:
    return Rule.objects.create(site=site, name=name, **{"items": ["sku1"], **values})


@pytest.fixture
def site(db: None) -> Site:
    site = Site.objects.create(slug="placed", name="Placed")
    Placement.objects.create(site=site, name="home")
    Placement.objects.create(site=site, name="cart")
    Placement.objects.create(site=site, name="off", is_active=False)
    return site


def test_a_rule_of_one_placement_touches_that_one_and_a_rule_of_none_touches_all(site: Site) -> None:
    everywhere, at_home = rule(site, "everywhere"), rule(site, "at home", priority=5)
    at_home.placements.add(Placement.objects.get(name="home"))
    rule(site, "never published")
    for each in (everywhere, at_home):
        publish(each)

    found = load_placements(site.slug).by_name

    assert {name: [each.spec.name for each in spec.rules] for name, spec in found.items()} == {
        "home": ["at home", "everywhere"],  # the higher priority first
        "cart": ["everywhere"],
    }


def test_an_edit_is_a_draft_until_it_is_published_and_a_withdrawn_rule_is_served_no_more(site: Site) -> None:
    edited = rule(site, "edited")
    publish(edited)
    edited.items = ["sku2"]
    edited.save()

    assert has_draft_changes(edited)
    assert load_placements(site.slug).by_name["home"].rules[0].spec.items == ("sku1",)
    publish(edited)
    assert not has_draft_changes(edited)
    assert load_placements(site.slug).by_name["home"].rules[0].spec.items == ("sku2",)
    withdraw(edited)
    assert load_placements(site.slug).by_name["home"].rules == ()
    assert not has_draft_changes(edited)


def test_the_stamp_changes_with_whatever_is_served(site: Site) -> None:
    stamps = [load_placements(site.slug).stamp]
    published = rule(site, "rule")
    stamps.append(load_placements(site.slug).stamp)
    publish(published)
    stamps.append(load_placements(site.slug).stamp)
    Placement.objects.get(name="home").save()
    stamps.append(load_placements(site.slug).stamp)

    assert stamps[0] == stamps[1], "a draft changes nothing"
    assert len(set(stamps[1:])) == 3


def test_a_schedule_turns_the_placements_of_its_rule_when_it_begins_and_ends(site: Site) -> None:
    scheduled = rule(
        site,
        "scheduled",
        starts_at=datetime.fromtimestamp(1_000, UTC),
        ends_at=datetime.fromtimestamp(2_000, UTC),
    )
    scheduled.placements.add(Placement.objects.get(name="cart"))
    publish(scheduled)

    found = load_placements(site.slug)

    assert found.turns == ((1_000_000, "cart"), (2_000_000, "cart"))
    assert [found.stamp_at(moment)[1] for moment in (999_999, 1_000_000, 1_999_999, 2_000_000)] == [0, 1, 1, 2]


def test_only_what_turned_after_one_moment_and_until_another_is_told() -> None:
    placements = Placements(by_name={}, turns=((10, "home"), (20, "cart"), (30, "home")))

    assert placements.turned_between(9, 10) == {"home"}
    assert placements.turned_between(10, 20) == {"cart"}
    assert placements.turned_between(20, 29) == frozenset()
    assert placements.turned_between(0, 99) == {"home", "cart"}


@pytest.mark.expects_errors(r"placements\.rule_unreadable")
def test_a_published_rule_that_cannot_be_read_is_left_out() -> None:
    readable = {"rule_id": 2, "name": "fine", "action": "boost"}
    strange = {"rule_id": 1, "name": "of a newer release", "action": "teleport"}
    broken = {"rule_id": 3, "name": "broken", "action": "boost", "condition": "price <"}

    assert [each.spec.name for each in compiled_rules([strange, readable, broken])] == ["fine"]


@pytest.mark.django_db
def test_the_usual_placements_are_made_once_and_never_written_over() -> None:
    site = Site.objects.create(slug="new", name="New")
    Placement.objects.create(site=site, name="home_new", heading="Fresh")

    made = ensure_default_placements(site)

    assert len(made) == len(DEFAULT_PLACEMENTS) - 1
    assert Placement.objects.get(site=site, name="home_new").heading == "Fresh"
    assert ensure_default_placements(site) == []


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_of_published_rules_is_what_the_database_says_after_every_change(site: Site, seed: int) -> None:
    chance = random.Random(seed)

    def any_rule() -> Rule:
        return chance.choice(list(Rule.objects.filter(site=site)) or [rule(site, f"rule {chance.random()}")])

    def any_campaign() -> Campaign:
        return chance.choice(
            list(Campaign.objects.filter(site=site))
            or [Campaign.objects.create(site=site, name=f"campaign {chance.random()}")]
        )

    def save(row: Rule | Campaign, **values: Any) -> None:
        for name, value in values.items():
            setattr(row, name, value)
        row.save()

    changes = {
        "add": lambda: rule(site, f"rule {chance.random()}"),
        "publish": lambda: publish(any_rule()),
        "withdraw": lambda: withdraw(any_rule()),
        "edit": lambda: save(any_rule(), items=[f"sku{chance.randrange(9)}"]),
        "move": lambda: save(any_rule(), campaign=chance.choice([None, any_campaign()])),
        "delete": lambda: any_rule().delete(),
        "switch": lambda: save(any_campaign(), is_on=chance.random() < 0.5),
        "schedule": lambda: save(any_campaign(), ends_at=datetime.now(UTC) + timedelta(days=chance.randrange(1, 9))),
        "delete campaign": lambda: any_campaign().delete(),
    }
    for _ in range(60):
        name = chance.choice(list(changes))
        changes[name]()
        kept = load_published(site.slug)
        read = placements._read_published(site.slug, kept.changed)
        assert [each.spec for each in kept.rules] == [each.spec for each in read.rules], name
        assert kept.stamp == read.stamp, name
        assert load_published(site.slug) is kept, "nothing changed since"
