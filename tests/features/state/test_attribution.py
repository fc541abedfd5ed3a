"""The credit of a click: for as long as the definitions say, and for as long as the page's tracker puts it on items."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from features import definitions
from features.definitions import ATTRIBUTION_WINDOW_MS, DAY_MS
from features.state import attribution
from features.state.attribution import CARTS, METRICS, ORDERS, REVENUE, UNITS, PlacementEffect
from tests.features.making import NOW_MS

ROOT = Path(__file__).resolve().parents[3]
SDK = ROOT / "sdk/src/tracker/attribution.js"
SCRIPT = """
globalThis.document = {currentScript: {dataset: {key: 'pk_test'}, src: 'https://shop.example/rec.js'}};
globalThis.location = {href: 'https://shop.example/'};
globalThis.navigator ??= {};
globalThis.window = globalThis;
const store = {};
globalThis.localStorage = {getItem: (key) => store[key] ?? null, setItem: (key, value) => { store[key] = value; }};
const {attribute} = await import(process.argv[2]);
let now = 1_800_000_000_000;
Date.now = () => now;
const at = (age) => {
  for (const key of Object.keys(store)) delete store[key];
  attribute('select_item', {items: [{item_id: 'a'}], rec_id: 'r1'});
  now += age;
  const params = {items: [{item_id: 'a'}]};
  attribute('add_to_cart', params);
  return params.items[0].rec_id ?? null;
};
console.log(JSON.stringify(process.argv.slice(3).map((age) => at(Number(age)))));
"""


@pytest.mark.parametrize(
    ("age_ms", "is_credited"),
    [(0, True), (ATTRIBUTION_WINDOW_MS, True), (ATTRIBUTION_WINDOW_MS + 1, False), (-1, False)],
)
def test_a_click_is_credited_within_the_window(age_ms: int, is_credited: bool) -> None:
    touches = [(NOW_MS, "a", "home|||")]

    credit = attribution.credit(touches, [(NOW_MS + age_ms, "a", "p", 2, 500, 77)])

    day = (NOW_MS + age_ms) // DAY_MS
    expected = {("home|||", day, UNITS): 2, ("home|||", day, REVENUE): 500, ("home|||", day, ORDERS): 1}
    assert credit == (expected if is_credited else {})


def test_the_newest_click_gets_all_the_credit() -> None:
    touches = [(NOW_MS, "a", "home|||"), (NOW_MS + 5, "a", "cart|||"), (NOW_MS + 5, "b", "other|||")]

    credit = attribution.credit(touches, [(NOW_MS + 9, "a", "c", 3, 0, 0)])

    assert credit == {("cart|||", (NOW_MS + 9) // DAY_MS, CARTS): 3}


def test_effects_add_up_for_each_metric() -> None:
    effects = [PlacementEffect("home|||", 5, metric, 10**metric) for metric in range(len(METRICS))]

    sums = attribution.sum_effects([*effects, *effects, PlacementEffect("home|||", 6, 0, 1)])

    assert sums[5] == {"home|||": [2 * 10**metric for metric in range(len(METRICS))]}
    assert sums[6]["home|||"][0] == 1


def test_the_tracker_states_the_window_of_the_definitions() -> None:
    (stated,) = re.findall(r"^const WINDOW_MS = ([0-9e_]+);$", SDK.read_text(), re.M)

    assert float(stated.replace("_", "")) == ATTRIBUTION_WINDOW_MS


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node: the tracker's own code runs in it")
def test_the_tracker_keeps_a_click_for_the_window_of_the_definitions(tmp_path: Path) -> None:
    ages = [0, ATTRIBUTION_WINDOW_MS - 1, ATTRIBUTION_WINDOW_MS]
    script = tmp_path / "run.mjs"
    script.write_text(SCRIPT)

    out = subprocess.run(
        ["node", str(script), SDK.as_uri(), *map(str, ages)], capture_output=True, text=True, timeout=60
    )

    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout) == ["r1", "r1", None]


def test_what_is_said_of_the_window_follows_from_it() -> None:
    hours = f"{ATTRIBUTION_WINDOW_MS // 3_600_000} h"

    (touches,) = [one for one in definitions.PROFILE.fields if one.name == "touches"]
    (carts,) = [one for one in definitions.PLACEMENT.fields if one.name == "carts"]

    assert touches.window.endswith(hours)
    assert hours in carts.help
    for page in ("docs/features.md", "docs/sdk.md"):
        text = (ROOT / page).read_text()
        assert hours in text or f"{hours}ours" in text, f"{page} says nothing of {hours}"
