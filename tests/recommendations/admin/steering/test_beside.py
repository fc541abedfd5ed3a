"""The list beside the form of a rule: before and after, for whom one chooses."""

from __future__ import annotations

import pytest

from recommendations.admin.steering.beside import beside
from recommendations.admin.steering.pictures import pictures_of
from recommendations.core.actions import RuleAction
from recommendations.models import Rule
from recommendations.pipeline.rules.base import RuleSpec
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    for number in range(12):
        shop.add(f"SKU-{number}", title=f"Item {number}", brand="Loam" if number % 2 else "Alta")
    shop.load()
    return shop


def test_the_draft_stands_in_the_list_of_whom_it_is_for_and_says_what_it_pushed_out(stocked: Shop) -> None:
    spec = RuleSpec(rule_id=0, name="d", action=RuleAction.PIN, items=("SKU-0",), segments=("champions",))
    asked = {"preview_placement": "home_new"}

    for_nobody = beside(stocked.site, spec, asked)
    for_champions = beside(stocked.site, spec, {**asked, "preview_segment": "champions"})

    assert for_nobody is not None
    assert for_champions is not None
    assert (for_nobody.applies, for_nobody.is_same) == (False, True)
    assert for_champions.applies
    assert for_champions.after[0].why.item_id == "SKU-0"
    assert [(each.why.item_id, bool(why)) for each, why in for_champions.gone] == [
        (for_champions.before[-1].why.item_id, True)
    ]


def test_it_is_for_a_page_and_a_device_that_one_makes_up(stocked: Shop) -> None:
    spec = RuleSpec(
        rule_id=0, name="d", action=RuleAction.EXCLUDE, same=("brand",), devices=("mobile",),
        placements=("product_similar",),
    )  # fmt: skip
    shown = beside(stocked.site, spec, {"preview_page_item": "SKU-1", "preview_device": "mobile"})
    elsewhere = beside(stocked.site, spec, {"preview_page_item": "SKU-1", "preview_device": "desktop"})

    assert shown is not None
    assert elsewhere is not None
    assert {each.card.brand for each in shown.after if each.card} == {"Alta"}
    assert elsewhere.is_same


def test_the_list_of_rules_shows_pictures_of_what_they_touch(stocked: Shop) -> None:
    rule = Rule.objects.create(site=stocked.site, name="r", action="boost", brands=["Loam"])
    odd = Rule.objects.create(site=stocked.site, name="o", action="boost", condition="price <")

    assert pictures_of(rule).count("Item ") >= 4
    assert "Item" not in pictures_of(odd)
