"""Why a list is what it is, as replies and stored receipts spell it."""

from __future__ import annotations

import msgspec


class SourceEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What one source said of an item; ranks from 1."""

    source: str
    rank: int
    score: float
    weight: float


class RuleEffect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rule did to an item."""

    rule_id: int
    name: str
    action: str
    factor: float | None = None
    position: int | None = None


class ItemWhy(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item stands where it stands. ``position`` is None for runners-up, ``rank_before_rules`` for pins."""

    item_id: str
    title: str
    position: int | None
    reason: str
    score: float | None
    rank_before_rules: int | None
    sources: list[SourceEvidence]
    rules: list[RuleEffect]


class FilteredWhy(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that may not be shown, and why."""

    item_id: str
    reason: str
    rule_id: int | None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one list. ``failed_step`` names the step of the pipeline that failed, if one did."""

    placement: str
    strategy_about: str
    about_items: list[str]
    features: dict[str, object]
    feature_age_ms: int | None
    segments: list[str]
    model_version: str | None
    fusion_weights: dict[str, float]
    candidates: int
    active_rules: list[RuleEffect]
    items: list[ItemWhy]
    runners_up: list[ItemWhy]
    filtered: list[FilteredWhy]
    failed_step: str | None = None
