"""List queries from requests: placements looked up, conditions parsed, errors with the path of their field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.pipeline.query import PlacementSpec
from recommendations.serving.requests import (
    UnknownPlacement,
    check_any_known,
    condition_of,
    plain_ids,
    problem_of,
    queries_of,
)
from recommendations.serving.schemas import PlacementRequest
from recommendations.state.models import LiveModels
from recommendations.state.placements import Placements
from recommendations.state.site import SiteServing, SiteState
from tests.recommendations.worlds import item_index
from tracking.contract.placeholders import plain_id

STATE = SiteState(
    site="shop",
    placements=Placements(by_name={name: PlacementSpec(name=name, size=6) for name in ("home", "cart")}),
    serving=SiteServing(number=1, item_index=item_index(n=3), models=LiveModels()),
)


def wanted(placement: str, **values: Any) -> PlacementRequest:
    return PlacementRequest(placement=placement, **values)


def test_a_query_has_the_placement_and_what_the_request_adds() -> None:
    (query,) = queries_of(
        [wanted("home", context_items=("sku1",), filter="price < 50")],
        STATE,
        cart=("sku2",),
        locale="de",
        explains=True,
    )

    assert query.placement is STATE.placements.by_name["home"]
    assert [query.limit, query.context_items, query.cart] == [6, ("sku1",), ("sku2",)]
    assert [query.filter, query.condition] == ["price < 50", language.parse("price < 50")]
    assert [query.locale, query.explains, query.fields] == ["de", True, None]


def test_ids_are_those_that_events_and_the_catalogue_keep() -> None:
    """A page that writes é as two characters, or copies a blank along, means the same item."""
    (query,) = queries_of(
        [wanted("home", context_items=("caf\u0065\u0301 ",), exclude=("\u200bsku1",))], STATE, cart=(" sku2",)
    )

    assert [query.context_items, query.exclude, query.cart] == [("caf\u00e9",), ("sku1",), ("sku2",)]


def test_a_limit_has_a_limit() -> None:
    (query,) = queries_of([wanted("home", limit=1_000)], STATE)

    assert query.limit == 100


def test_an_unknown_placement_is_named_or_skipped() -> None:
    both = [wanted("home"), wanted("nowhere")]

    with pytest.raises(UnknownPlacement, match=r"placements\[1\]\.placement"):
        queries_of(both, STATE)
    assert [query.placement.name for query in queries_of(both, STATE, skips_unknown=True)] == ["home"]
    check_any_known(both, STATE)
    with pytest.raises(UnknownPlacement):
        check_any_known([wanted("nowhere")], STATE)
    assert problem_of(wanted("nowhere")).placement == "nowhere"


@pytest.mark.parametrize("text", [None, "", "  "])
def test_an_empty_condition_is_none(text: str | None) -> None:
    assert condition_of(text, field="filter") is None


@pytest.mark.parametrize("text", ["margin > 1", "price <", "colour = 1"])
def test_a_condition_that_visitors_may_not_use_is_refused_under_the_path_of_its_field(text: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        queries_of([wanted("home"), wanted("cart", filter=text)], STATE)

    assert caught.value.field == "placements[1].filter"


@given(st.lists(st.text(alphabet=" \t\x00\x1f\u00a0\u200bea\u0301\u00e91-", max_size=4), max_size=6))
@example(["sku1", "sku2"])
@example([" sku1", "sku2"])
@example([""])
@example(["a", ""])
@example(["a b"])
def test_ids_are_plain_whether_looked_at_together_or_one_by_one(ids: list[str]) -> None:
    assert plain_ids(tuple(ids)) == tuple(map(plain_id, ids))
