"""The merchandiser's screens, as a browser would use them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.models import ModelVersion, Placement, Rule
from recommendations.state.placements import load_placements
from recommendations.versions.folder import check_integrity
from recommendations.versions.lifecycle import version_path
from tests.recommendations.conftest import Shop
from tests.recommendations.model_worlds import fitted_model_set
from tracking.models import Site
from tracking.snapshots import by_site

pytestmark = pytest.mark.redis


@pytest.fixture
def admin(shop: Shop, admin_client: Client) -> Client:
    return admin_client


def rule_form(shop: Shop, **changes: Any) -> dict[str, Any]:
    return {
        "site": shop.site.pk, "name": "No hats", "action": "exclude", "strength": 2, "position": 1, "priority": 0,
        "items": "sku1\n\n sku2 \nsku1", "shoppers": "all", **changes,
    }  # fmt: skip


def test_a_saved_rule_is_a_draft_and_a_published_one_is_served(shop: Shop, admin: Client) -> None:
    add = reverse("admin:recommendations_rule_add")

    admin.post(add, rule_form(shop))
    draft = load_placements(shop.site.slug).by_name["home_new"].rules
    admin.post(add, rule_form(shop, name="No shoes", recommendations_rule_save_and_publish="1"))
    published = load_placements(shop.site.slug).by_name["home_new"].rules

    assert Rule.objects.get(name="No hats").items == ["sku1", "sku2"]
    assert [draft, [rule.spec.name for rule in published]] == [(), ["No shoes"]]


def test_editing_a_published_rule_changes_nothing_until_it_is_published_again(shop: Shop, admin: Client) -> None:
    admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, recommendations_rule_save_and_publish="1"))
    rule = Rule.objects.get()
    change = reverse("admin:recommendations_rule_change", args=[rule.pk])

    admin.post(change, rule_form(shop, items="sku9"))
    served = load_placements(shop.site.slug).by_name["home_new"].rules[0].spec.items
    page = admin.get(reverse("admin:recommendations_rule_changelist")).content.decode()

    assert served == ("sku1", "sku2")
    assert "published, with changes" in page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition": "price <"}, "a value"),
        ({"items": ""}, "without a target"),
        ({"action": "pin", "items": ""}, "Name the items to pin"),
        ({"price_from": "9", "price_to": "5"}, "less than the price from"),
    ],
)
def test_a_rule_that_cannot_mean_anything_is_refused(shop: Shop, admin: Client, changes: Any, message: str) -> None:
    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, **changes))

    assert message in answer.content.decode()
    assert not Rule.objects.exists()


def test_the_preview_shows_the_list_before_and_after_with_the_why(shop: Shop, admin: Client) -> None:
    for number in range(12):
        shop.add(f"sku{number}", title=f"Item <b>{number}</b>", category="Shoes" if number % 2 else "Hats")
    shop.load()
    admin.post(
        reverse("admin:recommendations_rule_add"),
        rule_form(
            shop, name="Campaign", action="pin", items="sku10", position=1, recommendations_rule_save_and_publish="1"
        ),
    )
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    url = reverse("admin:recommendations_placement_preview", args=[placement.pk])

    answer = admin.get(url, {"session": "sku1\nsku3", "rules": "published"})

    after = answer.context["after"]
    assert [answer.context["before"][0].why.item_id, after[0].why.item_id] == ["sku3", "sku10"]
    place_before = [shown.why.item_id for shown in answer.context["before"]].index("sku10")
    assert [after[0].why.rules[0].name, after[0].moved] == ["Campaign", f"up {place_before}"]
    assert {source.source for source in after[1].why.sources} >= {"recents", "content"}
    page = answer.content.decode()
    assert "Item &lt;b&gt;10&lt;/b&gt;" in page  # product names are data, never markup
    assert "Item <b>" not in page


def test_a_published_rule_reads_as_one_sentence_and_says_what_it_speaks_of(shop: Shop, admin: Client) -> None:
    for number in range(4):
        shop.add(f"sku{number}", title=f"Item {number}", category="Shoes" if number % 2 else "Hats")
    shop.load()
    admin.post(
        reverse("admin:recommendations_rule_add"),
        rule_form(
            shop, action="boost", strength="3", items="", categories="Shoes", price_to="50", segments=["champions"],
            shoppers="returning", ends_at_0="2030-01-31", ends_at_1="12:00", recommendations_rule_save_and_publish="1",
        ),
    )  # fmt: skip
    rule = Rule.objects.get()

    listed = admin.get(reverse("admin:recommendations_rule_changelist")).content.decode()
    page = admin.get(reverse("admin:recommendations_rule_change", args=[rule.pk])).content.decode()

    assert (
        "Moves up category Shoes with price up to 50, 3 times; for returning shoppers; for the segments champions; "
        "until 31 Jan 2030 12:00 UTC."
    ) in listed
    assert "with changes" not in listed
    assert re.search(r"2 items, of which 2 can be shown now, such as Item [13], Item [13]", page)
    assert rule.segments == ["champions"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"action": "pin", "brands": "Loam"}, "A pin takes items alone. Empty this field"),
        ({"stock_from": "9", "stock_to": "5"}, "Is less than the stock from 9"),
        ({"segments": ["nobody"]}, "nobody is not one of the available choices"),
    ],
)
def test_a_rule_whose_fields_disagree_names_the_field(shop: Shop, admin: Client, changes: Any, message: str) -> None:
    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, **changes))

    assert message in answer.content.decode()
    assert not Rule.objects.exists()


def test_a_rule_names_placements_of_its_own_site_alone(shop: Shop, admin: Client) -> None:
    other = Site.objects.create(slug="other", name="Other")
    foreign = Placement.objects.create(site=other, name="home")

    answer = admin.post(reverse("admin:recommendations_rule_add"), rule_form(shop, placements=[foreign.pk]))

    assert f"home belongs to Other; choose those of {shop.site}." in answer.content.decode()


def test_what_is_typed_finds_items_brands_categories_and_tags(shop: Shop, admin: Client) -> None:
    shop.add("sku1", title="Trail boots", brand="Loam", category="Shoes > Boots", tags=["sale"])
    shop.add("sku2", title="Wool socks", brand="Fell", category="Shoes > Socks")
    url = reverse("admin:recommendations_rule_suggest")

    def found(**asked: str) -> list[str]:
        entries = admin.get(url, {"site": str(shop.site.pk), **asked}).json()["entries"]
        return [entry["value"] for entry in entries]

    assert found(kind="items", q="boots loam") == ["sku1"]
    assert found(kind="brands", q="fel") == ["Fell"]
    assert found(kind="categories", q="sho") == ["Shoes", "Shoes > Boots", "Shoes > Socks"]
    assert found(kind="tags", q="") == ["sale"]
    named = admin.get(url, {"kind": "items", "names": "sku2\nsku7"}).json()["entries"]
    assert [bool(entry["label"]) for entry in named] == [True, False]


def test_staff_without_rights_see_no_preview(shop: Shop, client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("clerk", password="x" * 20, is_staff=True))
    placement = Placement.objects.filter(site=shop.site).first()
    assert placement is not None

    answer = client.get(reverse("admin:recommendations_placement_preview", args=[placement.pk]))

    assert answer.status_code == 403


def test_a_version_is_promoted_and_rolled_back_with_buttons(shop: Shop, admin: Client) -> None:
    versions = []
    for seed in (1, 2):
        name = f"version-{seed}"
        export_model_set(
            fitted_model_set(n_items=40, seed=seed, with_ranker=False),
            version_path(shop.site.slug, name),
            targets=frozenset({Target.CPU}),
        )
        sha256 = check_integrity(version_path(shop.site.slug, name))
        versions.append(ModelVersion.objects.create(site=shop.site, version=name, manifest={"sha256": sha256}))
    first, second = (reverse("admin:recommendations_modelversion_change", args=[version.pk]) for version in versions)

    admin.post(first, {"recommendations_modelversion_promote_version": "1"})
    admin.post(second, {"recommendations_modelversion_promote_version": "1"})
    promoted = list(ModelVersion.objects.order_by("version").values_list("status", flat=True))
    admin.post(second, {"recommendations_modelversion_roll_back_site": "1"})
    back = list(ModelVersion.objects.order_by("version").values_list("status", flat=True))

    assert [promoted, back] == [["retired", "live"], ["live", "retired"]]


def test_a_damaged_version_is_refused_and_the_live_one_stays(shop: Shop, admin: Client) -> None:
    export_model_set(
        fitted_model_set(n_items=40, with_ranker=False),
        version_path(shop.site.slug, "damaged"),
        targets=frozenset({Target.CPU}),
    )
    sha256 = check_integrity(version_path(shop.site.slug, "damaged"))
    (version_path(shop.site.slug, "damaged") / "item_ids.json").write_text("[]")
    version = ModelVersion.objects.create(site=shop.site, version="damaged", manifest={"sha256": sha256})

    answer = admin.post(
        reverse("admin:recommendations_modelversion_change", args=[version.pk]),
        {"recommendations_modelversion_promote_version": "1"},
        follow=True,
    )

    version.refresh_from_db()
    assert version.status == "candidate"
    assert any("item_ids.json" in str(message) for message in answer.context["messages"])


def test_strategies_by_segment_are_lines_and_a_wrong_one_is_named(shop: Shop, admin: Client) -> None:
    placement = Placement.objects.get(site=shop.site, name="home_for_you")
    change = reverse("admin:recommendations_placement_change", args=[placement.pk])
    form = {
        "heading": "For you", "is_active": "on", "strategy": "for_you", "window": "24h", "size": "8",
        "repeats": "allow",
        "diversity": "0", "max_per_category": "0", "max_per_brand": "0", "exploration": "0", "fallback": "popular",
    }  # fmt: skip

    refused = admin.post(change, {**form, "segment_strategies": "champions buy_again"}).content.decode()
    admin.post(change, {**form, "segment_strategies": "champions: Buy again\n\nnew: trending"})

    assert "write it like champions: buy_again" in refused
    placement.refresh_from_db()
    assert placement.segment_strategies == {"champions": "buy_again", "new": "trending"}
    assert "champions: buy_again" in admin.get(change).content.decode()


@pytest.mark.expects_errors(r"live_models\.refused")
def test_the_first_page_says_that_the_live_version_is_refused_and_why(shop: Shop, admin: Client) -> None:
    ModelVersion.objects.create(site=shop.site, version="gone", status=ModelVersion.Status.LIVE)
    by_site.close_all()

    page = admin.get(reverse("admin:index"), {"site": shop.site.slug}).content.decode()

    assert "refused" in page
    assert "lists are popular and similar items:" in page
