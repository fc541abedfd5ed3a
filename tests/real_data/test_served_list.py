"""What the shop's page gets after a training on RetailRocket's log, on later sessions, beside the simplest baselines.

The first nine tenths of the log are imported and trained on. Later sessions are sent to the collect endpoint event by
event, by shoppers that nobody knows, and after each the list is asked for over HTTP: a hit is when the next item
stands in it. Items that came after the training are in the catalogue, as a shop's feed would have them there. Takes
some minutes, so it runs with ``REAL_DATA=all`` only.
"""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.real_data.place import Place

pytestmark = [pytest.mark.slow, pytest.mark.redis]

LISTED = 20
STEPS = 10
"""Events of a session that are followed by a question."""

SESSION_GAP_S = 30 * 60
NAMES = {"view": "view_item", "addtocart": "add_to_cart", "transaction": "purchase"}
Event = tuple[str, str]  # kind and item id

SETUP = """
from recommendations.models import Placement
from tracking.models import Site
from tracking.access.sites import create_key
site = Site.objects.get(slug="default")
Placement.objects.update_or_create(site=site, name="home_for_you", defaults={"strategy": "for_you", "size": 20})
print(create_key(site, "sk", "real data")[1])
"""


@dataclass
class Score:
    """How often, and how high, the next item stood in a list."""

    points: int = 0
    hits: int = 0
    reciprocal: float = 0.0
    listed: set[str] = field(default_factory=set)

    def add(self, items: Sequence[str], target: str) -> None:
        """Count one list."""
        self.points += 1
        self.listed.update(items)
        if target in items:
            self.hits += 1
            self.reciprocal += 1 / (1 + items.index(target))

    @property
    def hit_rate(self) -> float:
        return self.hits / self.points

    @property
    def mrr(self) -> float:
        return self.reciprocal / self.points


class Shop:
    """What a shop's server asks, over one connection."""

    def __init__(self, place: Place, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=30)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}", "User-Agent": "shop/1"}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON and return the answer."""
        self._connection.request("POST", path, json.dumps(body).encode(), self._headers)
        response = self._connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        assert response.status in (200, 202), answer
        return answer

    def send(self, user_id: str, event: Event, *, number: int) -> None:
        """Send one event of a shopper that happens now."""
        kind, item_id = event
        now_ms = int(time.time() * 1_000)
        params: dict[str, Any] = {"items": [{"item_id": item_id}]}
        if kind == "transaction":
            params["transaction_id"] = f"{user_id}-{number}"
        one = {"event": NAMES[kind], "event_id": f"{user_id}-{number:04d}", "ts": now_ms, "params": params}
        answer = self.post("/v1/events", {"v": "1.0", "sent_at": now_ms, "user_id": user_id, "events": [one]})
        assert answer["accepted"] == 1, answer

    def listed(self, user_id: str) -> tuple[list[str], dict[str, Any]]:
        """Return the ids of the shopper's list, and the result around it."""
        body = {"user_id": user_id, "placements": [{"placement": "home_for_you", "limit": LISTED}], "budget_ms": 500}
        result: dict[str, Any] = self.post("/v1/recommendations", body)["results"][0]
        return [item["item_id"] for item in result["items"]], result


def split(log: pl.DataFrame) -> tuple[pl.DataFrame, list[list[Event]]]:
    """Return the log's first nine tenths by time, and the sessions that begin later and have a next item."""
    at_s = int(log["timestamp"].quantile(0.9) or 0)
    sessions: dict[int, list[list[Event]]] = {}
    newest_s: dict[int, int] = {}
    for timestamp, visitor, kind, item_id in log.filter(pl.col("timestamp") >= at_s).iter_rows():
        if timestamp - newest_s.get(visitor, 0) > SESSION_GAP_S:
            sessions.setdefault(visitor, []).append([])
        newest_s[visitor] = timestamp
        sessions[visitor][-1].append((kind, str(item_id)))
    later = [session for mine in sessions.values() for session in mine if len(session) > 1]
    return log.filter(pl.col("timestamp") < at_s), later


def test_served_list_is_better_than_popularity_and_last_viewed(
    retailrocket: Path, places: Callable[[str], Place], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = pl.read_csv(retailrocket)
    earlier, sessions = split(log)
    path = tmp_path / "events.csv"
    earlier.write_csv(path)
    place = places("redis")
    imported = place.import_events(path, file_format="retailrocket")
    place.wait_applied()
    started = time.monotonic()
    table = place.manage("train", "--site", "default", "--promote")
    trained_s = time.monotonic() - started
    shop = Shop(place, place.manage("shell", "-v0", "-c", SETUP).splitlines()[-1])
    catalogue = tmp_path / "items.csv"
    with_title = pl.format("Item {}", "item_id").alias("title")
    log.select(pl.col("itemid").unique().alias("item_id")).with_columns(with_title).write_csv(catalogue)
    place.manage("import_items", str(catalogue), "--site", "default")
    place.start("web")
    place.wait_ready()

    popular = [str(item) for item, _ in Counter(earlier["itemid"]).most_common(LISTED)]
    scores = {name: Score() for name in ("popularity", "last viewed", "served")}
    stages: Counter[str] = Counter()
    took_ms: list[float] = []
    for step in range(STEPS):
        live = [(f"later-{number:05d}", session) for number, session in enumerate(sessions) if len(session) > step + 1]
        for user_id, session in live:
            shop.send(user_id, session[step], number=step)
        place.wait_applied(archived=False)
        for user_id, session in live:
            asked = time.perf_counter()
            items, result = shop.listed(user_id)
            took_ms.append((time.perf_counter() - asked) * 1_000)
            stages[result["stage"]] += 1
            target = session[step + 1][1]
            viewed = list(dict.fromkeys(item for _, item in reversed(session[: step + 1])))
            scores["served"].add(items, target)
            scores["popularity"].add(popular, target)
            scores["last viewed"].add(viewed[:LISTED], target)

    with capsys.disabled():
        print(f"\n{imported}\n{table}trained in {trained_s:.0f} s")
        print(f"{len(sessions):,} later sessions, {scores['served'].points:,} lists, stages {dict(stages)}")
        for name, score in scores.items():
            print(f"{name:12} HR@20 {score.hit_rate:.4f}  MRR@20 {score.mrr:.4f}  items listed {len(score.listed):,}")
        took_ms.sort()
        print(f"ms a list over HTTP: p50 {took_ms[len(took_ms) // 2]:.1f}, p99 {took_ms[len(took_ms) * 99 // 100]:.1f}")
    assert stages["personalised"] > 0.99 * stages.total(), stages
    assert scores["served"].hit_rate > max(scores["popularity"].hit_rate, scores["last viewed"].hit_rate)
    assert scores["served"].mrr > max(scores["popularity"].mrr, scores["last viewed"].mrr)
