"""Twenty wishes of merchandisers, each carried out in the console by clicks and typing, and looked for in the shop.

The wishes are those that the documentation of five products for merchandisers tells how to fulfil: Algolia's
Merchandising Studio, Bloomreach, Constructor, Dynamic Yield and Nosto (``of`` in ``wishes.mjs``). A wish is fulfilled
when what the shop's pages get over HTTP is as wished, for those who were meant and for nobody else.
"""

from __future__ import annotations

from benchmarks.report import print_table
from benchmarks.serving_lab import lab
from benchmarks.wishes.granted import Granted, carry_out

FEW = ("drag", "price", "undo")
"""What ``--quick`` carries out, and the tests."""


def run(*, quick: bool = False) -> dict[str, float]:
    """Return ``wishes``, ``fulfilled``, and clicks, fields, keys and seconds of all of them."""
    with lab() as made:
        granted = carry_out(made, names=FEW if quick else ())
    print_table(
        "Twenty wishes: what each takes from the console's home page on",
        ("wish", "as in", "clicks", "fields", "keys", "s", "s by hand", "holds", "the console asks"),
        [_row(one) for one in granted],
        caption="s: what pages and browser take. By hand: with a person's times for clicks and keys, without thinking "
        "about what to do",
    )
    for one in granted:
        if one.problem:
            print(f"{one.name}: {one.problem}")
    return {
        "wishes": float(len(granted)),
        "fulfilled": float(sum(not one.problem for one in granted)),
        "clicks": float(sum(one.clicks for one in granted)),
        "most_clicks": float(max(one.clicks for one in granted)),
        "fields": float(sum(one.fields for one in granted)),
        "keys": float(sum(one.keys for one in granted)),
        "seconds": sum(one.seconds for one in granted),
        "seconds_by_hand": sum(one.seconds_by_hand for one in granted),
    }


def _row(one: Granted) -> tuple[object, ...]:
    holds = "no" if one.problem else "yes"
    return (
        one.wish, one.of, one.clicks, one.fields, one.keys, one.seconds, one.seconds_by_hand, holds, one.notes,
    )  # fmt: skip
