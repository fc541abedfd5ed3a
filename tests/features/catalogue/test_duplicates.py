"""What shares a picture or the words of a title, by comparing every pair."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from features.catalogue import duplicates
from features.catalogue.duplicates import find_duplicates, title_key
from features.models import Item
from tracking.models import Site

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["", "g1", "g2"]),
        st.sampled_from(["Red boots", "BOOTS, red", "Blue mug", "mug (blue)", "Lamp", "!"]),
        st.sampled_from(["", "https://shop.example/1.jpg", "https://shop.example/2.jpg "]),
        st.booleans(),
    ),
    max_size=8,
)


class TestAgainstEveryPair(TestCase):
    @pytest.mark.slow
    @settings(max_examples=25, deadline=None)
    @given(ROWS)
    def test_a_pair_is_in_a_group_just_when_it_shares_something(self, rows: list[tuple[str, str, str, bool]]) -> None:
        site = Site.objects.create(slug="pairs", name="Pairs")
        for number, (group, title, url, is_active) in enumerate(rows):
            Item.objects.create(
                site=site, item_id=str(number), group_id=group, title=title, image_url=url, is_active=is_active
            )

        found = find_duplicates(site)

        together = {
            frozenset(pair)
            for group in found.groups
            for pair in combinations(sorted(item.item_id for item in group.items), 2)
        }
        active = [(str(n), g or str(n), title_key(t), u.strip()) for n, (g, t, u, a) in enumerate(rows) if a]
        shared = {
            frozenset((one[0], other[0]))
            for one, other in combinations(active, 2)
            if one[1] != other[1] and ((one[2] and one[2] == other[2]) or (one[3] and one[3] == other[3]))
        }
        assert shared <= together
        assert all(group.n_items == len(group.items) for group in found.groups)  # eight items at most
        # Two of one product are named where a third of another product shares it with them.
        for pair in together - shared:
            assert any(
                pair <= {item.item_id for item in group.items} and len(group.items) > 2 for group in found.groups
            )


def test_titles_are_compared_by_their_words() -> None:
    assert title_key("T-Light Holder, Glass") == title_key("glass  T light HOLDER")
    assert title_key("чашка синяя") == title_key("Синяя чашка")
    assert title_key("boots 38") != title_key("boots 39")


@pytest.mark.django_db
def test_a_large_shop_is_compared_in_part_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "MOST_READ", 3)
    monkeypatch.setattr(duplicates, "SHOWN", 2)
    site = Site.objects.create(slug="large", name="Large")
    for number in range(4):
        Item.objects.create(site=site, item_id=str(number), title="Mug")

    found = find_duplicates(site)

    assert (found.is_whole, found.n_groups) == (False, 1)
    assert (found.groups[0].n_items, found.groups[0].ids) == (3, "0,1")
