"""The list of feature views, the stored states and the page about them say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from features.definitions import FEATURE_VIEWS, ITEM, PLACEMENT, PROFILE, SESSION, FeatureView
from features.state.attribution import METRICS as PLACEMENT_METRICS
from features.state.states import ProfileState, SessionState
from features.store.item_stats import METRICS as ITEM_METRICS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/features.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("view", FEATURE_VIEWS, ids=lambda view: view.name)
def test_the_page_names_every_field(view: FeatureView) -> None:
    heading = f"### {view.name} · {view.entity} · version {view.version}"
    assert heading in PAGE
    section = PAGE.split(heading, 1)[1].split("\n###", 1)[0]
    named = set(re.findall(r"`([a-z_0-9]+)`", section))
    assert {field.name for field in view.fields} <= named


@pytest.mark.parametrize(("view", "state"), [(SESSION, SessionState), (PROFILE, ProfileState)])
def test_stored_fields_are_stored(view: FeatureView, state: type) -> None:
    without_a_field = {field.name for field in view.fields if field.counts is not None}

    assert {field.name for field in view.fields if field.stored} - without_a_field <= set(state.__struct_fields__)


BOOKKEEPING = {
    "seen", "seen_import", "seen_until_s", "seen_import_until_s",  # which events were counted
    "seen_orders", "seen_orders_import", "votes",  # which orders, and for which items the user was
    "cart_cleared", "conversions", "transactions",  # what makes carts, credit and refunds the same in any order
    "late_orders",  # and the arms of experiments
    "is_fully_loaded",  # whether the database was asked
    "counts",  # holds those counts of the view that have no field of their own
}  # fmt: skip


@pytest.mark.parametrize(("view", "state"), [(SESSION, SessionState), (PROFILE, ProfileState)])
def test_what_is_stored_is_a_feature_or_keeps_the_books(view: FeatureView, state: type) -> None:
    """A field that somebody adds to a state fails here until the view lists it, with its unit and what it means."""
    assert set(state.__struct_fields__) - {field.name for field in view.fields} <= BOOKKEEPING


def test_the_page_lists_no_field_that_there_is_not() -> None:
    for view in FEATURE_VIEWS:
        section = PAGE.split(f"### {view.name} · ", 1)[1].split("\n##", 1)[0]
        rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
        named = set(re.findall(r"`([a-z_0-9]+)`", " ".join(rows)))
        assert named <= {field.name for field in view.fields}, view.name


def test_counts_are_those_of_the_views() -> None:
    assert [field.name for field in ITEM.fields if field.stored] == list(ITEM_METRICS)
    assert [field.name for field in PLACEMENT.fields] == list(PLACEMENT_METRICS)


def test_the_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/features/[\w/]+\.py)::(\w+)`", PAGE)

    assert len(named) > 20
    assert [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []
