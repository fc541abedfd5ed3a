"""A list as it was made, and its items as JSON."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from recommendations.core.types import Recommendation
from recommendations.items.index import ItemIndex
from recommendations.pipeline.explain import Explanation
from recommendations.pipeline.query import ListQuery
from recommendations.serving.schemas import ALL_FIELDS


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeList:
    """A list and what it was made from.

    Attributes
    ----------
    cards : bytes
        The items as the usual reply says them, a JSON array.
    digest : int
        Of the items' ids, for the reply's id.
    """

    ask: ListQuery
    recommendation: Recommendation
    cards: bytes
    digest: int
    explanation: Explanation | None = None


def item_ids_of(made: MadeList, item_index: ItemIndex) -> tuple[str, ...]:
    """Return the ids of a list's items, in order."""
    return tuple(item_index.item_id(row) for row in made.recommendation.rows)


def cards_of(
    result: Recommendation, item_index: ItemIndex, *, fields: tuple[str, ...] | None, locale: str | None
) -> bytes:
    """Return the items of a list as a JSON array.

    The usual reply joins cards that are encoded once a catalogue; only a choice of fields, or a title in another
    language, is put together anew.
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
