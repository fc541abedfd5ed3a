"""What the demo shop tried in its six weeks: an experiment that was shipped, one that runs, and two hold-outs.

Their sums are those of simulated visitors, as the stream worker would have counted them; from then on it counts the
shoppers of the demo on top of them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import redis
from django.db import transaction
from django.utils import timezone

from features import keys
from features.state.experiments.exposures import FIGURES
from features.state.experiments.sums import ArmSums, sums_of, take_in
from features.store.arm_sums import ArmTotals
from recommendations import keys as serving_keys
from recommendations.experiments.lifecycle import note_day, stop
from recommendations.experiments.statistics.guardrails import GROUPS
from recommendations.models import Arm, Experiment, HoldOut, Metric, Placement
from recsite.demo.merchandising import hold_out_of_campaign
from tracking.models import Site

SEED: Final = 42
_ENCODE: Final = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """How the visitors of an arm behave: of an item seen, of a visitor, of an order in minor units.

    Attributes
    ----------
    slow, difference : float
        Share of its lists that take too long, and by how much the items of one differ on average.
    """

    clicks: float = 0.06
    carts: float = 0.12
    conversion: float = 0.08
    order: float = 4_500.0
    slow: float = 0.004
    difference: float = 0.62


def ensure_experiments(site: Site, client: redis.Redis) -> int:
    """Make them where the site has none; return how many were made. Takes about a second.

    Raises ``redis.RedisError`` before anything is made.
    """
    if Experiment.objects.filter(site=site).exists() or HoldOut.objects.filter(site=site).exists():
        return 0
    client.ping()
    chance, today = np.random.default_rng(SEED), timezone.now()
    with transaction.atomic():
        shipped = _experiment(
            site, "Heading of the home page", "home_for_you", began=today - dt.timedelta(days=40),
            hypothesis="A heading that speaks to the shopper is clicked more, and sells no less.",
            metric=Metric.CLICKS, arms=({"name": "Control"}, {"name": "“Picked for you”", "heading": "Picked for you"}),
        )  # fmt: skip
        heading = [Truth(), Truth(clicks=0.072)]
        of_shipped = _end_after(shipped, heading, days=21, daily=220, chance=chance)
        running = _experiment(
            site, "More different items", "product_similar", began=today - dt.timedelta(days=14),
            hypothesis="Lists with less of the same sell more, since shoppers see more of the shop.",
            metric=Metric.CONVERSION, arms=({"name": "Control"}, {"name": "More different", "diversity": 35}),
        )  # fmt: skip
        different = [Truth(), Truth(conversion=0.086, difference=0.74)]
        sums = _note_days(running, different, days=14, daily=260, chance=chance)
        held = HoldOut.objects.create(site=site, percent=5, metric=Metric.CONVERSION)
        HoldOut.objects.filter(pk=held.pk).update(started_at=today - dt.timedelta(days=42))
        of_campaign = hold_out_of_campaign(site)
    _write(client, site, running.key, sums)
    _write_served(client, site, running.key, sums, different)
    _write_served(client, site, shipped.key, of_shipped, heading)
    without, others = Truth(clicks=0.04, conversion=0.045), Truth()
    parts = [(0, 840, without), (1, 840 * 19, others)]
    _write(client, site, held.key, _summed([_visitors(chance, arm, n, truth) for arm, n, truth in parts]))
    if of_campaign is None:
        return 3
    parts = [(0, 480, Truth(carts=0.08)), (1, 480 * 9, Truth(carts=0.16))]
    _write(client, site, of_campaign.key, _summed([_visitors(chance, arm, n, truth) for arm, n, truth in parts]))
    return 4


def _experiment(
    site: Site, name: str, placement: str, *, began: dt.datetime, arms: tuple[dict[str, Any], ...], **values: Any
) -> Experiment:
    made = Experiment.objects.create(site=site, name=name, status=Experiment.Status.RUNNING, started_at=began, **values)
    made.placements.set(Placement.objects.filter(site=site, name=placement))
    for arm in arms:
        Arm.objects.create(experiment=made, **arm)
    return made


def _end_after(
    experiment: Experiment, truths: list[Truth], *, days: int, daily: int, chance: np.random.Generator
) -> ArmSums:
    """End an experiment after so many days, and return its sums."""
    sums = _note_days(experiment, truths, days=days, daily=daily, chance=chance)
    stop(experiment, _totals(sums), winner=list(experiment.arms.all())[-1])
    assert experiment.started_at is not None
    experiment.ended_at = experiment.started_at + dt.timedelta(days=days)
    experiment.save()
    return sums


def _note_days(
    experiment: Experiment, truths: list[Truth], *, days: int, daily: int, chance: np.random.Generator
) -> ArmSums:
    """Note every day of an experiment, and return the sums at the end."""
    assert experiment.started_at is not None
    sums: ArmSums = {}
    for number in range(days):
        for arm, truth in enumerate(truths):
            take_in(sums, _visitors(chance, arm, int(chance.poisson(daily)), truth))
        note_day(experiment, _totals(sums), (experiment.started_at + dt.timedelta(days=number)).date())
    return sums


def _visitors(chance: np.random.Generator, arm: int, n: int, truth: Truth) -> ArmSums:
    """Return the sums of so many visitors."""
    sums: ArmSums = {}
    lists = 1 + chance.poisson(1.2, n)
    clicks = chance.binomial(8 * lists, truth.clicks)
    buys = chance.random(n) < truth.conversion
    carts = buys | (chance.random(n) < truth.carts)
    taste = chance.standard_normal(n)
    revenue = np.where(buys, truth.order * np.exp(0.5 * taste + 0.5 * chance.standard_normal(n) - 0.25), 0).astype(int)
    before = (chance.random(n) < 0.35).astype(int)
    spent = (before * truth.order * np.exp(0.5 * taste)).astype(int)
    back = np.where(chance.random(n) < 0.22, revenue // 2, 0)
    for number in range(n):
        figures = {
            "lists": int(lists[number]),
            "impressions": 8 * int(lists[number]),
            "clicks": int(clicks[number]),
            "carts": int(carts[number]),
            "orders": int(buys[number]),
            "revenue": int(revenue[number] - back[number]),
            "refunded": int(back[number]),
            "margin": int(revenue[number] - back[number]) * 2 // 5,
            "orders_before": int(before[number]),
            "revenue_before": int(spent[number]),
        }
        take_in(sums, sums_of([arm, 0, *(figures[name] for name in FIGURES)]))
    return sums


def _summed(parts: list[ArmSums]) -> ArmSums:
    sums: ArmSums = {}
    for part in parts:
        take_in(sums, part)
    return sums


def _totals(sums: ArmSums) -> dict[int, ArmTotals]:
    totals: dict[int, ArmTotals] = {}
    for name, amounts in sums.items():
        letter = next((one for one in "rm" if one in name), "")
        arm, _, step = name.partition(letter) if letter else (name, "", "")
        known = totals.setdefault(int(arm), ArmTotals())
        if letter:
            known.take_in_step(letter, int(step), amounts)
        else:
            known.take_in(amounts)
    return totals


def _write_served(client: redis.Redis, site: Site, experiment: str, sums: ArmSums, truths: list[Truth]) -> None:
    """Write how fast the lists of each arm were and how different their items, as web processes count them."""
    chance = np.random.default_rng(SEED)
    counts: dict[str, int] = {}
    for arm, total in _totals(sums).items():
        truth = truths[arm]
        for group, lists in enumerate(chance.multinomial(total.of["lists"], [1 / GROUPS] * GROUPS)):
            spread = 0.15 * chance.standard_normal() / max(float(lists), 1.0) ** 0.5
            counts |= {
                f"{arm}:{group}:lists": int(lists),
                f"{arm}:{group}:slow": int(chance.binomial(lists, truth.slow)),
                f"{arm}:{group}:micros": int(lists * chance.normal(9_000, 300)),
                f"{arm}:{group}:compared": int(lists),
                f"{arm}:{group}:difference": round(1e3 * lists * (truth.difference + spread)),
            }
    key = serving_keys.served(site.slug, experiment)
    with client.pipeline(transaction=True) as pipe:
        pipe.hset(key, mapping={name: str(count) for name, count in counts.items()})
        pipe.expire(key, serving_keys.SERVED.ttl_s)
        pipe.execute()


def _write(client: redis.Redis, site: Site, experiment: str, sums: ArmSums) -> None:
    """Write sums before any worker holds the hash: no reply names the experiment before it is committed."""
    key = keys.arms(0, site.slug, experiment)
    with client.pipeline(transaction=True) as pipe:
        pipe.hset(key, mapping={name: _ENCODE(amounts) for name, amounts in sums.items()})
        pipe.expire(key, keys.ARMS.ttl_s)
        pipe.execute()
