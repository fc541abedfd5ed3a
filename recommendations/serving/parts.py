"""The lists of one request, each read by itself: a wrong one says so in its place, and the others are made."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from recommendations.exceptions import InvalidQuery
from recommendations.serving.requests import condition_of
from recommendations.serving.schemas import (
    MAX_CONTEXT_ITEMS,
    MAX_EXCLUDED,
    MAX_LIMIT,
    ListProblem,
    PlacementRequest,
    RecommendRequest,
    parse_placement,
    parse_raw_placements,
    parse_recommend,
)
from tracking.error_codes import ErrorCode

Part = PlacementRequest | ListProblem

_SHOWN: Final = 60  # characters of a wrong value that a message repeats
_STEP: Final = re.compile(r"(\w+)|\[(\d+)\]")
_REMEDIES: Final = {
    "placement": "send the name of a placement, of 1 to 64 characters",
    "limit": f"send a whole number from 1 to {MAX_LIMIT}, or leave it out",
    "context_items": f"send at most {MAX_CONTEXT_ITEMS} item ids, each a text of 1 to 128 characters",
    "exclude": f"send at most {MAX_EXCLUDED} item ids, each a text of 1 to 128 characters",
    "filter": 'send a condition such as "price < 50", of at most 2,000 characters',
}


def parse_parts(body: bytes) -> tuple[RecommendRequest, list[Part]]:
    """Return the body of ``POST /v1/recommendations``, and its lists in order, a problem where one cannot be read.

    The request holds the lists that can be.

    Raises
    ------
    InvalidQuery
        What is wrong concerns the whole request, or each of its lists.
    """
    try:
        request = parse_recommend(body)
    except InvalidQuery as error:
        if not error.field.startswith("placements["):
            raise
        rest, placements = parse_raw_placements(body)
        parts = [_read(raw) for raw in placements]
        good = tuple(part for part in parts if isinstance(part, PlacementRequest))
        if not good:
            raise
        return msgspec.structs.replace(rest, placements=good), parts
    return request, list(request.lists())


def with_checked_filters(parts: Sequence[Part]) -> list[Part]:
    """Return the parts, with a problem for each whose condition cannot be used; raises when that is every one."""
    checked: list[Part] = []
    first: InvalidQuery | None = None
    for index, part in enumerate(parts):
        if isinstance(part, ListProblem):
            checked.append(part)
            continue
        try:
            condition_of(part.filter, field="filter")
            checked.append(part)
        except InvalidQuery as error:
            first = first or InvalidQuery(field=f"placements[{index}].filter", reason=error.reason)
            checked.append(_problem(part.placement, "filter", part.filter, error.reason))
    if first is not None and not any(isinstance(part, PlacementRequest) for part in checked):
        raise first
    return checked


def _read(raw: bytes) -> Part:
    try:
        return parse_placement(raw)
    except InvalidQuery as error:
        said: Any = msgspec.json.decode(raw)
        name = said.get("placement") if isinstance(said, dict) else None
        return _problem(name if isinstance(name, str) else "", error.field, _value_at(said, error.field), error.reason)


def _problem(placement: str, field: str, value: object, reason: str) -> ListProblem:
    """Return what stands in a reply for a list whose query is wrong: the field, its value and the remedy."""
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    remedy = _REMEDIES.get(field.partition("[")[0])
    return ListProblem(
        placement=placement,
        error=ErrorCode.INVALID_REQUEST,
        message=f"{field}={shown}: {reason}" + (f"; {remedy}" if remedy else ""),
        field=field,
    )


def _value_at(said: Any, path: str) -> object:
    """Return what stands at a path such as ``context_items[3]``; what is not there is None."""
    for name, index in _STEP.findall(path):
        if isinstance(said, dict):
            said = said.get(name)
        elif isinstance(said, list) and index and int(index) < len(said):
            said = said[int(index)]
    return said
