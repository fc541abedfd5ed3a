"""The page on which a list is steered: each move shows the list as it would be, and what is saved is a rule."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from recommendations.models import Placement, Rule
from recommendations.state.placements import load_placements
from tests.recommendations.conftest import Shop
from tracking.models import Membership

pytestmark = [pytest.mark.django_db, pytest.mark.redis, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def placement(shop: Shop) -> Placement:
    now = timezone.now()
    for number in range(12):
        shop.add(
            f"SKU-{number}", title=f"Boots {number}", brand="Loam" if number % 2 else "Alta",
            tags=["gift"] if number < 4 else [], attributes={"season": "winter"} if number > 8 else {},
            image_url=f"https://shop.example/{number}.jpg", first_seen_at=now - timedelta(minutes=12 - number),
        )  # fmt: skip
    made = Placement.objects.create(site=shop.site, name="steered", strategy="new", size=6, heading="Just in")
    shop.load()
    return made


class Page:
    """The page as a browser without scripts has it: buttons send the form as it stands."""

    def __init__(self, client: Client, placement: Placement, query: str = "") -> None:
        self.client = client
        self.address = reverse("admin:recommendations_placement_steer", args=[placement.pk])
        self.read(client.get(self.address + query))

    def read(self, answer: Any) -> None:
        self.answer = answer
        assert answer.status_code == 200, answer
        self.text = answer.content.decode()
        self.list = re.findall(r'data-item="([^"]+)" data-name="[^"]*" data-rank', self.text)
        self.pinned = re.findall(r'data-item="([^"]+)" data-name="[^"]*" data-rank="\d+" data-pinned', self.text)
        self.buttons = set(map(html.unescape, re.findall(r'name="do" value="([^"]+)"', self.text)))
        self.fields = {
            name: html.unescape(value)
            for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', self.text)
        }

    def press(self, action: str, *, only_part: bool = False, **typed: Any) -> Page:
        headers = {"X-Steer": "part"} if only_part else {}
        fields = {"name": "By hand", **self.fields, **typed, "do": action}
        self.read(self.client.post(self.address, fields, follow=True, headers=headers))
        self.fields = {**fields, **self.fields}
        return self


def test_cards_are_pinned_unpinned_kept_out_and_put_back(placement: Placement, admin: Client) -> None:
    page = Page(admin, placement)
    before = page.list
    last, second = before[-1], before[1]
    assert {f"pin:6:{last}", f"pin:5:{last}", f"exclude:{last}"} <= page.buttons

    page.press(f"pin:1:{last}")
    assert (page.list[0], page.pinned) == (last, [last])
    assert f"unpin:{last}" in page.buttons
    assert "is pinned to rank 1." in page.text
    page.press(f"exclude:{second}")
    assert second not in page.list
    page.press(f"include:{second}").press(f"unpin:{last}")
    assert (page.list, page.pinned) == (before, [])
    page.press("undo").press("undo").press("undo")
    assert page.list[0] == last
    assert second in page.list
    page.press("undo")
    assert page.list == before
    assert "There is nothing to undo" in page.press("undo").text
    assert not Rule.objects.exists()


def test_a_script_is_answered_with_what_a_move_changes_alone(placement: Placement, admin: Client) -> None:
    page = Page(admin, placement).press("place:SKU-3", only_part=True, at="2", q="boots 3")
    assert page.list[1] == "SKU-3"
    assert "<html" not in page.text
    assert 'value="place:SKU-3"' in page.text


def test_what_is_saved_is_a_draft_until_it_is_published(shop: Shop, placement: Placement, admin: Client) -> None:
    page = Page(admin, placement).press("pin:2:SKU-0").press("pin:4:SKU-1").press("exclude:SKU-11")
    page.press("save", name="Boots first", segments=["champions"])

    rule = Rule.objects.get()
    assert (rule.published, rule.name, rule.segments, rule.updated_by) == (None, "Boots first", ["champions"], "admin")
    assert [each.name for each in rule.placements.all()] == ["steered"]
    assert "saved as a draft" in page.text
    page = Page(admin, placement, f"?rule={rule.pk}").press("pin:1:SKU-0").press("publish", segments=["champions"])
    (served,) = load_placements(shop.site.slug).by_name["steered"].rules
    assert [(each.spec.action, each.spec.position, each.spec.items) for each in served.parts] == [
        ("pin", 1, ("SKU-0",)), ("pin", 4, ("SKU-1",)), ("exclude", 1, ("SKU-11",)),
    ]  # fmt: skip
    assert "every process serves it within two seconds" in page.text
    assert Rule.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("tags", "gift", "SKU-3"),
        ("attributes.season", "winter", "SKU-11"),
        ("condition", 'brand = "Alta"', "SKU-10"),
    ],
)
def test_the_newest_of_what_matches_is_pinned(
    placement: Placement, admin: Client, kind: str, value: str, expected: str
) -> None:
    wanted: dict[str, Any] = {
        "set_kind": kind,
        "set_value": value,
        "set_count": "2",
        "set_order": "newest",
        "set_at": "3",
    }
    page = Page(admin, placement).press("set", **wanted)
    assert page.list[2] == expected
    page.press("save")
    rule = Rule.objects.get()
    assert (rule.action, rule.pin_count, rule.pin_order, rule.position) == ("pin", 2, "newest", 3)
    assert Page(admin, placement, f"?rule={rule.pk}").list[2] == expected
    page.press("unset:0")
    assert "Pin them" in page.text


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"set_kind": "condition", "set_value": "pricee <"}, "pricee"),
        ({"set_kind": "tags", "set_value": ""}, "Name what to pin"),
        ({"set_kind": "tags", "set_value": "gift", "set_count": "many"}, "whole numbers"),
    ],
)
def test_a_mistake_is_named_and_keeps_what_was_steered(
    placement: Placement, admin: Client, typed: dict[str, Any], said: str
) -> None:
    page = Page(admin, placement).press("pin:1:SKU-4")
    page.press("set", **{"set_count": "3", "set_at": "1", **typed})
    assert said in html.unescape(page.text)
    assert page.pinned == ["SKU-4"]


def test_what_empties_the_list_is_not_published(placement: Placement, admin: Client) -> None:
    page = Page(admin, placement)
    page.fields["steered"] = json.dumps({"excluded": [f"SKU-{number}" for number in range(12)]})
    page.press("publish")
    assert "Not published" in page.text
    assert not Rule.objects.filter(published__isnull=False).exists()
    assert "undo" in page.buttons


def test_what_the_page_does_not_show_stays_in_the_rule(placement: Placement, admin: Client) -> None:
    rule = Rule.objects.create(
        site=placement.site, name="r", action="boost", brands=["Loam"], strength=3.0, price_to=50.0, priority=7,
        devices=["mobile"], also=[{"action": "pin", "position": 2, "items": ["SKU-1", "SKU-2"]}],
    )  # fmt: skip
    rule.placements.add(placement)
    page = Page(admin, placement, f"?rule={rule.pk}")
    assert "The rule also does this" in page.text
    page.press("pin:4:SKU-2").press("save", name="r")

    rule.refresh_from_db()
    assert (rule.action, rule.brands, rule.strength, rule.price_to, rule.priority, rule.devices) == (
        "boost", ["Loam"], 3.0, 50.0, 7, ["mobile"],
    )  # fmt: skip
    assert rule.also == [
        {"action": "pin", "position": 2, "items": ["SKU-1"]}, {"action": "pin", "position": 4, "items": ["SKU-2"]},
    ]  # fmt: skip


def test_two_people_on_one_rule_are_told_of_each_other(placement: Placement, admin: Client) -> None:
    Page(admin, placement).press("pin:1:SKU-4").press("save")
    rule = Rule.objects.get()
    mine = Page(admin, placement, f"?rule={rule.pk}").press("pin:2:SKU-5")
    Page(admin, placement, f"?rule={rule.pk}").press("pin:3:SKU-6").press("save")
    mine.press("save")
    assert "has changed this rule since you opened it" in mine.text


def test_who_may_only_look_saves_nothing(placement: Placement, client: Client) -> None:
    viewer = get_user_model().objects.create_user("vera", password="x" * 16, is_staff=True)
    Membership.objects.create(site=placement.site, user=viewer, role=Group.objects.get(name="Viewer"))
    client.force_login(viewer)
    page = Page(client, placement)
    assert "publish" not in page.buttons
    fields = {**page.fields, "do": "save"}
    assert client.post(page.address, fields).status_code == 403
    assert not Rule.objects.exists()


def test_a_state_that_was_tampered_with_is_refused(placement: Placement, admin: Client) -> None:
    page = Page(admin, placement)
    page.fields["steered"] = '{"items": 3}'
    assert "reload the page" in page.press("pin:1:SKU-1").text
