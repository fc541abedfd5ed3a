"""A record as rows of the archive, and back."""

from __future__ import annotations

from features.archive.rows import COLUMNS, record_of, rows_of
from tests.features.making import event, record
from tracking.contract.events import IdentifyParams


def test_rows_become_the_record_again() -> None:
    made = record(
        event(
            "purchase",
            items=[{"item_id": "a", "price": 2.5, "quantity": 3, "rec_id": "r1.x"}, {"item_id": "b"}],
            transaction_id="t",
            value=7.5,
            currency="EUR",
        ),
        user_id="7",
    )
    rows = [dict(zip(COLUMNS, row, strict=True)) for _, row in rows_of(made)]

    assert record_of(rows) == made


def test_the_rows_of_a_refund_keep_its_id() -> None:
    made = record(event("refund", transaction_id="t", refund_id="R-7", items=["a"]))
    rows = [dict(zip(COLUMNS, row, strict=True)) for _, row in rows_of(made)]

    assert record_of(rows) == made
    assert rows_of(record(event("refund", transaction_id="t"))).__next__()[1][-1] is None


def test_what_identify_said_comes_back_and_an_older_row_says_nothing() -> None:
    said = record(event("identify", user_id="42", traits={"tier": "gold", "gone": None}), user_id="42")

    (row,) = [dict(zip(COLUMNS, row, strict=True)) for _, row in rows_of(said)]

    assert record_of([row]).events == said.events
    assert record_of([{**row, "params": None}]).events[0].params == IdentifyParams(user_id="42")
