"""Whose lists are made next: senders take turns, and none of them more work than its share.

One address that sends dear requests without a pause would else keep everybody behind it waiting: lists are made in the
order in which requests arrive. Here each sender has a queue of its own, a turn goes to the next sender and not to the
next request, and the time that a sender's lists took is taken from an allowance, of which a few tenths of a second
stand ready, and which fills again at the rate of the address's quota.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from django.conf import settings

WORK_S_A_REQUEST: Final = 0.0125
"""Seconds of work that an address may cause for each request of its quota."""

BURST_S: Final = 0.3
"""Seconds of work that an address that was quiet may cause at once."""

MAX_WAITING: Final = 32
"""Requests of one sender that wait for a turn; one more is turned away."""

MAX_SENDERS: Final = 20_000


class TooBusy(Exception):
    """A sender had its share of the work; the message says so, ``retry_after_s`` when there will be more."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("your address has used its share of the server's time")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a request.

    Attributes
    ----------
    name : str
        Site and digest of the address.
    per_minute : int
        The quota of requests of an address, which scales the allowance.
    """

    name: str
    per_minute: int

    @property
    def work_s_per_s(self) -> float:
        """Seconds of work a second that the sender may cause for long."""
        return self.per_minute / 60.0 * WORK_S_A_REQUEST


@dataclass(slots=True)
class _Account:
    """What a sender has left, in seconds of work; below zero after a turn that took more."""

    left_s: float
    rate: float
    at_s: float
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    def refill(self, now_s: float) -> None:
        self.left_s = min(BURST_S, self.left_s + (now_s - self.at_s) * self.rate)
        self.at_s = now_s

    def ready_in_s(self) -> float:
        """Return in how many seconds the next turn may be."""
        return 0.0 if self.left_s > 0 else -self.left_s / self.rate + 0.001


class Turn:
    """The right to make the lists of one request; ``done`` gives it back, once."""

    __slots__ = ("_is_done", "_sender", "_started_s", "_turns")

    def __init__(self, turns: Turns, sender: Sender | None, started_s: float) -> None:
        self._turns, self._sender, self._started_s, self._is_done = turns, sender, started_s, False

    def done(self, *_: object) -> None:
        """Let the next sender have its turn."""
        if not self._is_done:
            self._is_done = True
            self._turns.end(self._sender, self._started_s)


class Turns:
    """The queues of one process. Belongs to one event loop.

    Parameters
    ----------
    at_once : int
        Turns that run side by side.
    clock : callable
        Seconds; ``time.monotonic``.
    """

    def __init__(self, at_once: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = at_once
        self._clock = clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._order: OrderedDict[str, None] = OrderedDict()  # senders who wait, the next one first

    async def take(self, sender: Sender | None, *, within_s: float) -> Turn:
        """Return a turn, or raise; a sender of ``None``, such as a shop's server, takes one at once.

        Raises
        ------
        TooBusy
            The sender has used up its allowance, and will not have more in time, or too many of its requests wait.
        TimeoutError
            Others had all turns until then.
        """
        if sender is None:
            return Turn(self, None, self._clock())
        account = self._account(sender)
        ready_in_s = account.ready_in_s()
        if len(account.waiting) >= MAX_WAITING or ready_in_s > within_s:
            raise TooBusy(ready_in_s)
        if self._free and not self._order and not ready_in_s:
            self._free -= 1
            return Turn(self, sender, self._clock())
        turn = asyncio.get_running_loop().create_future()
        account.waiting.append(turn)
        self._order.setdefault(sender.name)
        self._next()
        try:
            async with asyncio.timeout(within_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came at the same moment
                self._free += 1
            elif turn in account.waiting:
                account.waiting.remove(turn)
            self._next()
            account.refill(self._clock())
            if isinstance(error, TimeoutError) and account.left_s <= 0:
                raise TooBusy(account.ready_in_s()) from error
            raise
        return Turn(self, sender, self._clock())

    def end(self, sender: Sender | None, started_s: float) -> None:
        """Take the time of a turn from its sender's allowance, and let the next one have its turn."""
        if sender is None:
            return
        now_s = self._clock()
        self._free += 1
        account = self._account(sender)
        account.left_s -= now_s - started_s
        self._next()

    def _account(self, sender: Sender) -> _Account:
        now_s = self._clock()
        account = self._accounts.get(sender.name)
        if account is None:
            account = self._accounts[sender.name] = _Account(BURST_S, sender.work_s_per_s, now_s)
            self._forget()
        else:
            self._accounts.move_to_end(sender.name)
            account.rate = sender.work_s_per_s
            account.refill(now_s)
        return account

    def _next(self) -> None:
        """Give free turns to the senders who wait, one after the other; who has no allowance left waits for it."""
        while self._free and self._order:
            name, _ = self._order.popitem(last=False)
            account = self._accounts.get(name)
            if account is None:
                continue
            while account.waiting and account.waiting[0].done():
                account.waiting.popleft()
            if not account.waiting:
                continue
            account.refill(self._clock())
            ready_in_s = account.ready_in_s()
            if ready_in_s:
                asyncio.get_running_loop().call_later(ready_in_s, self._wake, name)
                continue
            self._free -= 1
            account.waiting.popleft().set_result(None)
            self._order[name] = None

    def _wake(self, name: str) -> None:
        if name in self._accounts:
            self._order.setdefault(name)
            self._next()

    def _forget(self) -> None:
        """Keep memory bounded: drop those who were quiet longest and wait for nothing."""
        if len(self._accounts) <= MAX_SENDERS:
            return
        for name in list(self._accounts)[: MAX_SENDERS // 10]:
            if not self._accounts[name].waiting:
                del self._accounts[name]


_turns: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Turns]] = WeakKeyDictionary()


def turns() -> Turns:
    """Return the queues of this event loop."""
    loop = asyncio.get_running_loop()
    known = _turns.get(loop)
    if known is None:
        known = _turns[loop] = Turns(settings.INFERENCE_THREADS)
    return known
