"""What-if at size: ten thousand kept requests answered twice, and what 5,000 rules hold of a large catalogue."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any, Final

import msgspec
import numpy as np

from benchmarks.console_rules import BRANDS, CATEGORIES, GOOD, ids, placements, shop
from recommendations.core.actions import RuleAction
from recommendations.core.types import Ranked, RequestUser
from recommendations.items.index import ItemIndex
from recommendations.pipeline.query import PlacementSpec
from recommendations.pipeline.rules.applying import Rules
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from recommendations.state.models import LiveModels
from recommendations.state.site import SiteServing
from recommendations.what_if.estimate import ItemCounts
from recommendations.what_if.replay import Difference, replay
from recommendations.what_if.request_log import KeptRequest

SEED: Final = 11
N_REQUESTS: Final = 10_000
N_RULES: Final = 5_000


def requests(n: int) -> list[KeptRequest]:
    """Return requests as shoppers of the planted shop make them, no two of them alike."""
    rng = np.random.default_rng(SEED)
    segments = ("champions", "loyal", "lost", "")
    found = []
    for number in range(n):
        looked_at = ids(*rng.choice(600, size=int(rng.integers(1, 12)), replace=False).tolist())
        segment = segments[number % len(segments)]
        found.append(
            KeptRequest(
                placement="home_for_you", made_at_s=number, limit=8, recents=looked_at, session=looked_at[:4],
                segments=(segment,) if segment else (), is_returning=bool(number % 3),
            )
        )  # fmt: skip
    return found


def replayed(n: int) -> tuple[Difference, float]:
    """Return what a draft changes of so many requests among the good rules, and how many a second were tried."""
    index = shop()
    published = [compile_rule(msgspec.convert(rule, RuleSpec)) for rule in GOOD]
    draft = compile_rule(
        RuleSpec(
            rule_id=9_999,
            name="draft",
            action=RuleAction.PIN,
            tags=("new",),
            pin_count=3,
            segments=("champions", "loyal"),
        )
    )
    now = _with(placements(), published)
    changed = _with(placements(), [*published, draft])
    rng = np.random.default_rng(SEED)
    seen = rng.integers(200, 5_000, index.n_rows).astype(np.float64)
    clicks = rng.binomial(seen.astype(np.int64), 0.03).astype(np.float64)
    counts = ItemCounts(
        impressions=seen, clicks=clicks, orders=np.floor(clicks * 0.05),
        price=index.catalogue.price.astype(np.float64), margin=index.catalogue.margin.astype(np.float64),
    )  # fmt: skip
    kept = requests(n)
    started = time.perf_counter()
    difference = replay(
        kept,
        now,
        changed,
        SiteServing(number=1, item_index=index, models=LiveModels()),
        budget_s=600.0,
        counts=counts,
    )
    return difference, n / (time.perf_counter() - started)


def held_of_rules(index: ItemIndex, *, n_rules: int = N_RULES) -> dict[str, float]:
    """Return what rules hold of a catalogue, in bytes a rule, and the CPU milliseconds that they cost a list.

    Half of the rules name ten items each, the others a brand, a category and a limit of price. A tenth applies
    (``rules_5000_ms``), or every one of them (``rules_5000_all_ms``); the first list of all makes the table.
    """
    rng = np.random.default_rng(SEED)
    item_ids = [each for each in index.catalogue.item_ids if each]
    specs = []
    for number in range(n_rules):
        target: dict[str, Any] = (
            {"items": tuple(item_ids[each] for each in rng.integers(0, len(item_ids), 10))}
            if number % 2
            else {
                "brands": (BRANDS[number % 12],), "categories": (CATEGORIES[number % 10],),
                "price_from": float(number % 97),
            }
        )  # fmt: skip
        segments = () if number % 10 == 0 else (f"segment {number % 50}",)
        specs.append(RuleSpec(rule_id=number + 1, name="r", action=RuleAction.BOOST, segments=segments, **target))
    rules = Rules(compile_rule(spec) for spec in specs)
    user = RequestUser()
    everybody = RequestUser(segments=frozenset(f"segment {number}" for number in range(50)))
    tracemalloc.start()
    first_ms = _ms_a_list(rules, everybody, index, lists=1)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "rules_bytes_each": held / n_rules,
        "rules_5000_first_ms": first_ms,
        "rules_5000_ms": _ms_a_list(rules, user, index, lists=20),
        "rules_5000_all_ms": _ms_a_list(rules, everybody, index, lists=20),
    }


def _ms_a_list(rules: Rules, user: RequestUser, index: ItemIndex, *, lists: int) -> float:
    """Return the CPU milliseconds in which a list finds the rules that apply and multiplies its scores."""
    rng = np.random.default_rng(SEED)
    proposed = [
        Ranked(rows=(rows := rng.permutation(index.n_rows)[:1_000].astype(np.int32)), scores=np.ones(len(rows), "f4"))
        for _ in range(lists)
    ]
    started = time.process_time()
    for ranked in proposed:
        rules.active(user, index, page_row=None, now_ms=0).with_boosts(ranked)
    return (time.process_time() - started) * 1000 / lists


def _with(by_name: dict[str, PlacementSpec], rules: list[Any]) -> dict[str, PlacementSpec]:
    kept = {}
    for name, spec in by_name.items():
        here = tuple(rule for rule in rules if not rule.spec.placements or name in rule.spec.placements)
        kept[name] = PlacementSpec(
            name=spec.name, strategy=spec.strategy, size=spec.size, filter=spec.filter, condition=spec.condition,
            rules=here,
        )  # fmt: skip
    return kept
