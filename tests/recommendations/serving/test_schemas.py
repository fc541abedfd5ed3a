"""Requests are parsed whole or refused with the field that is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recommendations.exceptions import InvalidQuery
from recommendations.serving.schemas import (
    Hello,
    Ping,
    PlacementRequest,
    Subscribe,
    parse_live,
    parse_rank,
    parse_recommend,
)


def body(**values: Any) -> bytes:
    return json.dumps(values).encode()


def test_one_placement_may_stand_at_the_top() -> None:
    single = parse_recommend(body(placement="home", limit=3, context_items=["sku1"]))
    several = parse_recommend(body(placements=[{"placement": "home", "limit": 3, "context_items": ["sku1"]}]))

    assert single.lists() == several.lists() == (PlacementRequest(placement="home", limit=3, context_items=("sku1",)),)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (body(placements=[{"limit": 3}]), "placements[0].placement"),
        (body(placements=[{"placement": "home", "limit": 0}]), "placements[0].limit"),
        (body(placement="home", colour="moss"), "colour"),
        (body(placement="home", fields=["price", "profit"]), "fields[1]"),
    ],
)
def test_what_is_wrong_is_named(wrong: bytes, field: str) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse_recommend(wrong)

    assert caught.value.field == field


def test_a_request_for_nothing_or_in_both_ways_is_refused() -> None:
    for wrong in (body(), body(placement="home", placements=[{"placement": "home"}])):
        with pytest.raises(InvalidQuery, match="placement"):
            parse_recommend(wrong).lists()


def test_items_to_rank_are_required() -> None:
    assert parse_rank(body(items=["sku1"])).items == ("sku1",)
    with pytest.raises(InvalidQuery, match="items"):
        parse_rank(body(placement="search_results"))


def test_a_socket_understands_three_messages() -> None:
    said = [parse_live(body(type=kind)) for kind in ("hello", "subscribe", "ping")]

    assert [type(each) for each in said] == [Hello, Subscribe, Ping]
    with pytest.raises(InvalidQuery):
        parse_live('{"type": "goodbye"}')
