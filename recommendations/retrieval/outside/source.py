"""A shop's service as it is asked from one event loop: in batches, within its budget, behind its circuit breaker.

A list that comes while no request is on its way is asked for at once. While all connections are busy, lists gather,
and the next free connection asks for all of them in one request: the busier the process, the larger the batches, and
an idle one waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from recommendations.core.types import NOTHING_RANKED, Ranked
from recommendations.metrics import OUTSIDE_LISTS, OUTSIDE_SECONDS, OUTSIDE_UNKNOWN
from recommendations.retrieval.outside.breaker import Breaker, Circuit
from recommendations.retrieval.outside.connection import Closed, Connection, NoAnswer, connected, service_address
from recommendations.retrieval.outside.contract import (
    MAX_LIST_BYTES,
    MAX_LISTS,
    SIGNATURE,
    OutsideSpec,
    Wanted,
    WrongAnswer,
    answers_of,
    body_of,
    signature_of,
)

logger = logging.getLogger(__name__)

CONNECTIONS: Final = 4
"""Requests that a process has on their way to one service at most."""

MAX_WAITING: Final = 1_024
"""Lists that gather at most; those of further requests are made without the service."""

RowOf = Callable[[str], int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of one list: its items, best first, and ``answered``, or nothing and why."""

    ranked: Ranked = NOTHING_RANKED
    result: str = "answered"


@dataclass(slots=True)
class _Waiting:
    wanted: Wanted
    row_of: RowOf
    answer: asyncio.Future[Answered]
    since_s: float = field(default_factory=time.perf_counter)


class OutsideSource:
    """Asks one service; lives on the event loop that first uses it.

    Parameters
    ----------
    breaker : Breaker
        Shared by all event loops of the process.
    """

    def __init__(self, spec: OutsideSpec, breaker: Breaker) -> None:
        self.spec = spec
        self._breaker = breaker
        self._parts = service_address(spec.url)
        self._waiting: deque[_Waiting] = deque()
        self._idle: list[Connection] = []
        self._running: set[asyncio.Task[None]] = set()

    async def lists(self, wanted: Sequence[Wanted], row_of: RowOf, *, within_ms: float) -> list[Answered]:
        """Return what the service proposes for each list, in ``within_ms`` and its own budget; never raises for it.

        Parameters
        ----------
        row_of : callable
            The row of an item id; None for one that the catalogue lacks.
        """
        spec = self.spec
        budget_s = min(spec.budget_ms, within_ms) / 1e3
        if budget_s <= 0.0 or len(self._waiting) + len(wanted) > MAX_WAITING:
            return self._without("busy", len(wanted))
        if not self._breaker.may_ask():
            return self._without("resting", len(wanted))
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(each, row_of, loop.create_future()) for each in wanted]
        self._waiting.extend(waiting)
        self._send()
        done, late = await asyncio.wait([each.answer for each in waiting], timeout=budget_s)
        for each in late:
            each.cancel()  # what has not been sent yet never is
        if late:
            OUTSIDE_LISTS.labels(spec.site, spec.name, "slow").inc(len(late))
        return [each.answer.result() if each.answer in done else Answered(result="slow") for each in waiting]

    async def ended(self) -> None:
        """Wait until no request is on its way, within the budget that each has."""
        if self._running:
            await asyncio.wait(list(self._running))

    def close(self) -> None:
        """Drop what waits, and all connections."""
        for task in list(self._running):
            task.cancel()
        while self._idle:
            self._idle.pop().close()
        while self._waiting:
            self._waiting.popleft().answer.cancel()

    def _without(self, result: str, n_lists: int) -> list[Answered]:
        OUTSIDE_LISTS.labels(self.spec.site, self.spec.name, result).inc(n_lists)
        return [Answered(result=result)] * n_lists

    def _send(self) -> None:
        """Begin a request for what waits, if a connection is free."""
        while len(self._running) < CONNECTIONS:
            batch: list[_Waiting] = []
            while self._waiting and len(batch) < MAX_LISTS:
                each = self._waiting.popleft()
                if not each.answer.done():
                    batch.append(each)
            if not batch:
                if self._breaker.state is Circuit.TRIED and not self._running:
                    self._breaker.given_up()
                return
            task = asyncio.get_running_loop().create_task(self._request(batch))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if task.cancelled():
            self._breaker.given_up()
        elif (error := task.exception()) is not None:
            logger.error("retrieve.outside_broken source=%s", self.spec.name, exc_info=error)
            self._breaker.failed("failed", repr(error))
        else:
            self._send()

    async def _request(self, batch: Sequence[_Waiting]) -> None:
        """Ask for a batch, and answer whoever waits for a list of it; the budget is that of the service."""
        spec, started = self.spec, time.perf_counter()
        found, result, detail = [NOTHING_RANKED] * len(batch), "answered", ""
        try:
            async with asyncio.timeout(spec.budget_ms / 1e3):
                body = body_of(spec, [each.wanted for each in batch])
                answer = await self._posted(body, max_bytes=MAX_LIST_BYTES * len(batch))
            found, n_unknown = self._read(answer, batch)
            OUTSIDE_UNKNOWN.labels(spec.site, spec.name).inc(n_unknown)
        except TimeoutError:
            result, detail = "slow", f"no answer within {spec.budget_ms:g} ms"
        except NoAnswer as error:
            result, detail = "failed", str(error)
        except WrongAnswer as error:
            result, detail = "wrong", str(error)
        OUTSIDE_SECONDS.labels(spec.site, spec.name).observe(time.perf_counter() - started)
        if result == "answered":
            self._breaker.answered()
        else:
            self._breaker.failed(result, detail)
        n_heard = 0
        for each, ranked in zip(batch, found, strict=True):
            if not each.answer.done():
                n_heard += 1
                each.answer.set_result(Answered(ranked=ranked, result=result))
        OUTSIDE_LISTS.labels(spec.site, spec.name, result).inc(n_heard)

    def _read(self, answer: bytes, batch: Sequence[_Waiting]) -> tuple[list[Ranked], int]:
        """Return the lists of an answer; rows are those of the catalogue that each list is made from."""
        row_of = batch[0].row_of
        if all(each.row_of == row_of for each in batch):
            return answers_of(self.spec, answer, n_lists=len(batch), row_of=row_of)
        found, n_unknown = [], 0
        for position, each in enumerate(batch):  # the catalogue changed while they gathered
            lists, unknown = answers_of(self.spec, answer, n_lists=len(batch), row_of=each.row_of)
            found.append(lists[position])
            n_unknown = max(n_unknown, unknown)
        return found, n_unknown

    async def _posted(self, body: bytes, *, max_bytes: int) -> bytes:
        """Send a body on a connection that is open, else on a new one, and return the answer.

        A connection that was idle may have been closed by the service as the body was on its way: it is sent again.

        Raises
        ------
        NoAnswer
            There is none that can be read.
        """
        headers = {SIGNATURE: signature_of(self.spec.secret, body, now_s=int(time.time()))} if self.spec.secret else {}
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                try:
                    return await self._on(connection, body, headers, max_bytes)
                except Closed:
                    break
        return await self._on(await connected(self._parts), body, headers, max_bytes)

    async def _on(self, connection: Connection, body: bytes, headers: dict[str, str], max_bytes: int) -> bytes:
        answer = await connection.post(self._parts, body, headers, max_bytes=max_bytes)
        if connection.is_open:
            self._idle.append(connection)
        return answer
