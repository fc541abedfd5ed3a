"""From a checked request to list queries: placements looked up, conditions parsed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

from recommendations.core.visit import NO_VISIT, Visit
from recommendations.exceptions import FilterTooExpensive, InvalidQuery
from recommendations.filters import language
from recommendations.filters.language import Condition
from recommendations.items.index import is_known_name
from recommendations.pipeline.query import ListQuery
from recommendations.serving.schemas import MAX_LIMIT, ListProblem, PlacementRequest
from recommendations.state.site import SiteState
from tracking.contract.placeholders import plain_id
from tracking.error_codes import ErrorCode

MAX_LENGTH_OF_ALL: Final = 4_000
"""Characters that the different filters of one request may have together."""


class UnknownPlacement(InvalidQuery):
    """The site has no active placement of that name."""


def queries_of(
    requested: Sequence[PlacementRequest],
    state: SiteState,
    *,
    cart: tuple[str, ...] = (),
    fields: tuple[str, ...] | None = None,
    locale: str | None = None,
    explains: bool = False,
    skips_unknown: bool = False,
    visit: Visit = NO_VISIT,
) -> list[ListQuery]:  # house: each is a field of its own of the request
    """Return the list queries of a request, each placement with what the site's merchandisers set up.

    Raises
    ------
    UnknownPlacement, InvalidQuery
        With the path of the field in the request.
    """
    queries = []
    by_name = state.placements.by_name
    cart = plain_ids(cart)
    for index, wanted in enumerate(requested):
        spec = by_name.get(wanted.placement)
        if spec is None:
            if skips_unknown:
                continue
            raise unknown_placement(wanted.placement, field=f"placements[{index}].placement")
        queries.append(
            ListQuery(
                placement=spec,
                limit=min(wanted.limit or spec.size, MAX_LIMIT),
                context_items=plain_ids(wanted.context_items),
                cart=cart,
                exclude=plain_ids(wanted.exclude),
                filter=wanted.filter or "",
                condition=condition_of(wanted.filter, field=f"placements[{index}].filter"),
                fields=fields,
                locale=locale,
                explains=explains,
                visit=visit,
            )
        )
    return queries


def plain_ids(item_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Return item ids in the form in which events and the catalogue keep them.

    Most are in it already, which one look at all of them tells: a request may bring 5,000, before anything is priced.
    """
    whole = "\0".join(item_ids)
    if whole.isascii() and whole.split(None, 1) == [whole]:
        return item_ids
    return tuple(map(plain_id, item_ids))


def check_any_known(requested: Sequence[PlacementRequest], state: SiteState) -> None:
    """Raise ``UnknownPlacement`` when the site has none of these; one misspelt name must not blank a whole page."""
    if requested and all(each.placement not in state.placements.by_name for each in requested):
        raise unknown_placement(requested[0].placement, field="placements[0].placement")


def unknown_placement(name: str, *, field: str) -> UnknownPlacement:
    """Return the error of a placement that the site does not have."""
    return UnknownPlacement(
        field=field, reason=f"{name!r} is not an active placement of this site; make it in the admin"
    )


def problem_of(wanted: PlacementRequest) -> ListProblem:
    """Return what stands in a reply for a placement that the site does not have."""
    error = unknown_placement(wanted.placement, field="placement")
    return ListProblem(
        placement=wanted.placement, error=ErrorCode.UNKNOWN_PLACEMENT, message=error.reason, field="placement"
    )


def too_dear(wanted: PlacementRequest) -> ListProblem:
    """Return what stands in a reply for a list that would make its request cost too much."""
    return ListProblem(
        placement=wanted.placement,
        error=ErrorCode.LIST_TOO_EXPENSIVE,
        message="the lists before this one cost as much as one request with a publishable key may; send fewer lists, "
        "items or ids a request, or send it from the shop's server with a secret key",
        field="placements",
    )


def check_length(texts: Iterable[str | None], *, field: str = "placements") -> None:
    """Raise ``FilterTooExpensive`` when the different filters of a publishable key's request are too long together.

    Looked at before any of them is parsed: reading twenty of the longest costs more than evaluating one.
    """
    length = sum(map(len, {text for text in texts if text}))
    if length > MAX_LENGTH_OF_ALL:
        raise FilterTooExpensive(
            field=field,
            reason=f"have filters of {length:,} characters together; the most is {MAX_LENGTH_OF_ALL:,}: send the same "
            "filter with each, or put the condition into the placement",
        )


def condition_of(text: str | None, *, field: str) -> Condition | None:
    """Return a request's condition; raises ``InvalidQuery``, also for attributes that are not for visitors."""
    if not text or text.isspace():
        return None
    try:
        return _parsed(text)
    except InvalidQuery as error:
        raise InvalidQuery(field=field, reason=error.reason) from error


@lru_cache(maxsize=2_048)
def _parsed(text: str) -> Condition:
    condition = language.parse(text)
    for name in language.names_of(condition):
        if not is_known_name(name, public=True):
            raise InvalidQuery(
                field="filter",
                reason=f"names {name!r}, which items do not have; attributes of your own are attributes.{name}",
            )
    return condition
