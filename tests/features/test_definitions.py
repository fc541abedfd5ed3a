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
    assert {field.name for field in view.fields if field.stored} <= set(state.__struct_fields__)


def test_counts_are_those_of_the_views() -> None:
    assert [field.name for field in ITEM.fields if field.stored] == list(ITEM_METRICS)
    assert [field.name for field in PLACEMENT.fields] == list(PLACEMENT_METRICS)


def test_the_page_names_tests_that_exist() -> None:
    named = re.findall(r"`(tests/features/[\w/]+\.py)::(\w+)`", PAGE)

    assert len(named) > 20
    assert [f"{path}::{name}" for path, name in named if f"def {name}(" not in (ROOT / path).read_text()] == []
