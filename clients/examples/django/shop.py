"""A shop in one file: its pages come with their lists, in HTML, for the shopper who asks.

    pip install django recsite-client
    RECSITE_URL=https://recs.example.com RECSITE_SECRET=sk_… RECSITE_KEY=pk_… python shop.py runserver

Nothing of a page waits long for a list: after 300 ms, and whenever Recsite cannot be reached, it is left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from recsite_client import ApiError, NoAnswer, PlacementRequest, Recsite, anonymous_id

URL = os.environ.get("RECSITE_URL", "http://127.0.0.1:8000")
ITEMS = {f"SKU{n}": f"Product {n}" for n in range(1, 13)}  # the shop's own catalogue

recsite = Recsite(URL, os.environ.get("RECSITE_SECRET", "sk_"), timeout_s=0.3, retries=0)


def shopper(request: HttpRequest) -> dict[str, Any]:
    """Return who asks: the cookie that Recsite set on a path of the shop's own domain, or nobody."""
    return {"anonymous_id": anonymous_id(request.COOKIES)}


def page_lists(request: HttpRequest, *wanted: PlacementRequest) -> dict[str, Any]:
    """Return the lists of a page by placement, in one request; none of them where there is no answer."""
    try:
        results = recsite.recommend(placements=wanted, **shopper(request)).results
    except (ApiError, NoAnswer):
        return {}
    return {each.placement: each for each in results if each.items}


def in_their_order(request: HttpRequest, items: Sequence[str]) -> tuple[Sequence[str], str]:
    """Return the items of a search page in the shopper's order and the reply's id, or as they were."""
    try:
        [ranked] = recsite.rank(items, **shopper(request)).results
    except (ApiError, NoAnswer):
        return items, ""
    return [str(item.item_id) for item in ranked.items], ranked.rec_id


def product(request: HttpRequest, item_id: str) -> HttpResponse:
    """Show an item, with what is like it."""
    similar = PlacementRequest(placement="product_similar", context_items=(item_id,), limit=4)
    context = {"id": item_id, "title": ITEMS.get(item_id, item_id), "lists": page_lists(request, similar)}
    return render(request, "product.html", {**context, **embedding()})


def search(request: HttpRequest) -> HttpResponse:
    """Show what a search found, re-ranked."""
    term = request.GET.get("q", "").lower()
    found = [item_id for item_id, title in ITEMS.items() if term in title.lower()]
    ranked, rec_id = in_their_order(request, found) if found else (found, "")
    shown = [(item_id, ITEMS[item_id]) for item_id in ranked if item_id in ITEMS]
    return render(request, "search.html", {"term": term, "shown": shown, "rec_id": rec_id, **embedding()})


def embedding() -> dict[str, str]:
    """Return what the base template needs: where Recsite is, and the publishable key."""
    return {"recsite": URL, "key": os.environ.get("RECSITE_KEY", "pk_")}


urlpatterns = [path("product/<item_id>", product), path("search", search)]

if not settings.configured:
    settings.configure(
        ROOT_URLCONF=__name__,
        SECRET_KEY=os.environ.get("SECRET_KEY", "only for this example"),
        ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"],
        DEBUG=False,
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [Path(__file__).with_name("templates")],
            }
        ],
    )
    django.setup()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
