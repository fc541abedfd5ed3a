"""What the user has is in no list of the usual placements, over HTTP, in no size; a placement may say otherwise."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from features import keys
from features.state import states
from features.store import connections
from recommendations.http.recommend import public_application, rank_application, recommend_application
from recommendations.models import Placement
from recommendations.state.placements import DEFAULT_PLACEMENTS
from tests.recommendations.conftest import ANONYMOUS, Shop
from tests.tracking.asgi_client import call
from tracking.redis_client import connect

pytestmark = pytest.mark.redis

SIZES = 3
DAY_MS = 86_400_000


@pytest.fixture
def stocked(shop: Shop) -> Shop:
    """Return a shop of 12 products in three sizes, and a user with product 3 in the cart who bought product 5."""
    for number in range(12 * SIZES):
        product, size = divmod(number, SIZES)
        shop.add(f"p{product}-{size}", group_id=f"p{product}", category="Shoes", attributes={"size": str(size)})
    shop.load()
    now_ms = int(time.time() * 1000)
    profile = states.ProfileState(newest_ms=now_ms, sessions=[[now_ms - 60_000, now_ms, 3]])
    profile.cart = {"p3-1": [now_ms - 1_000, 1]}
    profile.bought = {"p5-0": now_ms - 10 * DAY_MS, "p7-0": now_ms - 40 * DAY_MS}
    profile.recents = {f"vp{product}-2": now_ms - product for product in (3, 5, 7, 8)}
    user_key = f"a:{ANONYMOUS}"
    partition = keys.partition_of(shop.site.slug, user_key, connections.partitions())
    client = connect(shop.redis_url, timeout_s=2)
    client.set(keys.profile(partition, shop.site.slug, user_key), states.encode(profile), ex=600)
    client.close()
    return shop


async def products(shop: Shop, placement: str, **changes: Any) -> set[str]:
    """Return the products that a list of twelve holds."""
    body = {"key": shop.publishable, "anonymous_id": ANONYMOUS, "placement": placement, "limit": 12, **changes}
    answer = await call(recommend_application, json.dumps(body).encode(), path="/v1/recommendations")
    assert answer.status == 200
    listed = [item["item_id"].partition("-")[0] for item in answer.json["results"][0]["items"]]
    assert len(listed) == len(set(listed)), "one size of each"
    return set(listed)


@pytest.mark.parametrize("name", [name for name, _, _ in DEFAULT_PLACEMENTS])
async def test_no_usual_placement_lists_the_page_the_cart_or_what_was_bought_of_late(stocked: Shop, name: str) -> None:
    listed = await products(stocked, name, context_items=["p6"], cart=["p4"])

    assert not listed & {"p3", "p4", "p6"}
    assert ("p5" in listed) is (name == "home_buy_again")
    if name not in ("home_buy_again", "home_recently_viewed"):
        assert len(listed) == 8, "everything else"


async def test_a_placement_may_list_them(stocked: Shop) -> None:
    def allow() -> None:
        Placement.objects.filter(site=stocked.site, name="home_new").update(hides_cart=False, bought_days=0)
        stocked.load()

    await asyncio.to_thread(allow)

    assert {"p3", "p4", "p5"} <= await products(stocked, "home_new", cart=["p4"])


async def test_what_was_bought_comes_again_after_the_days_of_the_placement(stocked: Shop) -> None:
    assert {"p5", "p7"} & await products(stocked, "home_new") == {"p7"}


async def test_the_same_list_for_everybody_leaves_out_its_page(stocked: Shop) -> None:
    answer = await call(
        public_application,
        method="GET",
        path="/v1/recommendations/product_similar",
        query=f"key={stocked.publishable}&context_items=p6&limit=12".encode(),
    )

    assert len(answer.json["results"][0]["items"]) == 11
    assert not any(item["item_id"].startswith("p6") for item in answer.json["results"][0]["items"])


async def test_search_results_keep_what_the_user_has(stocked: Shop) -> None:
    given = ["p1-0", "p3-1", "p5-0"]
    body = {"key": stocked.publishable, "anonymous_id": ANONYMOUS, "items": given}

    answer = await call(rank_application, json.dumps(body).encode(), path="/v1/rank")

    assert {item["item_id"] for item in answer.json["results"][0]["items"]} == set(given)
