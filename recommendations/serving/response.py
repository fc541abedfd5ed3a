"""The items of a finished list as JSON, and the list itself as a reply holds it."""

from __future__ import annotations

from typing import Final

import msgspec

from recommendations.core.types import RequestUser
from recommendations.items.index import ItemIndex
from recommendations.metrics import FALLBACKS, LISTS
from recommendations.pipeline.query import ListQuery
from recommendations.pipeline.state import ListResult
from recommendations.serving.explanation_log import keep_explanation
from recommendations.serving.faults import aside
from recommendations.serving.rec_ids import digest_of, signer
from recommendations.serving.schemas import ALL_FIELDS, ListReply
from recommendations.state.site import SiteState
from recommendations.what_if.request_log import request_keeper

NAMED_IDS: Final = 5
"""Unknown item ids that a warning names; of the others it says how many."""
_SHOWN_CHARS: Final = 60


def item_ids_of(result: ListResult, item_index: ItemIndex) -> tuple[str, ...]:
    """Return the ids of a list's items, in order."""
    return tuple(item_index.item_id(row) for row in result.rows)


def encode_items(result: ListResult, item_index: ItemIndex) -> None:
    """Write the items as the usual reply holds them, and their digest, so that a cached list need not be encoded."""
    result.cards = cards_of(result, item_index, fields=None, locale=None)
    result.digest = digest_of(item_ids_of(result, item_index))


def cards_of(result: ListResult, item_index: ItemIndex, *, fields: tuple[str, ...] | None, locale: str | None) -> bytes:
    """Return the items of a list as a JSON array.

    The usual reply joins cards that are encoded once a catalogue; only a choice of fields, or a title in another
    language, is encoded for this reply.
    """
    titles = item_index.catalogue.titles if locale else None
    parts = []
    for row, reason in zip(result.rows, result.reasons, strict=True):
        if fields is None and not (titles and row in titles):
            parts.append(b'%b,"reason":"%b"}' % (item_index.card(row)[:-1], reason.encode()))
            continue
        card = msgspec.to_builtins(item_index.card_in(row, locale=locale))
        card["reason"] = reason
        parts.append(msgspec.json.encode({name: card[name] for name in fields or ALL_FIELDS}))
    return b"[" + b",".join(parts) + b"]"


def reply_of(result: ListResult, query: ListQuery, state: SiteState, user: RequestUser, *, now_s: int) -> ListReply:
    """Return a list as JSON holds it, under a new signed id.

    Parameters
    ----------
    query : ListQuery
        Of this request; a cached list was made for another one, which may have named other fields or another language.
    """
    placement, item_index = query.placement, state.serving.item_index
    rec_id = signer().make(
        site=state.site,
        placement=placement.name,
        model_version=result.model_version,
        variant=result.variant,
        now_s=now_s,
        rule_ids=result.rule_ids,
        digest=result.digest,
        arms=result.query.arms,
        chance=result.chance,
    )
    LISTS.labels(state.site, placement.name, result.stage.value).inc()
    if result.fallback_reason is not None:
        FALLBACKS.labels(state.site, result.fallback_reason.value).inc()
    with aside(state.site):
        keep_explanation(rec_id, result, state, user, now_s=now_s)
        request_keeper.keep(state.site, query, user, now_s=now_s)
    warnings: tuple[str, ...] = ()
    with aside(state.site):
        warnings = warnings_of(query, state)
    is_usual = query.fields is None and query.locale is None
    cards = result.cards if is_usual else cards_of(result, item_index, fields=query.fields, locale=query.locale)
    return ListReply(
        placement=placement.name,
        heading=result.query.placement.heading or None,
        rec_id=rec_id,
        items=msgspec.Raw(cards),
        stage=result.stage.value,
        fallback_reason=result.fallback_reason.value if result.fallback_reason is not None else None,
        model_version=result.model_version or None,
        variant=result.variant,
        feature_age_ms=user.feature_age_ms,
        explanation=result.explanation if result.explanation is not None else msgspec.UNSET,
        warnings=warnings,
        layout=result.query.placement.layout or None,
    )


def warnings_of(query: ListQuery, state: SiteState) -> tuple[str, ...]:
    """Return what the page should hear of a list that was made: item ids that the catalogue does not know."""
    item_index = state.serving.item_index
    said = []
    for field, item_ids in (("context_items", query.context_items), ("cart", query.cart)):
        unknown = [item_id for item_id in item_ids if item_index.row(item_id) is None]
        if unknown:
            named = ", ".join(repr(item_id[:_SHOWN_CHARS]) for item_id in unknown[:NAMED_IDS])
            more = f" and {len(unknown) - NAMED_IDS} more" if len(unknown) > NAMED_IDS else ""
            said.append(
                f"{field} names {named}{more}, which the catalogue does not have; send item ids as the catalogue "
                "has them, or import these items"
            )
    return tuple(said)
