"""Which sources of a model are asked at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recommendations.core.deadline import Deadline
from recommendations.core.strategies import STRATEGIES
from recommendations.core.types import RequestUser
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.inference import ModelSet, RetrievalQuery
from recommendations.items.index import ItemIndex
from recommendations.pipeline.pipeline import recommend
from recommendations.pipeline.query import ListQuery, PlacementSpec
from recommendations.pipeline.state import ListResult
from recommendations.ranking.rrf import FusionWeights
from recommendations.retrieval.base import Proposed, ServingContext, listed
from recommendations.retrieval.model import ModelLink
from tests.recommendations import model_worlds
from tests.recommendations.worlds import NOW_MS, ids, item_index, item_row, served

N_ITEMS = 60


@pytest.fixture(scope="module")
def on() -> ItemIndex:
    return item_index(*[item_row(number, item_id=f"item-{number}") for number in range(1, N_ITEMS)])


@pytest.fixture(scope="module")
def model_set(tmp_path_factory: pytest.TempPathFactory) -> ModelSet:
    folder: Path = tmp_path_factory.mktemp("versions") / "v1"
    fitted = model_worlds.fitted_model_set(n_items=N_ITEMS, with_ranker=False)
    weights = FusionWeights(weights={"sessions": 1.0, "tfidf": 0.5, "covisitation": 0.0, "als": 0.0}, k=10.0)
    export_model_set(replace(fitted, fusion=weights), folder, targets=frozenset({Target.CPU}))
    return ModelSet.load(folder, providers="cpu")


def asked(model_set: ModelSet, on: ItemIndex, monkeypatch: pytest.MonkeyPatch, placement: PlacementSpec) -> set[str]:
    """Return the sources of the model that one list asks."""
    queries: list[RetrievalQuery] = []
    retrieve = model_set.retrieve
    monkeypatch.setattr(model_set, "retrieve", lambda query: queries.append(query) or retrieve(query))
    link = ModelLink(model_set, on, version="v1")
    user = RequestUser(key="a:1", recents=("item-3",), session=("item-3",))

    result = served(on, placement, user=user, model=link)

    assert result.rows
    return set(queries[0].sources or ())


def test_a_source_that_fusion_leaves_out_is_not_asked(
    model_set: ModelSet, on: ItemIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(model_set, on, monkeypatch, PlacementSpec(name="p")) == {"sessions", "tfidf"}


def test_a_placement_that_names_a_source_has_it_asked_whatever_fusion_thinks_of_it(
    model_set: ModelSet, on: ItemIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(model_set, on, monkeypatch, PlacementSpec(name="p", sources=("als", "tfidf"))) == {"als", "tfidf"}


def test_an_added_source_stands_beside_those_of_the_strategy_with_its_weight(
    model_set: ModelSet, on: ItemIndex
) -> None:
    user = RequestUser(key="a:1", recents=("item-3",), session=("item-3",))
    picks = {"stylist": Proposed("stylist", listed(on.rows(["item-5"])))}
    spec = PlacementSpec(name="p", added_sources=("stylist",))

    def made(weight: float) -> ListResult:
        context = ServingContext(
            item_index=on, model=ModelLink(model_set, on, version="v1"), now_ms=NOW_MS, own=picks,
            own_weights={"stylist": weight},
        )  # fmt: skip
        query = ListQuery(placement=spec, limit=8, explains=True)
        return recommend(query, user, context, deadline=Deadline.after(60_000.0))

    light, heavy = made(1e-6), made(100.0)

    assert {"stylist", "sessions", "tfidf"} <= heavy.explanation.fusion_weights.keys()  # type: ignore[union-attr]
    assert ids(on, heavy)[0] == "item-5"
    assert ids(on, light)[0] != "item-5"
    assert heavy.reasons[0] == "stylist"


@pytest.mark.parametrize(("history", "position"), [(("new", "item-3"), 0), (("item-3", "new"), 1)])
def test_what_was_looked_at_and_is_newer_than_the_model_is_listed_where_its_recency_puts_it(
    model_set: ModelSet, history: tuple[str, ...], position: int
) -> None:
    known = [item_row(number, item_id=f"item-{number}") for number in range(1, N_ITEMS)]
    on = item_index(*known, item_row(N_ITEMS, item_id="new"))
    link = ModelLink(model_set, on, version="v1")
    user = RequestUser(key="a:1", recents=history, session=history)

    listed = ids(on, served(on, PlacementSpec(name="p"), user=user, model=link))
    hidden = ids(on, served(on, PlacementSpec(name="p", repeats="hide_seen"), user=user, model=link))

    assert listed.index("new") == position
    assert "new" not in hidden


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("seed", range(6))
def test_what_a_model_proposes_is_never_what_the_user_has_nor_a_product_twice(
    model_set: ModelSet, strategy: str, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    on = item_index(
        *[item_row(number, item_id=f"item-{number}", group_id=f"g{number // 3}") for number in range(1, N_ITEMS)]
    )
    history, cart, said_cart, bought, page = (
        tuple(f"item-{number}" for number in chance.choice(np.arange(1, N_ITEMS), n, replace=False))
        for n in (6, 2, 1, 2, 1)
    )
    user = RequestUser(key="a:1", recents=history, session=history, cart=cart, purchases=bought)
    link = ModelLink(model_set, on, version="v1")

    result = served(
        on,
        PlacementSpec(name="p", strategy=strategy),
        user=user,
        model=link,
        cart=said_cart,
        context_items=(*page, "g1"),
    )

    has = [*cart, *said_cart, *page, "g1", *(bought if strategy != "buy_again" else ())]
    products = on.products.of_row[list(result.rows)].tolist()
    assert not set(products) & set(on.products.of_row[on.rows(has)].tolist())
    assert len(products) == len(set(products))
    assert all(result.reasons), "each says why it is there"
    if not STRATEGIES[strategy].lists_own_past:
        assert len(products) == 8
