"""A snapshot with changes: rows keep their number, and what is in use never changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue.draft import with_changes
from features.catalogue.items import NO_ID, ItemRow
from features.catalogue.snapshot import CatalogueSnapshot
from tests.features.catalogue.making import row, snapshot

changes_of_a_day = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from(["put", "sell out", "delete"])), min_size=1, max_size=60
)


def test_rows_keep_their_number_while_the_layout_does() -> None:
    before = snapshot(row(1), row(2), row(3), row(4), row(5))
    changed = with_changes(before, [row(2, stock=0)])
    grown = with_changes(changed, [row(6)])
    shrunk = with_changes(grown, [], deleted_pks={1})

    assert changed.layout == before.layout
    assert changed.row("i2") == before.row("i2")
    assert before.recommendable("i2")
    assert not changed.recommendable("i2")
    assert (grown.layout, shrunk.layout) == (before.layout + 1, before.layout + 2)
    assert shrunk.row("i2") == before.row("i2")
    assert shrunk.row("i1") is None
    assert shrunk.card("i1") is None
    assert shrunk.rows(["i1", "i2", "nobody"]).tolist() == [NO_ID, 1, NO_ID]
    assert not shrunk.is_recommendable[0]


def test_a_snapshot_in_use_never_changes() -> None:
    catalogue = snapshot(row(1))

    with pytest.raises(ValueError, match="read-only"):
        catalogue.is_recommendable[0] = False


@given(changes_of_a_day)
def test_many_small_changes_end_where_one_large_one_does(day: list[tuple[int, str]]) -> None:
    step_by_step = CatalogueSnapshot.empty("shop")
    wanted: dict[int, ItemRow] = {}
    for number, what in day:
        if what == "delete":
            step_by_step = with_changes(step_by_step, [], deleted_pks={number})
            wanted.pop(number, None)
        else:
            wanted[number] = row(number, stock=0 if what == "sell out" else 3, tags=[what])
            step_by_step = with_changes(step_by_step, [wanted[number]])
    at_once = snapshot(*wanted.values())

    assert len(step_by_step) == len(at_once) == len(wanted)
    for number, item in wanted.items():
        item_id = f"i{number}"
        there, here = step_by_step.row(item_id), at_once.row(item_id)
        assert there is not None
        assert here is not None
        assert step_by_step.cards[there] == at_once.cards[here]
        assert step_by_step.is_recommendable[there] == at_once.is_recommendable[here] == (item.stock != 0)
        assert step_by_step.tags[there] == at_once.tags[here] == {item.tags[0]}
    gone = np.array([item_id is None for item_id in step_by_step.item_ids], dtype=bool)
    assert not step_by_step.is_recommendable[gone].any()
    assert gone.sum() <= max(1, 0.25 * step_by_step.n_rows)
