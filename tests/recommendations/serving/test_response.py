"""Items of a list as JSON: cards as they are encoded once, or put together for a choice of fields."""

from __future__ import annotations

import json

from recommendations.pipeline.query import PlacementSpec
from recommendations.serving.rec_ids import digest_of
from recommendations.serving.response import cards_of, encode_items, item_ids_of
from tests.recommendations.worlds import item_index, served

ON = item_index({"titles": {"de": "Stiefel"}}, {}, {})
RESULT = served(ON, PlacementSpec(name="p", strategy="new"), limit=2)


def test_the_usual_reply_holds_every_field_and_the_reason() -> None:
    encode_items(RESULT, ON)

    first, second = json.loads(RESULT.cards)
    assert [first["item_id"], first["title"], first["reason"]] == ["sku0", "Item 0", "newest"]
    assert second["item_id"] == "sku1"
    assert RESULT.digest == digest_of(item_ids_of(RESULT, ON)) == digest_of(["sku0", "sku1"])


def test_a_reply_may_be_of_some_fields_and_in_another_language() -> None:
    fields = json.loads(cards_of(RESULT, ON, fields=("item_id", "reason"), locale=None))
    german = json.loads(cards_of(RESULT, ON, fields=None, locale="de"))

    assert fields == [{"item_id": "sku0", "reason": "newest"}, {"item_id": "sku1", "reason": "newest"}]
    assert [item["title"] for item in german] == ["Stiefel", "Item 1"]
    assert german[0].keys() == json.loads(cards_of(RESULT, ON, fields=None, locale=None))[0].keys()
