"""A loaded model version: its sources, its ranker, and the item ids behind the indices."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommendations.core import manifest as names
from recommendations.core.manifest import Manifest, read_manifest
from recommendations.core.objectives import Calibration, log_shares
from recommendations.exceptions import InvalidQuery, ModelUnavailable
from recommendations.inference.device import Device, GpuShortfall, Providers, insist
from recommendations.inference.huge_pages import use_huge_pages
from recommendations.inference.loading import load_array, load_item_ids, load_sources
from recommendations.inference.queries import (
    EMPTY_RESULT,
    HIDDEN,
    IS_HIDDEN,
    BoolArray,
    FloatArray,
    RetrievalQuery,
    SourceResult,
    history_of,
)
from recommendations.inference.runtime import (
    GraphSession,
    Provider,
    as_float32,
    load_session,
)
from recommendations.inference.sources import Question, Source

_BIASES_KEPT = 16
_WORTH_HUGE_PAGES_BYTES = 32 * 1024 * 1024  # smaller tables live in the caches
_NOTHING = np.zeros(1, np.int64)  # exclusions, padded: item 0 is always hidden
_NO_CANDIDATES = np.empty(0, np.int64)


class ModelSet:
    """One model version in memory. Immutable, thread-safe; to change version, load another and swap.

    Attributes
    ----------
    manifest : Manifest
    item_ids : sequence of str
        ``item_ids[index]``; entry 0 is the padding item.
    index_of : mapping of item id to item index
    sources : tuple of str
        Names of the candidate sources.
    provider : "cpu" or "cuda"
        What really runs the dense scoring.
    popularity_recent, popularity_all_time : float32, shape (n_items,)
    ranking_arrays : mapping of name to array, shape (n_items, …)
        The fields of ``ranking.RankingTables``, memory-mapped; empty without a ranker.
    given_columns : tuple of str
        The columns of the matrices that ``rank`` takes.
    missing_columns : tuple of str
        Columns of the ranker that callers do not give any more; it takes 0 for them.
    """

    def __init__(  # the parts of a version, as ``load`` reads them
        self,
        *,
        manifest: Manifest,
        item_ids: Sequence[str],
        sources: Sequence[Source],
        ranker: GraphSession | None,
        arrays: Mapping[str, NDArray[Any]],
        objectives: Mapping[str, GraphSession] | None = None,
        ranker_columns: tuple[str, ...] | None = None,
        gpu_shortfall: GpuShortfall | None = None,
    ) -> None:
        self.manifest = manifest
        self.item_ids = item_ids
        self.index_of: Mapping[str, int] = {item_id: i for i, item_id in enumerate(item_ids) if i}
        self.provider: Provider = "cuda" if any(source.provider == "cuda" for source in sources) else "cpu"
        self._gpu_shortfall = gpu_shortfall
        self._every_source = tuple(sources)
        self._source_of = {name: source for source in sources for name in source.names}
        self.sources = tuple(name for name in manifest.sources if name in self._source_of)
        # A scorer's thread would outlive a version that was swapped out.
        for source in sources:
            weakref.finalize(self, source.close)
        self._ranker = ranker
        self._objectives = objectives or {}
        known = manifest.ranker.objectives if manifest.ranker else {}
        self._calibrations = {
            name: Calibration(entry.scores, entry.chances) for name, entry in known.items() if entry.is_learnt
        }
        trained = manifest.ranker.columns if manifest.ranker else ()
        self.given_columns = trained if ranker_columns is None else ranker_columns
        self.missing_columns = tuple(name for name in trained if name not in self.given_columns)
        self._columns = _columns_among(trained, self.given_columns)
        self.popularity_recent = arrays[names.POPULARITY_RECENT_NAME]
        self.popularity_all_time = arrays[names.POPULARITY_ALL_TIME_NAME]
        self.ranking_arrays: Mapping[str, NDArray[Any]] = {
            name.removeprefix(names.RANKING_NAME_PREFIX).removesuffix(".npy"): array
            for name, array in arrays.items()
            if name.startswith(names.RANKING_NAME_PREFIX)
        }
        # Graphs fill their tables up to whole groups; those rows are hidden like the padding item.
        n_rows = {source.n_rows for source in sources}
        if len(n_rows) != 1 or min(n_rows) < len(item_ids):
            raise ModelUnavailable(f"the graphs have {sorted(n_rows)} rows for {len(item_ids)} items; export again")
        self._n_rows = n_rows.pop()
        self._no_bias = self._filled_up(np.zeros(len(item_ids), np.float32))
        # id of the caller's array -> (that array, kept alive so that its id stays its own; bias; hidden).
        self._biases: dict[int, tuple[FloatArray, FloatArray, FloatArray]] = {}

    @classmethod
    def load(
        cls, folder: Path, *, providers: Providers = "auto", ranker_columns: tuple[str, ...] | None = None
    ) -> Self:
        """Load a version folder that has passed the gate (``versions.load_version`` checks, this does not).

        Parameters
        ----------
        providers : "auto", "cpu" or "cuda"
            "auto" takes the GPU where there is one and says once where there is none; "cuda" insists.
        ranker_columns : tuple of str, optional
            The columns of the matrices that ``rank`` will be given; without it those of the version.

        Raises
        ------
        VersionRefused
            The manifest cannot be read.
        ModelUnavailable
            A file is missing or no valid graph, or "cuda" was asked for and does not work.
        """
        manifest = read_manifest(folder)
        device = Device(providers)
        if providers == "cuda":
            insist(device, device.provider)  # before anything is read
        sources = load_sources(folder, manifest, device)
        if providers == "cuda":
            insist(device, "cuda" if any(source.provider == "cuda" for source in sources) else "cpu")
        ranker = load_session(folder / manifest.ranker.graph) if manifest.ranker else None
        known = manifest.ranker.objectives if manifest.ranker else {}
        objectives = {name: load_session(folder / entry.graph) for name, entry in known.items() if entry.graph}
        arrays = {
            name: load_array(folder / name, n_items=manifest.n_items)
            for name in manifest.files
            if name.endswith(".npy")
        }
        model_set = cls(
            manifest=manifest,
            item_ids=load_item_ids(folder / names.ITEM_IDS_NAME, manifest.n_items),
            sources=sources,
            ranker=ranker,
            objectives=objectives,
            arrays=arrays,
            ranker_columns=ranker_columns,
            gpu_shortfall=device.shortfall,
        )
        if sum(entry.size_bytes for entry in manifest.files.values()) >= _WORTH_HUGE_PAGES_BYTES:
            use_huge_pages()
        model_set.warm_up()
        return model_set

    @property
    def n_items(self) -> int:
        """Rows of every item array, the padding item among them."""
        return len(self.item_ids)

    @property
    def gpu_shortfall(self) -> GpuShortfall | None:
        """Why the CPU answers where a GPU was wanted, now; None where it need not, or nobody wanted one."""
        resting = (source.shortfall for source in self._every_source if source.shortfall is not None)
        return next(resting, self._gpu_shortfall)

    def retrieve(self, query: RetrievalQuery) -> dict[str, SourceResult]:
        """Ask every source (or those the query names), one after the other, on this thread.

        Without interactions that count, every source answers with nothing: popularity is a source of its own.

        Raises
        ------
        InvalidQuery
            See ``queries.history_of``; or a source that this version does not have.
        ModelUnavailable
            ONNX Runtime failed.
        """
        wanted = self._wanted(query.sources)
        history = history_of(query, n_items=self.n_items)
        if history is None or (query.candidates is not None and len(query.candidates) == 0):
            return dict.fromkeys(wanted, EMPTY_RESULT)
        item_bias, hidden_bias = self._bias_of(query.item_bias, query.allowed)
        question = Question(
            history=history,
            item_bias=item_bias,
            hidden_bias=hidden_bias,
            exclude=np.asarray(query.exclude, np.int64) if len(query.exclude) else _NOTHING,
            candidates=_NO_CANDIDATES if query.candidates is None else np.unique(query.candidates),
            has_shared_bias=query.allowed is None,
            k=min(query.k, self.n_items),
            wanted=wanted,
        )
        answers: dict[str, SourceResult] = {}
        for name in wanted:
            if name not in answers:  # sources that share a graph answer together
                answers |= self._source_of[name].retrieve(question)
        return {name: answers[name] for name in wanted}

    def rank(self, matrix: FloatArray) -> FloatArray:
        """Score candidates with the ranker; higher is better.

        Parameters
        ----------
        matrix : float32, shape (n, n_columns)
            Columns as ``load`` was told. The ranker finds its own among them by name.

        Returns
        -------
        float32, shape (n,)
            Same order as the rows. Comparable within one version and one request only.

        Raises
        ------
        InvalidQuery
            The number of columns is another.
        ModelUnavailable
            This version has no ranker, or ONNX Runtime failed.
        """
        if self._ranker is None or self.manifest.ranker is None:
            raise ModelUnavailable("this model version has no ranker; use the fusion of its sources")
        matrix = self._arranged(matrix)
        return _scored(self._ranker, matrix)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The objectives that the version has learnt."""
        return tuple(self._calibrations)

    def chances(self, matrix: FloatArray, scores: FloatArray, wanted: Collection[str]) -> dict[str, FloatArray]:
        """Return the calibrated chance of each candidate of one query, by objective; those not learnt are left out.

        Parameters
        ----------
        matrix, scores
            What ``rank`` was given, and what it returned.

        Raises
        ------
        InvalidQuery, ModelUnavailable
            As ``rank``.
        """
        arranged: FloatArray | None = None
        found: dict[str, FloatArray] = {}
        for name, calibration in self._calibrations.items():
            if name not in wanted:
                continue
            if name in self._objectives:
                arranged = self._arranged(matrix) if arranged is None else arranged
                found[name] = calibration(_scored(self._objectives[name], arranged))
            else:
                found[name] = calibration(log_shares(scores))
        return found

    def objective_scores(self, matrix: FloatArray) -> dict[str, FloatArray]:
        """Return the raw scores of the objectives that have trees of their own; of ``rank``'s matrix."""
        arranged = self._arranged(matrix)
        return {name: _scored(session, arranged) for name, session in self._objectives.items()}

    def _arranged(self, matrix: FloatArray) -> FloatArray:
        """Return the columns that the version was trained on, in its order; 0 for those that are not given."""
        n_columns = len(self.given_columns)
        if matrix.ndim != 2 or matrix.shape[1] != n_columns:
            raise InvalidQuery(field="matrix", reason=f"has shape {matrix.shape}, not (n, {n_columns})")
        if self._columns is not None and len(matrix):
            arranged = np.zeros((len(matrix), len(self._columns)), np.float32)
            known = self._columns >= 0
            arranged[:, known] = matrix[:, self._columns[known]]
            matrix = arranged
        return as_float32(matrix)

    def warm_up(self) -> None:
        """Run every graph once, so that the first user does not wait for allocations."""
        if self.n_items > 1:
            self.retrieve(RetrievalQuery(indices=np.array([1], np.int64)))
            self.retrieve(RetrievalQuery(indices=np.array([1], np.int64), candidates=np.array([1], np.int64)))
        if self.manifest.ranker is not None:
            matrix = np.zeros((1, len(self.given_columns)), np.float32)
            self.chances(matrix, self.rank(matrix), self.objectives)

    def _wanted(self, names: tuple[str, ...] | None) -> tuple[str, ...]:
        if names is None:
            return self.sources
        for name in names:
            if name not in self._source_of:
                raise InvalidQuery(field="sources", reason=f"{name!r} is not one of {', '.join(self.sources)}")
        return names

    def _bias_of(self, item_bias: FloatArray | None, allowed: BoolArray | None) -> tuple[FloatArray, FloatArray]:
        """Return the bias of dense and of sparse scores; both hide the padding item."""
        bias, hidden = self._prepared_bias(item_bias)
        if allowed is not None:
            if allowed.shape != (self.n_items,):
                raise InvalidQuery(field="allowed", reason=f"has shape {allowed.shape}, not ({self.n_items},)")
            forbidden = np.flatnonzero(~allowed)
            bias, hidden = bias.copy(), hidden.copy()
            bias[forbidden] = HIDDEN
            hidden[forbidden] = HIDDEN
        return bias, hidden

    def _prepared_bias(self, item_bias: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        if item_bias is None:
            return self._no_bias, self._no_bias
        known = self._biases.get(id(item_bias))
        if known is not None:
            return known[1], known[2]
        if item_bias.shape != (self.n_items,):
            raise InvalidQuery(field="item_bias", reason=f"has shape {item_bias.shape}, not ({self.n_items},)")
        if np.isnan(item_bias).any() or np.isposinf(item_bias).any():
            raise InvalidQuery(field="item_bias", reason="holds a value that is not a finite number")
        hides = item_bias <= IS_HIDDEN
        bias = self._filled_up(np.where(hides, HIDDEN, item_bias))
        hidden = self._filled_up(np.where(hides, HIDDEN, np.float32(0.0)))
        # A plain dict under the GIL: two threads may prepare the same array once each, which is harmless.
        while len(self._biases) >= _BIASES_KEPT:
            self._biases.pop(next(iter(self._biases), 0), None)
        self._biases[id(item_bias)] = (item_bias, bias, hidden)
        return bias, hidden

    def _filled_up(self, bias: FloatArray) -> FloatArray:
        """Return a bias for every row of the graphs; the padding item and rows beyond the items are hidden."""
        filled = np.full(self._n_rows, HIDDEN, np.float32)
        filled[1 : len(bias)] = bias[1:]
        return filled


def _scored(session: GraphSession, matrix: FloatArray) -> FloatArray:
    if len(matrix) == 0:
        return np.empty(0, np.float32)
    return as_float32(session.run({"matrix": matrix})[0].reshape(-1))


def _columns_among(trained: tuple[str, ...], given: tuple[str, ...]) -> NDArray[np.intp] | None:
    """Return where each column that a ranker was trained on stands among the given ones, -1 for nowhere.

    None where they are the same and nothing has to be arranged.
    """
    if trained == given:
        return None
    index_of = {name: index for index, name in enumerate(given)}
    return np.array([index_of.get(name, -1) for name in trained], np.intp)
