"""What is refused, what asks, and what is only shown when a rule or a placement is to be served."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.admin.gate import judge_rule, judge_site
from recommendations.core.types import NOBODY
from recommendations.lint.findings import Problem
from recommendations.models import Placement, Rule
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.state.placements import load_placements, publish, withdraw
from recommendations.state.site import state_of
from recommendations.what_if.request_log import request_keeper
from tests.recommendations.admin.conftest import rule_form
from tests.recommendations.conftest import Shop

pytestmark = pytest.mark.redis

PUBLISH = {"recommendations_rule_save_and_publish": "1"}
ADD = "admin:recommendations_rule_add"


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """Return the shop with thirty items, a third of them of each brand."""
    for number in range(30):
        shop.add(f"SKU-{number}", title=f"Item {number}", brand=("Loam", "Alta", "Brio")[number % 3])
    shop.load()
    return shop


def post(admin: Client, shop: Shop, **changes: Any) -> str:
    answer = admin.post(reverse(ADD), rule_form(shop, **{**PUBLISH, **changes}), follow=True)
    return answer.content.decode()


def served(shop: Shop) -> list[str]:
    return [rule.spec.name for rule in load_placements(shop.site.slug).by_name["home_new"].rules]


def test_a_rule_that_empties_lists_is_not_published_whatever_is_confirmed(stocked: Shop, admin: Client) -> None:
    page = post(admin, stocked, items="", condition="price > 0", confirms="anything")

    assert "Not published. “No hats” leaves no item for" in page
    assert "It cannot be published like this." in page
    assert served(stocked) == []
    assert not Rule.objects.exists()


def test_an_over_broad_rule_is_published_once_it_is_confirmed_and_for_these_findings_alone(
    stocked: Shop, admin: Client
) -> None:
    broad = {"items": "", "brands": "Loam\nAlta"}
    first = admin.post(reverse(ADD), rule_form(stocked, **PUBLISH, **broad))
    token = first.context["adminform"].form.check.verdict.token
    assert "touches 67% of the items that can be shown" in first.content.decode()
    assert not Rule.objects.exists()

    other = post(admin, stocked, items="", brands="Loam\nBrio", confirms=f"{token}x")
    assert "Not published yet" in other
    assert served(stocked) == []

    post(admin, stocked, **broad, confirms=token)
    assert served(stocked) == ["No hats"]


def test_a_draft_is_saved_whatever_it_says(stocked: Shop, admin: Client) -> None:
    admin.post(reverse(ADD), rule_form(stocked, items="", condition="price > 0"))

    assert Rule.objects.get().published is None


def test_contradictions_are_shown_and_published(stocked: Shop, admin: Client) -> None:
    post(admin, stocked, name="Pin one", action="pin", items="SKU-1", position=2)

    page = post(admin, stocked, name="Pin two", action="pin", items="SKU-2", position=2)

    assert "“Pin one” and “Pin two” both pin to rank 2." in page
    assert served(stocked) == ["Pin one", "Pin two"]


def test_publishing_many_keeps_back_what_may_not_be_served_and_says_so(stocked: Shop, admin: Client) -> None:
    good = Rule.objects.create(site=stocked.site, name="Good", action="boost", brands=["Loam"])
    bad = Rule.objects.create(site=stocked.site, name="Bad", action="exclude", condition="price > 0")

    page = admin.post(
        reverse("admin:recommendations_rule_changelist"),
        {"action": "publish_selected", "_selected_action": [good.pk, bad.pk]},
        follow=True,
    ).content.decode()

    assert served(stocked) == ["Good"]
    assert "“Bad” is not published." in page
    assert "1 published." in page


def test_a_draft_is_judged_in_place_of_what_is_published_of_it(stocked: Shop) -> None:
    rule = Rule.objects.create(site=stocked.site, name="Pin", action="pin", items=["SKU-1"], position=2)
    publish(rule)

    verdict = judge_rule(
        stocked.site, RuleSpec(rule_id=rule.pk, name="Pin", action="pin", items=("SKU-2",), position=2)
    )  # type: ignore[arg-type]

    assert verdict.findings == []


def test_the_site_is_judged_by_what_is_published_alone(stocked: Shop) -> None:
    rule = Rule.objects.create(site=stocked.site, name="Typo", action="boost", brands=["Loan"])
    assert judge_site(stocked.site) == []

    publish(rule)

    assert {each.problem for each in judge_site(stocked.site)} == {Problem.DEAD, Problem.UNKNOWN}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"condition": "price > 9000"},
            "Not saved. No item that can be shown matches its own condition: price &gt; 9000.",
        ),
        ({"condition": 'colour = "moss"'}, "It names the attribute colour. No item has it."),
        ({"condition": 'brand = "Loam"', "size": 20}, "Not saved yet. home_new shows 10 items of 20."),
    ],
)
def test_a_placement_that_shows_nothing_or_little_is_not_saved_at_once(
    stocked: Shop, admin: Client, changes: dict[str, Any], message: str
) -> None:
    placement = Placement.objects.get(site=stocked.site, name="home_new")
    url = reverse("admin:recommendations_placement_change", args=[placement.pk])
    form = admin.get(url).context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values = {name: value for name, value in values.items() if value is not None and value is not False}

    answer = admin.post(url, {**values, **changes})

    assert message in answer.content.decode()
    placement.refresh_from_db()
    assert placement.condition == ""

    token = answer.context["adminform"].form.verdict.token
    confirmed = admin.post(url, {**values, **changes, "confirms": token})
    assert (confirmed.status_code == 302) is ("Not saved yet" in message)


def test_the_first_page_turns_red_where_a_list_is_empty_and_leads_to_what_empties_it(
    stocked: Shop, admin: Client
) -> None:
    in_order = "Nothing: rules, feeds, models and placements are in order."
    assert in_order in admin.get(reverse("admin:index")).content.decode()
    rule = Rule.objects.create(site=stocked.site, name="Nothing", action="exclude", condition="price > 0")
    publish(rule)  # by other means than the form

    page = admin.get(reverse("admin:index")).content.decode()

    assert in_order not in page
    assert "a list is empty" in page
    assert (
        f'<a class="rs-link" href="{reverse("admin:recommendations_rule_change", args=[rule.pk])}">Nothing</a>' in page
    )


def test_a_rule_is_tried_on_the_requests_of_the_last_hour(stocked: Shop, admin: Client) -> None:
    state = state_of(stocked.site.slug)
    for number in range(3):
        query = ListQuery(
            placement=state.placements.by_name["home_new"], limit=3, context_items=(f"SKU-{number}",),
            filter='brand = "Brio"' if number == 2 else "",
        )  # fmt: skip
        request_keeper.keep(stocked.site.slug, query, NOBODY, now_s=int(time.time()))
    request_keeper.flush()

    refused = post(admin, stocked, items="", brands="Brio")
    assert "Not published. Of 3 lists of the last hour" in refused
    assert "1 would be empty" in refused
    assert served(stocked) == []

    assert "Of 3 lists of the last hour 2 would change" in post(admin, stocked, action="pin", items="SKU-9")
    assert served(stocked) == ["No hats"]


def test_the_list_of_rules_shows_which_of_them_do_not_do_what_they_say(stocked: Shop, admin: Client) -> None:
    publish(Rule.objects.create(site=stocked.site, name="Typo", action="boost", brands=["Loan"]))
    Rule.objects.create(site=stocked.site, name="Draft", action="boost", brands=["Laom"])

    page = admin.get(reverse("admin:recommendations_rule_changelist")).content.decode()

    assert page.count("Does nothing") == 1


def test_what_is_wrong_is_looked_at_again_when_something_changes(stocked: Shop) -> None:
    rule = Rule.objects.create(site=stocked.site, name="Typo", action="boost", brands=["Loan"])
    publish(rule)
    assert judge_site(stocked.site) is judge_site(stocked.site)

    withdraw(rule)
    assert judge_site(stocked.site) == []

    publish(rule)
    stocked.add("SKU-99", brand="Loan")
    stocked.load()
    assert judge_site(stocked.site) == []
