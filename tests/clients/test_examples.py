"""The Django example: pages whose HTML comes with the list, against a real installation and against none."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys

import pytest
from recsite_client import Recsite

from tests.api.conftest import Place
from tests.end_to_end.conftest import ROOT
from tests.services.waiting import wait_until

SHOP = ROOT / "clients/examples/django"
FETCH = """
import sys
import shop
from django.test import Client
client = Client()
client.cookies["rec_aid"] = sys.argv[2]
answer = client.get(sys.argv[1])
print(answer.status_code)
print(answer.content.decode())
"""


def page(path: str, place: Place | None, *, anonymous_id: str = "c" * 32) -> str:
    address, secret = (place.address, place.sk) if place else ("http://127.0.0.1:1", "sk_x")
    environment = {
        **os.environ, "RECSITE_URL": address, "RECSITE_SECRET": secret, "RECSITE_KEY": place.pk if place else "pk_x",
        "PYTHONPATH": str(SHOP),
    }  # fmt: skip
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        [sys.executable, "-c", FETCH, path, anonymous_id],
        cwd=SHOP, env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    status, _, body = done.stdout.partition("\n")
    assert status == "200", body
    return body


@pytest.mark.slow
@pytest.mark.redis
def test_a_page_brings_its_list_and_names_it_for_impressions_and_clicks(place: Place) -> None:
    client = Recsite(place.address, place.sk)
    items = [{"item_id": f"SKU{n}", "title": f'Boots <"{n}">', "category": "Boots", "price": 9.5} for n in range(1, 9)]
    client.write_items(items)
    wait_until(
        lambda: bool(client.recommend(placement="product_similar", context_items=["SKU1"]).results[0].items), "a list"
    )

    body = page("/product/SKU1", place)

    shown = re.findall(r'<li data-rec-item="(SKU\d+)"', body)
    assert 1 <= len(shown) <= 4
    assert "SKU1" not in shown
    [rec_id] = re.findall(r'data-rec-list="product_similar" data-rec-id="([^"]+)"', body)
    assert rec_id.startswith("r")
    assert "Boots <" not in body
    assert html.escape('Boots <"') in body
    assert body.count('data-rec-action="add_to_cart"') == len(shown)
    assert f'src="{place.address}/r/v1/lists.js"' in body


@pytest.mark.slow
@pytest.mark.redis
def test_a_search_page_is_ranked_and_complete(place: Place) -> None:
    Recsite(place.address, place.sk).write_items(
        [{"item_id": f"SKU{n}", "title": f"Product {n}"} for n in range(1, 13)]
    )

    body = page("/search?q=product", place)

    assert sorted(re.findall(r'data-rec-item="(SKU\d+)"', body)) == sorted(f"SKU{n}" for n in range(1, 13))


@pytest.mark.slow
def test_without_recsite_the_pages_are_whole_but_for_their_lists() -> None:
    product, search = page("/product/SKU1", None), page("/search?q=product", None)

    assert "<h1>Product 1</h1>" in html.unescape(product)
    assert "data-rec-item" not in product
    assert search.count("data-rec-item") == 12
