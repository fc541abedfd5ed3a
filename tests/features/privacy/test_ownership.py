"""Two people on one browser stay two, whatever the order of their logins."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.privacy.ownership import LOGIN_COLUMNS, Ownership, browsers_in, logins_in


class Row(NamedTuple):
    anonymous_id: str | None
    user_id: str | None
    occurred_at_ms: int


def frame(rows: list[Row]) -> pl.DataFrame:
    schema = dict(zip(LOGIN_COLUMNS, (pl.String, pl.String, pl.Int64), strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row")


def person(user_id: str | None, rows: list[Row], *, also: tuple[str, ...] = ()) -> Ownership:
    table = frame(rows)
    browsers = browsers_in([table], user_id=user_id, also=also) if user_id else also
    return Ownership(
        user_id=user_id, browsers=browsers,
        logins=logins_in([table.filter(pl.col("anonymous_id").is_in(list(browsers)))]),
    )  # fmt: skip


def mine(user_id: str | None, rows: list[Row], *, also: tuple[str, ...] = ()) -> list[int]:
    """Return the times of the rows that are the person's."""
    mask = person(user_id, rows, also=also).mask(frame(rows).to_arrow())
    return [row.occurred_at_ms for row, is_mine in zip(rows, mask, strict=True) if is_mine]


SHARED = [
    Row("tablet", None, 1), Row("tablet", "ann", 2), Row("tablet", None, 3), Row("tablet", "bob", 4),
    Row("tablet", None, 5), Row("tablet", "ann", 6), Row("tablet", None, 7), Row("phone", "bob", 8),
    Row("phone", None, 9), Row(None, "ann", 10), Row("other", None, 11),
]  # fmt: skip


def test_what_is_done_after_a_login_belongs_to_who_logged_in() -> None:
    assert mine("ann", SHARED) == [1, 2, 3, 6, 7, 10]
    assert mine("bob", SHARED) == [4, 5, 8, 9]
    assert mine("nobody", SHARED) == []


def test_a_browser_that_the_caller_names_is_the_persons_where_nobody_logged_in() -> None:
    assert mine("ann", SHARED, also=("other",)) == [1, 2, 3, 6, 7, 10, 11]
    assert mine(None, SHARED, also=("other",)) == [11]
    assert mine(None, SHARED, also=("tablet",)) == []


@pytest.mark.parametrize(
    ("user_id", "browser", "spans"),
    [
        ("ann", "tablet", [(0, 3), (6, 100)]), ("bob", "tablet", [(4, 5)]), ("bob", "phone", [(0, 100)]),
        ("zoe", "tablet", []), ("zoe", "other", [(0, 100)]),
    ],
)  # fmt: skip
def test_when_a_browser_was_the_persons(user_id: str, browser: str, spans: list[tuple[int, int]]) -> None:
    assert person(user_id, SHARED, also=(browser,)).spans(browser, 100) == spans


ROWS = st.lists(
    st.builds(
        Row,
        anonymous_id=st.sampled_from([None, "a", "b"]),
        user_id=st.sampled_from([None, "ann", "bob", "cat"]),
        occurred_at_ms=st.just(0),
    ).filter(lambda row: row.user_id is not None or row.anonymous_id is not None),
    max_size=30,
)


def owner_by_hand(rows: list[Row], index: int) -> str | None:
    """Walk back to the last login on the browser, else on to the first."""
    row = rows[index]
    if row.user_id is not None:
        return row.user_id
    on_it = [(at, one.user_id) for at, one in enumerate(rows) if one.anonymous_id == row.anonymous_id and one.user_id]
    before = [who for at, who in on_it if at < index]
    return before[-1] if before else next((who for _, who in on_it), None)


@pytest.mark.slow
@given(ROWS)
def test_every_row_of_a_login_has_one_owner_whoever_asks(rows: list[Row]) -> None:
    rows = [row._replace(occurred_at_ms=at) for at, row in enumerate(rows)]
    shares = {who: set(mine(who, rows)) for who in ("ann", "bob", "cat")}
    by_hand: dict[str | None, set[int]] = {}
    for index in range(len(rows)):
        by_hand.setdefault(owner_by_hand(rows, index), set()).add(index)
    assert shares == {who: by_hand.get(who, set()) for who in shares}
    for who in shares:
        whole = person(who, rows)
        spanned = {
            at
            for at, row in enumerate(rows)
            if row.user_id == who
            or (
                (row.user_id is None and row.anonymous_id in whole.browsers)
                and any(first <= at <= last for first, last in whole.spans(str(row.anonymous_id), len(rows)))
            )
        }
        assert spanned == shares[who]
