"""Sums of an experiment by arm: the partitions' sums added up."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import msgspec
import redis

from features import keys
from features.state.experiments.sums import OF_ARM, OF_STEP, STEPPED
from features.store.redis_pipe import borrowed, raise_errors

_FIELD: Final = re.compile(r"(\d+)(?:([a-z])(\d+))?")
_DECODE: Final = msgspec.msgpack.Decoder(list[int]).decode


@dataclass(slots=True, kw_only=True)
class ArmTotals:
    """Sums over the users of one arm.

    Attributes
    ----------
    of : dict of str to int
        By the names of ``OF_ARM``; amounts of money in minor units of the site's currency.
    steps : dict of str to dict of int to list of int
        Letter of ``STEPPED`` → step of the amount → sums in the order of ``OF_STEP``.
    """

    of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(OF_ARM, 0))
    steps: dict[str, dict[int, list[int]]] = field(default_factory=lambda: {letter: {} for letter in STEPPED})

    def take_in(self, amounts: list[int]) -> None:
        """Add the sums of a partition."""
        for name, amount in zip(OF_ARM, amounts, strict=False):
            self.of[name] += amount

    def take_in_step(self, letter: str, step: int, amounts: list[int]) -> None:
        """Add the sums of one step of a partition."""
        sums = self.steps.setdefault(letter, {}).setdefault(step, [0] * len(OF_STEP))
        for number, amount in enumerate(amounts[: len(OF_STEP)]):
            sums[number] += amount


def read_arm_sums(client: redis.Redis, site: str, experiment: str, *, partitions: int) -> dict[int, ArmTotals]:
    """Return the sums of each arm that anybody saw; one round trip a partition.

    Raises
    ------
    StoreUnavailable
        Redis is unavailable.
    """
    found: dict[int, ArmTotals] = {}
    for partition in range(partitions):
        key = keys.arms(partition, site, experiment)
        with borrowed(client, key) as pipe:
            answers = pipe.send([("HGETALL", key)])
            raise_errors(client, answers)
        for name, blob in zip(answers[0][::2], answers[0][1::2], strict=True):
            named = _FIELD.fullmatch(name.decode())
            if named is None:
                continue
            totals = found.setdefault(int(named[1]), ArmTotals())
            if named[2]:
                totals.take_in_step(named[2], int(named[3]), _DECODE(blob))
            else:
                totals.take_in(_DECODE(blob))
    return found
