"""Dense scoring in batches of a few fixed sizes: what a GPU wants.

No timer: while one batch runs, the next requests gather; an idle device takes a request at once. So the lightest
load pays nothing for batching, and under load the batches grow by themselves.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from recommendations.exceptions import ModelUnavailable
from recommendations.inference.queries import HIDDEN, FloatArray, History, IndexArray
from recommendations.inference.runtime import BoundRun, DeviceArray, GraphSession

logger = logging.getLogger(__name__)

BUCKETS: Final = (1, 8, 32, 128)
MAX_EXCLUDED: Final = 256
ANSWER_TIMEOUT_S: Final = 1.0
READY_TIMEOUT_S: Final = 60.0
_MAX_WAITING: Final = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseRequest:
    """One request to score the whole catalogue.

    Attributes
    ----------
    item_bias : float32, shape (n_rows,)
        Requests with the very same array share a batch.
    exclude : int64, shape (≤ MAX_EXCLUDED,)
    """

    history: History
    item_bias: FloatArray
    exclude: IndexArray


DenseAnswer = tuple[IndexArray, FloatArray]
_Waiting = tuple[DenseRequest, "Future[DenseAnswer]"]


class BatchedScorer:
    """One thread that owns a device's session and serves requests in batches; ``close`` ends it.

    Parameters
    ----------
    session : GraphSession
        A graph of ``build_fold_in(target=CUDA)``.
    length : int
        Interactions a request; shorter ones are padded.
    n_rows, n_answers : int
        Rows of the bias, and how many items the graph answers with.
    """

    def __init__(self, session: GraphSession, *, length: int, n_rows: int, n_answers: int) -> None:
        self.provider = session.provider
        self.n_answers = n_answers
        self._bias_of: FloatArray = np.full(n_rows, HIDDEN, np.float32)
        self._bias = DeviceArray(self._bias_of, provider=session.provider)
        self._buckets = {
            size: Bucket(session, size, length=length, n_answers=n_answers, bias=self._bias) for size in BUCKETS
        }
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(_MAX_WAITING)
        self._held_back: _Waiting | None = None
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, name="recsite-scorer", daemon=True)
        self._thread.start()

    def score(self, request: DenseRequest) -> DenseAnswer:
        """Return indices and scores of the best items, falling; waits for the batch that carries the request.

        Raises
        ------
        ModelUnavailable
            The device failed, did not answer within ``ANSWER_TIMEOUT_S``, or has more than it can take.
        """
        future: Future[DenseAnswer] = Future()
        try:
            self._waiting.put_nowait((request, future))
            return future.result(ANSWER_TIMEOUT_S)
        except queue.Full:
            raise ModelUnavailable(f"{_MAX_WAITING} requests wait for the device already") from None
        except TimeoutError:
            future.cancel()
            raise ModelUnavailable(f"the device did not answer within {ANSWER_TIMEOUT_S} s") from None

    def warm_up(self) -> None:
        """Wait until every bucket has run once: allocations, and on CUDA the capture of its graph.

        Raises
        ------
        ModelUnavailable
            The device failed or did not become ready within ``READY_TIMEOUT_S``.
        """
        try:
            self._ready.result(READY_TIMEOUT_S)
        except TimeoutError:
            raise ModelUnavailable(f"the device was not ready within {READY_TIMEOUT_S} s") from None

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread after the batch it is in; whoever still waits gets a time-out."""
        self._waiting.put(None)
        self._thread.join(ANSWER_TIMEOUT_S)

    def _serve(self) -> None:
        # Here and not in the thread that loads: ONNX Runtime keeps captured CUDA graphs by thread.
        try:
            self._run_each_once()
        except Exception as error:  # the edge of this thread: who loads must hear of it
            self._ready.set_exception(ModelUnavailable(f"the device failed: {error}"))
            return
        self._ready.set_result(None)
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            live = [(request, future) for request, future in batch if future.set_running_or_notify_cancel()]
            if not live:
                continue
            try:
                answers = self._run([request for request, _ in live])
            except Exception as error:  # the edge of this thread: every waiter must hear of it, and the loop goes on
                for _, future in live:
                    future.set_exception(ModelUnavailable(f"the batch failed: {error}"))
                continue
            for (_, future), answer in zip(live, answers, strict=True):
                future.set_result(answer)

    def _run_each_once(self) -> None:
        """Run every bucket; a larger one that the device's memory does not hold is left out, with those above it."""
        for number, (size, bucket) in enumerate(list(self._buckets.items())):
            try:
                bucket.run([])
            except ModelUnavailable as error:
                if number == 0:
                    raise
                for too_large in [other for other in self._buckets if other >= size]:
                    del self._buckets[too_large]
                logger.warning("inference.batch_too_large size=%s largest=%s detail=%r", size, self.largest, str(error))
                return

    @property
    def largest(self) -> int:
        """The most requests of one batch."""
        return max(self._buckets)

    def _next_batch(self) -> list[_Waiting] | None:
        """Wait for a request, then take what waits already, as far as it shares the first one's bias."""
        first = self._held_back or self._waiting.get()
        self._held_back = None
        if first is None:
            return None
        batch = [first]
        while len(batch) < self.largest:
            try:
                other = self._waiting.get_nowait()
            except queue.Empty:
                break
            if other is None:
                self._waiting.put(None)
                break
            if other[0].item_bias is not first[0].item_bias:
                self._held_back = other
                break
            batch.append(other)
        return batch

    def _run(self, requests: Sequence[DenseRequest]) -> list[DenseAnswer]:
        bias = requests[0].item_bias
        if bias is not self._bias_of:
            self._bias.update(bias)
            self._bias_of = bias
        size = next(size for size in self._buckets if size >= len(requests))
        return self._buckets[size].run(requests)


class Bucket:
    """One batch size: its arrays on both sides."""

    def __init__(self, session: GraphSession, size: int, *, length: int, n_answers: int, bias: DeviceArray) -> None:
        self._indices = np.zeros((size, length), np.int64)
        self._weight = np.zeros((size, length), np.float32)
        self._age = np.zeros((size, length), np.float32)
        self._is_last = np.zeros((size, length), np.float32)
        self._exclude = np.zeros((size, MAX_EXCLUDED), np.int64)
        self._host: dict[str, NDArray[Any]] = {
            "item_index": self._indices,
            "weight": self._weight,
            "age": self._age,
            "is_last": self._is_last,
            "exclude": self._exclude,
        }
        self._device = {name: DeviceArray(values, provider=session.provider) for name, values in self._host.items()}
        self._bound = BoundRun(
            session,
            {**self._device, "item_bias": bias},
            {"top_index": ((size, n_answers), np.int64), "top_score": ((size, n_answers), np.float32)},
            graph_id=size,
        )

    def run(self, requests: Sequence[DenseRequest]) -> list[DenseAnswer]:
        """Answer up to ``size`` requests; rows beyond them are padding and cost nothing that matters."""
        for values in self._host.values():
            values.fill(0)
        for row, request in enumerate(requests):
            history = request.history
            n = len(history.indices)
            self._indices[row, -n:] = history.indices
            self._weight[row, -n:] = history.weight
            self._age[row, -n:] = history.age
            self._is_last[row, -n:] = history.is_last
            self._exclude[row, : len(request.exclude)] = request.exclude
        for name, values in self._host.items():
            self._device[name].update(values)
        outputs = self._bound.run()
        index, score = outputs["top_index"], outputs["top_score"]
        return [(index[row], score[row]) for row in range(len(requests))]
