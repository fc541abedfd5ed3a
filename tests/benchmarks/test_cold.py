"""In a shop where titles say what goes together, lists with a content table name new items and lose no known ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import cold
from benchmarks.cold import DAY_MS, Shop
from recommendations.training.content.text import ItemText
from recommendations.training.data.building import log_from_frame

pytestmark = pytest.mark.slow
AISLES = ("lantern", "teapot", "rucksack", "bicycle", "blanket", "notebook")


def aisle_shop() -> Shop:
    """Return visits that stay in one of six aisles of twelve items; two of each aisle come on the last day."""
    chance = np.random.default_rng(2)
    found = []
    for visit in range(900):
        is_late = visit >= 700
        aisle = int(chance.integers(len(AISLES)))
        items = chance.choice(12 if is_late else 10, size=4, replace=False)
        at_ms = (10 if is_late else 1) * DAY_MS + visit * 60_000
        found += [
            {
                "item_id": f"{aisle}-{item:02d}",
                "occurred_at_ms": at_ms + step,
                "kind": "view",
                "session_id": f"{visit:04d}",
            }
            for step, item in enumerate(items.tolist())
        ]
    log = log_from_frame(pl.DataFrame(found))
    titles = {item_id: f"{AISLES[int(item_id[0])]} number {item_id[2:]}" for item_id in log.item_ids[1:]}
    return Shop(
        name="aisles",
        log=log,
        cut_ms=5 * DAY_MS,
        rows=[
            cold._row(number, item_id, title=title, price_minor=999)
            for number, (item_id, title) in enumerate(titles.items())
        ],
        texts=[ItemText(item_id=item_id, unit=item_id, title=title) for item_id, title in titles.items()],
    )


def test_new_items_are_found_by_their_titles_alone() -> None:
    figures = cold.measured(aisle_shop(), quick=True)

    assert figures["cold_items"] == 12
    assert figures["cold_source_hr20_before"] == 0.0
    assert figures["cold_source_hr20"] > 0.9
    assert figures["cold_hr20"] > max(0.2, 2 * figures["cold_hr20_before"])
    assert figures["warm_hr20"] > 0.5


def test_without_the_files_of_online_retail_the_demo_alone_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {"cold_hr20": 0.4, "cold_hr20_before": 0.1, "warm_hr20_change": 0.0}
    monkeypatch.setattr(cold, "demo_shop", lambda **_: aisle_shop())
    monkeypatch.setattr(cold, "measured", lambda shop, quick: values)

    figures = cold.run(quick=True, data=tmp_path)

    assert "the demo shop alone" in capsys.readouterr().out
    assert figures == {**values, **{f"aisles_{key}": value for key, value in values.items()}}
