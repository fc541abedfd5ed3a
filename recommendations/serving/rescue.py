"""What a request gets where something outside the pipeline's steps fails: popular items, never an error."""

from __future__ import annotations

import time
from collections.abc import Collection

from recommendations.core.deadline import Deadline
from recommendations.core.types import FallbackReason, RequestUser, Stage
from recommendations.pipeline.pipeline import without_candidates
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.state import ListResult
from recommendations.retrieval.base import ServingContext
from recommendations.serving.faults import Part, note_failure
from recommendations.serving.rec_ids import digest_of
from recommendations.serving.response import encode_items
from recommendations.state.site import SiteState


def popular_list(state: SiteState, query: ListQuery, user: RequestUser, *, shown: Collection[int] = ()) -> ListResult:
    """Return popular items, or what the placement falls back on, without model and sources; empty where that fails.

    What may not be shown, and what the user has, is left out of these, too.
    """
    item_index = state.serving.item_index
    try:
        context = ServingContext(item_index=item_index, model=None, now_ms=int(time.time() * 1000))
        result = without_candidates(query, user, context, deadline=Deadline.after(0.0), shown=shown)
        encode_items(result, item_index)
    except Exception as error:
        note_failure(state.site, Part.LIST, error, placement=query.placement.name)
        result = ListResult(
            query=query,
            rows=(),
            reasons=(),
            stage=Stage.EMPTY,
            fallback_reason=FallbackReason.PIPELINE_ERROR,
            model_version="",
            variant="live",
            cards=b"[]",
            digest=digest_of(()),
        )
    return result


def popular_lists(state: SiteState, queries: Collection[ListQuery], user: RequestUser) -> tuple[ListResult, ...]:
    """Return a popular list for each query, none of them repeating an item of another."""
    shown: set[int] = set()
    results = []
    for query in queries:
        results.append(popular_list(state, query, user, shown=frozenset(shown)))
        shown.update(results[-1].rows)
    return tuple(results)
