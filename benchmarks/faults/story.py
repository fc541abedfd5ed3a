"""One fault after the other over one installation, each with calm before and after; the table, and the figures."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.faults import alerts
from benchmarks.faults.lab import FIRST, SHOPPERS, Shop, installation, until_ready
from benchmarks.faults.matrix import FAULTS, Fault, Making
from benchmarks.faults.traffic import Answer, Traffic, curve, percentile
from benchmarks.faults.verdict import NOTHING, Verdict, archive_verdict, settled_verdict
from benchmarks.report import print_table

BACK_WITHIN_S: Final = 120.0
FIRES_WITHIN_S: Final = 45.0
CLEARS_WITHIN_S: Final = 150.0
POSTS_A_SECOND: Final = 12.0
LISTS_A_SECOND: Final = 8.0
_BARS: Final = "▁▂▃▄▅▆▇█"


@dataclass(kw_only=True)
class Outcome:
    """What one fault did."""

    fault: Fault
    verdict: Verdict = NOTHING  # beyond what earlier faults did
    back_s: float | None = None  # None: it did not come back
    fired: set[str] = field(default_factory=set)
    events: int = 0
    failed_lists: int = 0
    p99_ms: dict[str, tuple[float, float, float]] = field(default_factory=dict)  # by kind: before, during, after
    curve_ms: list[float] = field(default_factory=list)  # the slowest list of each second, from before to after


@dataclass(kw_only=True)
class Story:
    """All faults over one event log."""

    backend: str
    quick: bool
    only: tuple[str, ...] = ()
    outcomes: list[Outcome] = field(default_factory=list)
    archived: Verdict = NOTHING
    so_far: Verdict = NOTHING
    never_cleared: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    events: int = 0

    @property
    def calm_s(self) -> float:
        """How long it is calm before each fault."""
        return 2.0 if self.quick else 5.0

    @property
    def faults(self) -> list[Fault]:
        """Return the faults of this run."""
        return [one for one in FAULTS if not self.only or any(text in one.name for text in self.only)]

    async def run(self) -> None:
        """Make the faults, and print what they did."""
        with installation(self.backend) as shop:
            try:
                shop.start()
                with alerts.Prometheus(shop.lab.folder / "prometheus", web_ports=shop.web_ports) as prometheus:
                    await self._run(shop, prometheus)
            except BaseException:
                for name in shop.processes:
                    print(f"--- {name}\n{shop.said(name)}", file=sys.stderr)
                raise
            finally:
                await shop.close()
        self._print()

    async def _run(self, shop: Shop, prometheus: alerts.Prometheus) -> None:
        await until_ready(shop, within_s=90.0)
        shop.watch()
        traffic = Traffic(
            key=shop.key, ports=list(shop.web_ports), shoppers=SHOPPERS, first=FIRST,
            posts_per_s=POSTS_A_SECOND, lists_per_s=LISTS_A_SECOND,
        )  # fmt: skip
        making = Making(shop=shop, traffic=traffic)
        traffic.start()
        await asyncio.sleep(3.0)  # everybody's first requests
        for fault in self.faults:
            outcome = await self._suffer(fault, making, prometheus)
            self.outcomes.append(outcome)
            print(_said(self.backend, outcome), file=sys.stderr, flush=True)
        await traffic.stop()
        self.archived = await archive_verdict(shop, traffic.ledger, within_s=60.0)
        self.refused, self.events = traffic.ledger.refused, len(traffic.ledger.ids)
        expected = {alert for fault in self.faults for alert in fault.alerts}
        give_up_at = time.monotonic() + CLEARS_WITHIN_S
        while True:
            self.never_cleared = await asyncio.to_thread(prometheus.firing) & expected
            if not self.never_cleared or time.monotonic() > give_up_at:
                break
            await asyncio.sleep(1.0)

    async def _suffer(self, fault: Fault, making: Making, prometheus: alerts.Prometheus) -> Outcome:
        traffic, outcome = making.traffic, Outcome(fault=fault)
        known = len(traffic.ledger.ids)
        began = time.monotonic()
        await asyncio.sleep(self.calm_s)
        broke_at = time.monotonic()
        async with fault.make(making):
            lasts_until = time.monotonic() + max(fault.least_s, self.calm_s)
            give_up_at = time.monotonic() + FIRES_WITHIN_S
            while time.monotonic() < lasts_until or (
                not outcome.fired >= set(fault.alerts) and time.monotonic() < give_up_at
            ):
                outcome.fired |= await asyncio.to_thread(prometheus.firing) & set(fault.alerts)
                await asyncio.sleep(0.25)
        mended_at = time.monotonic()
        outcome.back_s, so_far = await _came_back(making, self.so_far)
        outcome.verdict, self.so_far = so_far.beyond(self.so_far), so_far
        await asyncio.sleep(self.calm_s)
        ended = time.monotonic()
        outcome.events = len(traffic.ledger.ids) - known
        back_at = mended_at + (outcome.back_s or 0.0)
        for kind in ("collect", "recommend"):
            own = [one for one in traffic.answers if one.kind == kind]
            outcome.p99_ms[kind] = (
                percentile(_between(own, began, broke_at), 0.99),
                percentile(_between(own, broke_at, back_at), 0.99),
                percentile(_between(own, back_at, ended), 0.99),
            )
        lists = [one for one in traffic.answers if one.kind == "recommend"]
        outcome.curve_ms = curve(lists, start_s=began, end_s=ended)
        outcome.failed_lists = sum(not one.is_good for one in _between(lists, began, ended))
        return outcome

    def _print(self) -> None:
        print_table(
            f"Faults over {self.backend}: {POSTS_A_SECOND:g} posts of events and {LISTS_A_SECOND:g} lists a second",
            (
                *("fault", "events", "lost", "doubled", "back s", "collect p99 ms", "lists p99 ms", "no list"),
                *("slowest list of each second", "alerts"),
            ),
            [
                (
                    one.fault.name, one.events, one.verdict.lost, one.verdict.doubled,
                    "NEVER" if one.back_s is None else f"{one.back_s:.1f}",
                    _three(one.p99_ms["collect"]), _three(one.p99_ms["recommend"]), one.failed_lists,
                    _drawn(one.curve_ms),
                    ", ".join(name if name in one.fired else f"{name} MISSING" for name in one.fault.alerts),
                )
                for one in self.outcomes
            ],
            caption=f"p99: before, during, after. Archive: {self.archived.lost} lost, {self.archived.doubled} doubled "
            f"of {self.events:,}. Alerts that stay: {', '.join(sorted(self.never_cleared)) or 'none'}. Not made here: "
            + "; ".join(f"{name} ({why})" for name, why in alerts.NOT_HERE.items())
            + ".",
        )  # fmt: skip
        for refused in self.refused[:5]:
            print(f"refused: {refused}", file=sys.stderr)


def figures_of(stories: Sequence[Story]) -> dict[str, float]:
    """Return the figures of all runs together; an alert that did not clear again does not count as fired."""
    outcomes = [one for story in stories for one in story.outcomes]
    figures: dict[str, float] = {
        "faults": len(outcomes),
        "lost": sum(one.verdict.lost for one in outcomes)
        + sum(story.archived.lost + len(story.refused) for story in stories),
        "doubled": sum(one.verdict.doubled for one in outcomes) + sum(story.archived.doubled for story in stories),
        "came_back": sum(one.back_s is not None for one in outcomes),
        "alerts_fired": sum(len(_fired(story)) for story in stories),
        "alerts_expected": sum(len({name for fault in story.faults for name in fault.alerts}) for story in stories),
        "alerts_not_made_here": len(alerts.NOT_HERE),
        "events": sum(story.events for story in stories),
        "lists_failed": sum(one.failed_lists for one in outcomes),
    }
    for story in stories:
        for one in story.outcomes:
            name = f"{story.backend}_{_key(one.fault.name)}"
            for when, value in zip(("before", "during", "after"), one.p99_ms["recommend"], strict=True):
                figures[f"p99_ms_{when}_{name}"] = value
            figures[f"back_s_{name}"] = -1.0 if one.back_s is None else one.back_s
    return figures


def _fired(story: Story) -> set[str]:
    missed = {name for one in story.outcomes for name in set(one.fault.alerts) - one.fired}
    fired = {name for one in story.outcomes for name in one.fired}
    return fired - missed - story.never_cleared


async def _came_back(making: Making, before: Verdict) -> tuple[float | None, Verdict]:
    """Return how soon everything answers, and everything acknowledged since ``before`` counts; the verdict besides."""
    started = time.monotonic()
    ready = True
    try:
        await until_ready(making.shop, within_s=BACK_WITHIN_S)
    except TimeoutError:
        ready = False
    # The verdict is about a moment at which nothing is under way.
    making.traffic.collects = False
    try:
        await making.traffic.settled(within_s=60.0)
        verdict = await settled_verdict(making.shop, making.traffic.ledger, within_s=BACK_WITHIN_S, before=before)
    finally:
        making.traffic.collects = True
    took_s = time.monotonic() - started
    return (took_s if ready and not verdict.beyond(before).lost else None), verdict


def _between(answers: Sequence[Answer], start_s: float, end_s: float) -> list[Answer]:
    return [one for one in answers if start_s <= one.at_s < end_s]


def _three(values: tuple[float, float, float]) -> str:
    return ", ".join(f"{value:,.0f}" for value in values)


def _drawn(curve_ms: Sequence[float]) -> str:
    """Draw a curve of times: each step of a bar is four times as long, the lowest is up to 5 ms."""
    steps = [5.0 * 4**step for step in range(len(_BARS) - 1)]
    return "".join(_BARS[sum(value > step for step in steps)] for value in curve_ms[:40])


def _said(backend: str, one: Outcome) -> str:
    back = "did not come back" if one.back_s is None else f"back after {one.back_s:.1f} s"
    missing = sorted(set(one.fault.alerts) - one.fired)
    alert = f"; no alert: {', '.join(missing)}" if missing else ""
    return f"{backend}: {one.fault.name}: {one.verdict.lost} lost, {one.verdict.doubled} doubled, {back}{alert}"


def _key(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")
