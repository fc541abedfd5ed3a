"""One network's made-up visitors train nothing; a carrier's visitors of what everybody looks at are all read."""

from __future__ import annotations

import polars as pl

from recommendations.training.data.voices import CERTAIN, SHARE, without_surplus


def day(*visits: tuple[str, str, int | None, str | None]) -> pl.DataFrame:
    """Return rows of (item, user key, network, user id), one a millisecond."""
    names = ["item_id", "user_key", "network", "user_id"]
    frame = pl.DataFrame(
        [list(one) for one in visits], schema=dict.fromkeys(names, pl.String), orient="row", strict=False
    )
    return frame.with_columns(pl.col("network").cast(pl.Int64), pl.int_range(pl.len()).alias("occurred_at_ms"))


def test_of_one_network_so_many_are_read_as_go_with_the_others() -> None:
    crowd = [("liked", f"a:crowd{n}", n + 100, None) for n in range(200)]
    carrier = [("liked", f"a:carrier{n}", 7, None) for n in range(20)]
    attack = [("pushed", f"a:made-up{n}", 9, None) for n in range(500)]
    surplus = [("liked", f"a:made-up{n}", 9, None) for n in range(500)]

    kept = without_surplus(day(*crowd, *carrier, *attack, *surplus))

    counted = {(row[0], row[1]): row[2] for row in kept.group_by("item_id", "network").len().rows()}
    assert counted["pushed", 9] == CERTAIN
    assert counted["liked", 7] == 20
    assert counted["liked", 9] == CERTAIN + SHARE * 220
    assert kept["occurred_at_ms"].is_sorted()


def test_whoever_needs_no_network_stays() -> None:
    vouched = [("a", f"u:{n}", 9, str(n)) for n in range(50)]
    unknown = [("a", f"a:{n}", None, None) for n in range(50)]

    assert len(without_surplus(day(*vouched, *unknown))) == 100


def test_all_rows_of_a_visitor_stay_or_go() -> None:
    visits = [("a", f"a:{n % 5}", 9, None) for n in range(20)]

    assert set(without_surplus(day(*visits))["user_key"]) == {"a:0", "a:1"}
