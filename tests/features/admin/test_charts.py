"""The words beside the RFM map, and which colour a field has."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from features.admin.charts import heat_map, order_words, recency_words
from features.models import RfmSnapshot
from tracking.models import Site

NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)
DAY_MS = 86_400_000


def days_ago(*days: float) -> list[int]:
    return [int(NOW.timestamp() * 1000 - each * DAY_MS) for each in days]


def test_rows_say_when_their_buyers_bought_last() -> None:
    assert recency_words(days_ago(120, 40, 10, 0.5), made_at=NOW) == [
        "over 4 months ago", "40 days to 4 months ago", "10 days to 40 days ago", "12 hours to 10 days ago",
        "within 12 hours",
    ]  # fmt: skip


def test_columns_say_how_many_orders_and_that_a_fifth_may_be_empty() -> None:
    assert order_words([1, 1, 1, 2]) == ["1 order", "nobody", "nobody", "2 orders", "3 or more orders"]
    assert order_words([1, 2, 4, 8])[2:] == ["3 to 4 orders", "5 to 8 orders", "9 or more orders"]


def test_the_fullest_field_is_darkest_and_an_empty_one_has_no_colour() -> None:
    cells = [[[0, 0] for _ in range(5)] for _ in range(5)]
    cells[4][4], cells[0][0] = [80, 5_000], [20, 1_000]
    snapshot = RfmSnapshot(
        site=Site(currency="EUR"),
        made_at=NOW,
        users=100,
        cells=cells,
        bounds={"last_purchase_ms": days_ago(4, 3, 2, 1), "orders": [1, 1, 1, 2]},
    )
    segments = {(r, f, m): "some" for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)}

    rows = heat_map(snapshot, segments)

    assert rows[0][0] == "within 24 hours"
    best, worst = rows[0][1][4], rows[4][1][0]
    assert (best.users, best.share, best.mean) == (80, 80.0, 50.0)
    assert int(best.background[1:3], 16) < int(worst.background[1:3], 16)
    assert rows[2][1][2].background == ""


@pytest.mark.parametrize(
    "broken",
    [
        {"bounds": {}},
        {"bounds": {"orders": [1, 1, 1, 2]}},
        {"bounds": {"orders": [1], "last_purchase_ms": None}},
        {"bounds": []},
        {"cells": []},
        {"cells": [[[1, 2]]]},
        {"cells": {}},
        {"cells": [[1, 2]]},
        {"sizes": []},
        {"sizes": {}},
    ],
)
@pytest.mark.django_db
def test_a_run_that_lacks_a_figure_is_shown_with_what_it_has(admin_client: Client, broken: dict[str, Any]) -> None:
    site = Site.objects.create(slug="charted", name="Shop", currency="EUR")
    whole = {
        "cells": [[[0, 0] for _ in range(5)] for _ in range(5)],
        "sizes": {"champions": 3},
        "bounds": {"last_purchase_ms": days_ago(4, 3, 2, 1), "orders": [1, 1, 1, 2]},
    }
    RfmSnapshot.objects.create(site=site, users=3, seconds=0.1, **{**whole, **broken})

    page = admin_client.get(reverse("admin:features_rfmsnapshot_changelist"), {"site": "charted"})

    assert page.status_code == 200
    said = page.content.decode()
    assert ("score 5" in said) == ("bounds" in broken)
