"""Redis keys: one table an application, which the code, the documentation and a person can rely on."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from django.conf import settings

import features.keys
import recommendations.keys
import recsite.keys
import tracking.keys
from tests.services.key_patterns import matches
from tracking.keys import NO_PERSONAL_DATA, RedisKey

ROOT = Path(__file__).resolve().parents[2]
MODULES = (tracking.keys, features.keys, recommendations.keys, recsite.keys)
TABLE = tuple(key for module in MODULES for key in module.TABLE)
FEATURES, TRACKING, RECOMMENDATIONS = features.keys, tracking.keys, recommendations.keys
USER_KEY = "u:a:b/c"
SPELLED = [
    (TRACKING.log_records(3, "events"), TRACKING.LOG_RECORDS),
    (TRACKING.log_identity(3, "events"), TRACKING.LOG_IDENTITY),
    (TRACKING.lease(3, "events", "features"), TRACKING.LEASE),
    (TRACKING.log_members("events", "features"), TRACKING.LOG_MEMBERS),
    (TRACKING.log_partitions("events.dead-letters"), TRACKING.LOG_PARTITIONS),
    (TRACKING.dead_letters_read("KafkaLog", "events.dead-letters"), TRACKING.DEAD_LETTERS_READ),
    (TRACKING.idempotency("shop", 7, "0" * 32), TRACKING.IDEMPOTENCY),
    (TRACKING.live_events("shop"), TRACKING.LIVE_EVENTS),
    (TRACKING.quality_hour("shop", 490_000), TRACKING.QUALITY_HOUR),
    (TRACKING.quality_day("shop", 20_000), TRACKING.QUALITY_DAY),
    (TRACKING.quality_samples("shop", 20_000), TRACKING.QUALITY_SAMPLES),
    (TRACKING.quality_orders("shop", 20_000), TRACKING.QUALITY_ORDERS),
    (TRACKING.CLOCKS.pattern, TRACKING.CLOCKS),
    (FEATURES.session(3, "shop", USER_KEY), FEATURES.SESSION_STATE),
    (FEATURES.profile(3, "shop", USER_KEY), FEATURES.PROFILE_STATE),
    (FEATURES.segment(3, "shop", USER_KEY), FEATURES.SEGMENT),
    (FEATURES.states(3, FEATURES.SESSION, [("shop", USER_KEY)])[0], FEATURES.SESSION_STATE),
    (FEATURES.order(3, "shop", USER_KEY, 77), FEATURES.ORDER),
    (FEATURES.orders_of_user(3, "shop", USER_KEY), FEATURES.ORDERS_OF_USER),
    (FEATURES.order_owner("shop", 77), FEATURES.ORDER_OWNER),
    (FEATURES.item_pane(3, "shop", 60, 5), FEATURES.ITEM_PANE),
    (FEATURES.unknown_pane(3, "shop", 60, 5), FEATURES.UNKNOWN_PANE),
    (FEATURES.placement_day(3, "shop", 20_000), FEATURES.PLACEMENT_DAY),
    (FEATURES.unknown_lists(3, "shop", 20_000), FEATURES.UNKNOWN_LISTS),
    (FEATURES.arms(3, "shop", "x7"), FEATURES.ARMS),
    (FEATURES.position(3, "kafka:events"), FEATURES.POSITION),
    (FEATURES.archive_position(3, "kafka:events"), FEATURES.ARCHIVE_POSITION),
    (FEATURES.unparked(3, "kafka:events"), FEATURES.UNPARKED),
    (FEATURES.progress(3, "kafka:events"), FEATURES.PROGRESS),
    (FEATURES.erased(3, "shop"), FEATURES.ERASED),
    (FEATURES.item_stats("shop"), FEATURES.ITEM_STATS),
    (FEATURES.write_behind_run("shop"), FEATURES.WRITE_BEHIND),
    (RECOMMENDATIONS.explanations("shop", 500_000), RECOMMENDATIONS.EXPLANATIONS),
    (RECOMMENDATIONS.shadow("shop", "v7"), RECOMMENDATIONS.SHADOW),
    (RECOMMENDATIONS.requests("shop"), RECOMMENDATIONS.REQUESTS),
    (RECOMMENDATIONS.served("shop", "x7"), RECOMMENDATIONS.SERVED),
    (RECOMMENDATIONS.outside_sources("shop", "stylist"), RECOMMENDATIONS.OUTSIDE_SOURCES),
    (RECOMMENDATIONS.training_lock(), RECOMMENDATIONS.TRAINING_LOCK),
]


@pytest.mark.parametrize(("key", "row"), SPELLED, ids=lambda one: one.name if isinstance(one, RedisKey) else "")
def test_a_key_is_of_its_row_and_of_no_other(key: str, row: RedisKey) -> None:
    assert [one.name for one in TABLE if matches(one, key)] == [row.name]


def test_every_row_is_spelled_by_a_function_or_by_a_library() -> None:
    by_libraries = {tracking.keys.QUOTA, *recsite.keys.TABLE}

    assert {row for _, row in SPELLED} | by_libraries == set(TABLE)


@pytest.mark.parametrize("module", [features.keys, tracking.keys, recommendations.keys], ids=lambda one: one.__name__)
def test_every_function_that_spells_a_key_has_a_row(module: ModuleType) -> None:
    """A new function fails here until its key is in ``SPELLED``, and so in a table."""
    source = Path(str(module.__file__)).read_text()
    spelling = {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and "rs:" in (ast.get_source_segment(source, node) or "")
    }
    here = Path(__file__).read_text()
    name = {features.keys: "FEATURES", tracking.keys: "TRACKING", recommendations.keys: "RECOMMENDATIONS"}[module]
    known = set(re.findall(rf"\b{name}\.([a-z_]+)\(", here))

    assert spelling - known - {"prefix", "owners_prefix", "states_pattern", "everything_pattern"} == set()


@pytest.mark.slow
def test_no_other_module_spells_a_key() -> None:
    found = []
    for app in ("tracking", "features", "recommendations", "recsite"):
        for path in sorted((ROOT / app).rglob("*.py")):
            if path.name != "keys.py" and "migrations" not in path.parts:
                found += [f"{path.relative_to(ROOT)}:{line}: {text!r}" for line, text in _key_strings(path)]

    assert not found, "spell these in the application's keys.py: " + ", ".join(found)


def _key_strings(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"rs:|\{p$|.*:\{p$", node.value):
            yield node.lineno, node.value


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_row_says_how_long_it_stays_and_who_erases(row: RedisKey) -> None:
    if isinstance(row.ttl, int):
        assert row.ttl > 0
    elif not row.ttl.startswith("none: "):
        assert isinstance(getattr(settings, row.ttl), int), f"{row.ttl} is no setting in seconds"
    module, _, function = row.eraser.partition(":")
    if row.is_of_a_user or "." in module:
        assert callable(getattr(importlib.import_module(module), function))
    else:
        assert row.eraser == NO_PERSONAL_DATA or row.eraser.startswith("retention: ")


def test_the_documentation_lists_the_same_keys() -> None:
    page = (ROOT / "docs/redis-keys.md").read_text()
    said = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$", page, re.M)

    assert said == [(row.name, row.pattern, _ttl_in_words(row), _eraser_in_words(row)) for row in TABLE]


def _ttl_in_words(row: RedisKey) -> str:
    if isinstance(row.ttl, int):
        return f"{row.ttl:,} s"
    return row.ttl if row.ttl.startswith("none: ") else f"`{row.ttl}`"


def _eraser_in_words(row: RedisKey) -> str:
    return f"`{row.eraser}`" if row.eraser.startswith("features.") else row.eraser
