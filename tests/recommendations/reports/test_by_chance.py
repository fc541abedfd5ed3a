"""Lists of the real pipeline, seen and clicked by users with a known taste, tell what another share would bring."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from features.archive.rows import rows_of
from features.archive.writer import ArchiveFolder
from recommendations.core.deadline import Deadline
from recommendations.core.types import RequestUser
from recommendations.items.index import ItemIndex
from recommendations.management.commands.exploration import said_of
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.state import ListResult
from recommendations.reports.by_chance import Slots, at_share, read_slots
from recommendations.retrieval.base import ServingContext
from recommendations.serving.rec_ids import signer
from tests.recommendations.worlds import DAY_US, NOW_MS, ids, item_index
from tracking.contract.parsing import parse_record

SITE, SIZE, USERS = "chanced", 6, 900
PLACEMENT = PlacementSpec(name="home", strategy="for_you", size=SIZE, exploration=0.2)
OLD, NEW = 0.3, 0.1
"""How often an old item, and a new one, is clicked in the first slot; below, half as often."""


@pytest.fixture(scope="module")
def on() -> ItemIndex:
    fresh = {"first_seen_us": NOW_MS * 1000 - DAY_US}
    return item_index(*[{}] * 20, *[dict(fresh)] * 10, popular={f"sku{n}": 100.0 - n for n in range(20)})


def listed(on: ItemIndex, user: int, share: float) -> ListResult:
    return recommend(
        ListQuery(placement=replace(PLACEMENT, exploration=share), limit=SIZE),
        RequestUser(key=f"a:{user}"),
        ServingContext(item_index=on, model=None, now_ms=NOW_MS),
        deadline=Deadline.after(10_000),
    )


def rate(item_id: str, slot: int) -> float:
    return (NEW if int(item_id.removeprefix("sku")) >= 20 else OLD) * (1.0 if slot == 0 else 0.5)


def expected_of(on: ItemIndex, share: float) -> float:
    """Return what a share brings a slot, over many lists made with it."""
    rates = [
        rate(item_id, slot)
        for user in range(5_000, 5_800)
        for slot, item_id in enumerate(ids(on, listed(on, user, share)))
    ]
    return float(np.mean(rates))


@pytest.fixture(scope="module")
def slots(on: ItemIndex, tmp_path_factory: pytest.TempPathFactory) -> Slots:
    """Return what the archive says of lists with a share of .2, and of lists without one, which count nothing."""
    rng = np.random.default_rng(4)
    folder = ArchiveFolder(str(tmp_path_factory.mktemp("archive")))
    days: dict[int, list[Any]] = {}
    for user in range(USERS):
        result = listed(on, user, 0.2 if user % 10 else 0.0)
        rec_id = signer().make(
            site=SITE, placement="home", model_version="", variant="live", now_s=NOW_MS // 1000, chance=result.chance
        )
        items = [{"item_id": item_id, "index": slot} for slot, item_id in enumerate(ids(on, result))]
        clicked = [each for each in items if rng.random() < rate(str(each["item_id"]), int(str(each["index"])))]
        events = [("view_item_list", items), *(("select_item", [each]) for each in clicked)]
        raw = {
            "v": "1.0", "site": SITE, "received_at_ms": NOW_MS, "user_id": f"u-{user}", "source": "browser",
            "events": [
                {"event": kind, "event_id": f"event-{user}-{number}", "ts": NOW_MS,
                 "params": {"item_list_id": "home", "rec_id": rec_id, "items": chosen}}
                for number, (kind, chosen) in enumerate(events)
            ],
        }  # fmt: skip
        for day, row in rows_of(parse_record(json.dumps(raw).encode())):
            days.setdefault(day, []).append(row)
    for day, rows in days.items():
        folder.write(SITE, day, "p0.parquet", rows)
        folder.write(SITE, day, "again.parquet", rows[:500])  # sent again, which counts once
    dates = sorted({path.split("date=")[1].split("/")[0] for path in folder.files(site=SITE)})
    return read_slots(folder, site=SITE, dates=[*dates, "2020-01-01"], said=said_of(SITE))["home"]


@pytest.mark.slow
def test_every_seen_slot_is_there_once_with_its_chance_and_its_click(slots: Slots) -> None:
    assert len(slots) == USERS * 9 // 10 * SIZE
    assert {chance.permille for chance in slots.chances} == {200}
    assert {chance.among for chance in slots.chances} == {10}
    assert slots.drawn[slots.slots > 0].mean() == pytest.approx(0.2, abs=0.03)
    assert not slots.drawn[slots.slots == 0].any()
    assert slots.clicked[slots.drawn].mean() == pytest.approx(NEW / 2, abs=0.03)
    assert slots.propensities()[slots.slots == 0].tolist() == [1.0] * len(slots.chances)


@pytest.mark.slow
@pytest.mark.parametrize("permille", [0, 50, 200, 400])
def test_what_another_share_would_bring_is_within_the_interval(on: ItemIndex, slots: Slots, permille: int) -> None:
    truth, found = expected_of(on, permille / 1000.0), at_share(slots, permille=permille)

    for estimate in (found.ips, found.snips, found.doubly_robust):
        assert estimate.low - 0.005 < truth < estimate.high + 0.005
        assert estimate.high - estimate.low < 0.08
    assert found.permille == permille
    assert found.snips.effective <= len(slots)


@pytest.mark.slow
def test_more_of_what_is_clicked_less_brings_less(slots: Slots) -> None:
    brought = [at_share(slots, permille=permille).doubly_robust.value for permille in (0, 100, 200, 400)]
    assert brought == sorted(brought, reverse=True)


def test_lists_without_chance_and_foreign_ids_say_nothing(on: ItemIndex) -> None:
    assert listed(on, 1, 0.0).chance is None
    assert said_of(SITE)("r1.forged") is None
    plain = signer().make(site=SITE, placement="home", model_version="", variant="live", now_s=1)
    assert said_of(SITE)(plain) is None
