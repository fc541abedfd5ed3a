"""The models that ours stands beside, and how far their parameters are searched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.quality.item_models import als, bm25
from benchmarks.quality.session_neighbours import vmisknn, vsknn
from recommendations.ranking.rrf import IndexArray
from recommendations.training.data.dataset import SessionLog, popularity_vocabulary
from recommendations.training.data.split import points_at_every_position, split_by_time
from recommendations.training.evaluation.metrics import ranks_of_targets

SEARCH_POINTS: Final = 2_000
VALIDATION: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A model of the table.

    Attributes
    ----------
    name, key : str
        In the table, and in the names of figures.
    list_for : callable
        From a log, whose vocabulary falls by popularity, histories and parameters to the 20 items of each history:
        int32, shape (n, 20), 0 pads.
    settings : tuple of mapping
        What is tried; the first is taken where nothing is searched.
    has_seed : bool
        Whether ``list_for`` takes ``seed``.
    """

    name: str
    key: str
    list_for: Callable[..., IndexArray]
    settings: tuple[Mapping[str, float], ...]
    has_seed: bool = False


PEERS: Final = (
    Peer(
        name="V-SKNN",
        key="vsknn",
        list_for=vsknn,
        settings=tuple(
            {"neighbours": neighbours, "newest": newest, "idf_weight": idf_weight}
            for neighbours in (100, 500)
            for newest in (500, 2_500)
            for idf_weight in (0.0, 5.0)
        ),
    ),
    Peer(
        name="VMIS-kNN",
        key="vmisknn",
        list_for=vmisknn,
        settings=tuple(
            {"neighbours": neighbours, "newest": newest}
            for neighbours, newest in ((100, 500), (500, 500), (100, 2_500), (500, 2_500), (1_500, 2_500))
        ),
    ),
    Peer(
        name="ALS (implicit)",
        key="als",
        list_for=als,
        settings=(
            {"factors": 128, "alpha": 10.0},
            {"factors": 128, "alpha": 1.0},
            {"factors": 128, "alpha": 40.0},
            {"factors": 64, "alpha": 10.0},
        ),
        has_seed=True,
    ),
    Peer(
        name="BM25 (implicit)",
        key="bm25",
        list_for=bm25,
        settings=tuple(
            {"neighbours": neighbours, "saturation": saturation}
            for neighbours in (100, 400)
            for saturation in (1.2, 0.2)
        ),
    ),
)


def searched(peer: Peer, known: SessionLog) -> Mapping[str, float]:
    """Return the settings with the greatest MRR@20 on the newest tenth of ``known``, fitted on what is before it."""
    earlier, validation = split_by_time(known, held_out=VALIDATION)
    log = earlier.reindexed(popularity_vocabulary(earlier))
    points = points_at_every_position(validation.reindexed(log.item_ids), most=SEARCH_POINTS)

    def value(settings: Mapping[str, float]) -> float:
        ranks = ranks_of_targets(peer.list_for(log, points.histories, **settings), points.targets)
        return float(np.sum(1 / ranks[ranks > 0]))

    return max(peer.settings, key=value)  # of equals, the first
