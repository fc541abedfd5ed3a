"""Which sessions train and which test, counted by hand."""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks.quality.windows import DAY_MS, PROTOCOLS, Protocol, filtered, shortened, windows_of
from recommendations.training.data.building import log_from_frame, log_from_sessions
from recommendations.training.data.dataset import Kind, SessionLog

DAILY = Protocol(
    file_format="any", kind=Kind.VIEW, sessions_by="session", train_days=3, test_days=1, windows=2, offset_days=1,
    shift_days=4, source="here",
)  # fmt: skip


def a_session_a_day(days: int) -> SessionLog:
    """Return a session ``d<n>`` of two views at noon of each day, the first one at midnight of day 0."""
    rows = [
        {
            "session_id": f"{day:03d}",
            "item_id": f"d{day}",
            "kind": "view",
            "occurred_at_ms": (1_000 + day) * DAY_MS + at_ms,
        }
        for day in range(days)
        for at_ms in ((0, 1) if day == 0 else (DAY_MS // 2, DAY_MS // 2 + 1))
    ]
    return log_from_frame(pl.DataFrame(rows))


def days_of(log: SessionLog) -> list[str]:
    return [log.item_ids[item] for item in log.items[log.offsets[:-1]].tolist()]


def test_windows_slide_by_their_shift_after_the_offset() -> None:
    windows = windows_of(a_session_a_day(12), DAILY)

    assert [days_of(window.known) for window in windows] == [["d1", "d2", "d3"], ["d5", "d6", "d7"]]
    assert [days_of(window.held_out) for window in windows] == [["d4"], ["d8"]]
    assert [days_of(window.whole) for window in windows] == [["d1", "d2", "d3", "d4"], ["d5", "d6", "d7", "d8"]]


def test_a_window_without_a_session_to_test_is_left_out() -> None:
    assert [days_of(window.held_out) for window in windows_of(a_session_a_day(8), DAILY)] == [["d4"]]


def test_a_session_belongs_to_where_it_ends() -> None:
    over_midnight = pl.DataFrame(
        {
            "session_id": ["a", "a", "b", "b"],
            "item_id": ["first", "x", "over", "x"],
            "kind": ["view"] * 4,
            "occurred_at_ms": [0, DAY_MS, 4 * DAY_MS - 1, 4 * DAY_MS + 1],
        }
    )

    window = windows_of(log_from_frame(over_midnight), DAILY)[0]

    assert days_of(window.known) == ["first"]
    assert days_of(window.held_out) == ["over"]


def test_a_log_without_times_is_cut_by_shares_of_its_sessions() -> None:
    """One day of offset, one shift of four and four of window: nine days, so that 90 sessions are ten a day."""
    log = log_from_sessions([[f"{n:02d}", "x"] for n in range(90)])

    first, second = windows_of(log, DAILY)

    assert days_of(first.known) == [f"{n:02d}" for n in range(10, 40)]
    assert days_of(first.held_out) == [f"{n:02d}" for n in range(40, 50)]
    assert days_of(second.held_out) == [f"{n:02d}" for n in range(80, 90)]


def test_rare_items_and_short_sessions_are_left_out_in_this_order() -> None:
    """``once`` is in a session by itself, which goes first; ``rare`` is then in four sessions, one too few."""
    sessions = [["often", "often2"]] * 5 + [["often", "rare"]] * 4 + [["rare"], ["often"]]

    kept = filtered(log_from_sessions(sessions))

    assert days_of(kept) == ["often"] * 5
    assert kept.item_ids == ("", "often", "often2")
    assert kept.lengths.tolist() == [2] * 5


def test_a_shortened_window_has_its_newest_known_sessions_and_all_that_test() -> None:
    window = shortened(windows_of(a_session_a_day(12), DAILY)[0], 2)

    assert (days_of(window.known), days_of(window.held_out)) == (["d2", "d3"], ["d4"])
    assert days_of(window.whole) == ["d2", "d3", "d4"]


@pytest.mark.parametrize(
    ("name", "days"), [("retailrocket", 135), ("diginetica", 149), ("yoochoose", 160), ("otto", 28), ("hm", 734)]
)
def test_the_windows_of_a_data_set_end_within_it(name: str, days: int) -> None:
    """RetailRocket has 138 days, Diginetica 152, YooChoose 183, OTTO's training file 28, H&M 734."""
    protocol = PROTOCOLS[name]
    last = protocol.offset_days + (protocol.windows - 1) * protocol.shift_days

    assert last + protocol.train_days + protocol.test_days == days
    assert protocol.windows == 1 or protocol.shift_days >= protocol.test_days, "no session tests twice"
