"""Lists that were really asked for, made once more with a draft: how many change, become short or empty."""

from __future__ import annotations

from typing import Any

from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from recommendations.state.models import LiveModels
from recommendations.state.site import SiteServing
from recommendations.what_if.replay import Difference, replay
from recommendations.what_if.request_log import KeptRequest
from tests.recommendations.worlds import item_index

SERVING = SiteServing(number=1, item_index=item_index(n=12), models=LiveModels())


def home(*rules: dict[str, Any], **placement: Any) -> dict[str, PlacementSpec]:
    compiled = tuple(
        compile_rule(RuleSpec(rule_id=number, name="rule", **rule)) for number, rule in enumerate(rules, 1)
    )
    return {"home": PlacementSpec(name="home", strategy="new", rules=compiled, **placement)}


def request(**changes: Any) -> KeptRequest:
    return KeptRequest(**{"placement": "home", "made_at_s": 1, "limit": 4, **changes})


def tried(requests: list[KeptRequest], *rules: dict[str, Any], budget_s: float = 60.0) -> Difference:
    return replay(requests, home(), home(*rules), SERVING, budget_s=budget_s)


def test_lists_that_change_become_short_or_empty_are_counted() -> None:
    requests = [request(), request(is_returning=True), request(filter="price > 9"), request(segments=("lost",))]

    pin = tried(requests, {"action": "pin", "items": ("sku11",), "segments": ("lost",)})
    cut = tried(requests, {"action": "exclude", "condition": "price > 10", "shoppers": "returning"})
    gone = tried(requests, {"action": "exclude", "condition": "price > 9"})
    few = tried(requests, {"action": "include_only", "items": ("sku0", "sku1")})

    assert (pin.n_lists, pin.n_changed, pin.n_short, pin.n_emptied) == (4, 1, 0, 0)
    assert (cut.n_changed, cut.n_short, cut.n_emptied) == (0, 0, 0)
    assert (gone.n_changed, gone.n_emptied) == (1, 1)
    assert (few.n_changed, few.n_short, few.n_emptied) == (4, 3, 1)


def test_new_items_by_chance_are_no_difference() -> None:
    now = home(exploration=0.5)

    assert replay([request() for _ in range(20)], now, now, SERVING, budget_s=60.0).n_changed == 0


def test_requests_that_cannot_be_made_again_are_left_out() -> None:
    requests = [request(placement="gone"), request(filter="price <"), request()]

    assert tried(requests).n_lists == 1


def test_it_ends_when_the_time_is_over_with_what_it_has() -> None:
    found = tried([request() for _ in range(500)], budget_s=0.0)

    assert (found.n_kept, found.n_lists) == (500, 1)


def test_it_is_said_in_words() -> None:
    assert Difference().sentence == "No request for these lists in the last hour to try it on."
    assert Difference(n_kept=2, n_lists=2).sentence == "Of 2 lists of the last hour none would change."
    assert Difference(n_kept=1, n_lists=1, n_changed=1).sentence == (
        "Of 1 list of the last hour 1 would change; none would be shorter or empty."
    )
    assert Difference(n_kept=9, n_lists=9, n_changed=7, n_short=3, n_emptied=1).sentence == (
        "Of 9 lists of the last hour 7 would change, 3 would be shorter, 1 would be empty."
    )
