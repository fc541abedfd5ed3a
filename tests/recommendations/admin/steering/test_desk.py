"""A desk: what its moves do is seen on the page (``test_steer``); here, the rule that they make."""

from __future__ import annotations

import pytest

from recommendations.admin.steering.desk import Desk, moved, name_of, title_of
from recommendations.admin.steering.moves import Steered
from recommendations.models import Placement
from tests.recommendations.conftest import Shop

pytestmark = [pytest.mark.django_db, pytest.mark.redis]


def test_a_desk_makes_a_rule_of_its_moves_and_names_what_it_cannot_do(shop: Shop) -> None:
    shop.add("SKU-1", title="Boots")
    shop.load()
    placement = Placement.objects.get(site=shop.site, name="home_new")
    desk = Desk(placement=placement, rule=None, steered=Steered())

    pinned = moved(desk, "pin:2:SKU-1", {})
    wrong = moved(pinned, "pin:x:SKU-1", {})
    full = moved(desk, "show", {})
    for number in range(21):
        full = moved(full, f"pin:{100}:SKU-1" if not number else f"exclude:SKU-{number}", {})

    assert desk.spec is None
    assert pinned.spec is not None
    assert (pinned.spec.name, pinned.spec.items, pinned.spec.position, pinned.spec.placements) == (
        name_of(placement), ("SKU-1",), 2, ("home_new",),
    )  # fmt: skip
    assert (wrong.steered, wrong.problem) == (pinned.steered, "the rank 'x' is not a number")
    assert (title_of(shop.site, "SKU-1"), title_of(shop.site, "gone")) == ("Boots", "gone")
    assert len(full.past) == 20
    assert moved(full, "undo", {}).steered == full.past[-1]
