"""The checklist of an embedding: every line is green once its thing was seen, and says what to do before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.quality.checklist import WANTED_EVENTS, Check, CheckState, Embedding, checklist
from features.quality.report import CatalogueUse

WHOLE = Embedding(
    host="https://rec.example",
    has_key=True,
    origins=("https://www.shop.example", "https://*.shop.example"),
    shop_url="https://www.shop.example/de",
    honours_gpc=True,
    has_event=True,
    counts=dict.fromkeys(WANTED_EVENTS, 7),
    catalogue=CatalogueUse(n_items=10, n_seen=5, known=100, unknown=1),
    placements=frozenset({"home", "similar"}),
    lists={"home": 3},
)


def line(site: Embedding, name: str) -> Check:
    return next(check for check in checklist(site) if check.name == name)


def test_a_whole_embedding_is_green_in_every_line() -> None:
    assert {check.name: check.state for check in checklist(WHOLE)} == dict.fromkeys(
        ("key", "origin", "policy", "event", "events", "ids", "placements", "consent"), CheckState.DONE
    )


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        ({"has_key": False}, "key", "Add one under API keys"),
        ({"origins": ()}, "origin", "Name the shop's addresses"),
        ({"origins": ("https://other.example",)}, "origin", "https://www.shop.example/de"),
        ({"origins": ("http://www.shop.example",)}, "origin", "refused with 403"),
        ({"has_event": False}, "policy", "script-src https://rec.example; connect-src https://rec.example wss://rec"),
        ({"has_event": False}, "event", "console"),
        ({"counts": {"page_view": 9}}, "events", "Missing: view_item, add_to_cart, purchase"),
        ({"catalogue": replace(WHOLE.catalogue, n_items=0)}, "ids", "Add a feed"),  # type: ignore[type-var]
        (
            {"catalogue": CatalogueUse(n_items=9, n_seen=1, known=1, unknown=1, unknown_examples=(("SKU-9", 1),))},
            "ids", "not SKU-9",
        ),
        ({"catalogue": None}, "ids", "Open the page of an item"),
        ({"lists": {"hom": 3}}, "placements", "Use one of home, similar"),
        ({"lists": {"hom": 3}, "placements": ()}, "placements", "Add a placement"),
        ({"lists": {}}, "placements", "Put a widget into a page"),
        ({"honours_gpc": False}, "consent", "Honour it"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_with_its_remedy(change: dict[str, Any], name: str, said: str) -> None:
    found = line(replace(WHOLE, **change), name)

    assert found.state is not CheckState.DONE
    assert found.remedy
    assert said in f"{found.seen} {found.remedy}"


@pytest.mark.parametrize(
    ("origin", "url", "is_covered"),
    [
        ("https://*.shop.example", "https://www.shop.example", True),
        ("https://*.shop.example", "https://shop.example", False),
        ("https://*.shop.example", "https://myshop.example", False),
        ("https://shop.example:8443", "https://shop.example:8443/x", True),
        ("https://shop.example", "https://shop.example.evil", False),
    ],
)
def test_an_origin_covers_what_a_browser_would_say(origin: str, url: str, is_covered: bool) -> None:
    found = line(replace(WHOLE, origins=(origin,), shop_url=url), "origin")

    assert (found.state is CheckState.DONE) == is_covered


names = st.dictionaries(st.sampled_from([*WANTED_EVENTS, "wish"]), st.integers(0, 3))
uses = st.none() | st.builds(
    CatalogueUse, n_items=st.integers(0, 3), n_seen=st.just(0), known=st.integers(0, 3), unknown=st.integers(0, 3)
)
embeddings = st.builds(
    Embedding, host=st.just("https://rec.example"), has_key=st.booleans(), origins=st.just(("https://a.example",)),
    shop_url=st.sampled_from(["", "https://a.example", "https://b.example"]), honours_gpc=st.booleans(),
    has_event=st.booleans(), counts=names, catalogue=uses, placements=st.frozensets(st.sampled_from(["home", "b"])),
    lists=st.dictionaries(st.sampled_from(["home", "b", "c"]), st.integers(1, 9)), refused_by_consent=st.integers(0, 9),
)  # fmt: skip


@pytest.mark.slow
@given(embeddings)
def test_a_line_has_a_remedy_exactly_where_it_is_not_green(site: Embedding) -> None:
    for check in checklist(site):
        assert bool(check.remedy) == (check.state is not CheckState.DONE), check
