"""Which rules apply to a list, looked up by audience, and what they do to its rows: thousands are asked together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import count
from typing import Final, NamedTuple, overload

import numpy as np

from recommendations.core.actions import RuleAction
from recommendations.core.types import Mask, Ranked, RequestUser, RowArray
from recommendations.core.visit import NO_VISIT, Visit
from recommendations.filters.language import Condition
from recommendations.filters.relative import on_page
from recommendations.filters.targets import whole_of
from recommendations.items.index import AGE, ON_PAGE, ItemIndex
from recommendations.pipeline.rules import registry
from recommendations.pipeline.rules.base import AUDIENCE_FIELDS, ActiveRule, CompiledRule, RuleSpec, applies, key_of
from recommendations.pipeline.rules.together import WORD, Together, bits_of, numbers_of, products_of, table_of_products

MANY: Final = 6
"""Rules of a list that move or keep out items; more of them are asked together."""

MAX_KEPT: Final = 512
"""Different sets of rules that apply together, of one placement."""


class Part(NamedTuple):
    """One action of a rule; ``number`` is its bit where many are asked together, -1 where it has none."""

    rule: CompiledRule
    number: int


class _Audience(NamedTuple):
    """For whom, when and where some rules hold; ``spec`` is one of theirs, ``parts`` have their place in the order."""

    spec: RuleSpec
    context: Condition | None
    parts: tuple[tuple[int, Part], ...]


class _Applying:
    """Actions of rules that apply together, whatever the catalogue; made once for all lists that they apply to."""

    def __init__(self, parts: Iterable[Part], n_words: int) -> None:
        self.parts = tuple(parts)
        self.of_action: dict[RuleAction, list[Part]] = {}
        for part in self.parts:
            self.of_action.setdefault(part.rule.spec.action, []).append(part)
        self.filters = [part for part in self.parts if part.rule.spec.action in registry.FILTERS]
        self.filter_keys = frozenset((part.rule.spec.action, part.rule.key) for part in self.filters)
        self.moving = [part for part in self.parts if part.rule.spec.action in registry.MOVING]
        self.is_many = len(self.filters) + len(self.moving) > MANY
        if self.is_many:
            self.filter_bits = {
                action: bits_of((part.number for part in found if part.number >= 0), n_words)
                for action, found in self.of_action.items()
                if action in registry.FILTERS
            }
            factors = np.ones(n_words * WORD, np.float32)
            for part in self.moving:
                if part.number >= 0:
                    spec = part.rule.spec
                    factors[part.number] = registry.ACTIONS[spec.action].factor(spec)
            self.products = table_of_products(factors)
            self.rule_of = {part.number: part.rule.spec.rule_id for part in self.moving}
            self.moving_ids = list(dict.fromkeys(part.rule.spec.rule_id for part in self.moving))
            self.moving_bits = bits_of((part.number for part in self.moving if part.number >= 0), n_words)


class Maker:
    """Makes the table of a placement's rules for a catalogue; ``ItemIndex.made`` keeps it."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self._conditions = conditions

    def make(self, item_index: ItemIndex) -> Together:
        """Return the table; without conditions that change while the catalogue stays the same."""
        return Together(self._conditions, item_index, leaves_out=frozenset({AGE}))


class Rules(tuple[CompiledRule, ...]):
    """The rules of a placement, highest priority first, and an index of them by audience."""

    def without(self, rule_ids: frozenset[int]) -> Rules:
        """Return the rules but for some; made once for each of a few sets."""
        if rule_ids not in self._without:
            if len(self._without) >= MAX_KEPT:
                self._without.clear()
            self._without[rule_ids] = Rules(rule for rule in self if rule.spec.rule_id not in rule_ids)
        return self._without[rule_ids]

    def active(
        self,
        user: RequestUser,
        item_index: ItemIndex,
        *,
        page_row: int | None,
        now_ms: int,
        visit: Visit = NO_VISIT,
    ) -> ActiveRules:
        """Return the actions of the rules that apply to a list, in the order of priority, with what they target.

        An action that is relative to the page's item does nothing where the page has none: it neither targets every
        item nor keeps all of them out.
        """
        key = tuple(
            number
            for number in self._possible(user.segments)
            if (audience := self._audiences[number])
            and applies(audience.spec, user=user, now_ms=now_ms, visit=visit)
            and (audience.context is None or _is_there(audience, item_index, page_row))
        )
        applying = self._kept.get(key)
        if applying is None:
            parts = sorted(pair for number in key for pair in self._audiences[number].parts)
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            applying = self._kept[key] = _Applying((part for _, part in parts), self._n_words)
        return ActiveRules(applying, item_index, page_row, self._maker)

    def warm(self, item_index: ItemIndex) -> None:
        """Make the table of many rules now, so that the first list with them does not wait for it."""
        if sum(part.number >= 0 for parts in self._parts for part in parts) > MANY:
            item_index.made(self._maker)

    def _possible(self, segments: frozenset[str]) -> Iterable[int]:
        """Return the audiences that a user of these segments may belong to."""
        by_segment = self._by_segment
        if not segments or len(by_segment) == 1:
            return by_segment[""]
        return [*by_segment[""], *sorted({number for each in segments for number in by_segment.get(each, ())})]

    @cached_property
    def _parts(self) -> list[list[Part]]:
        """The actions of each rule; of those that ask of many rows, what is the same on all pages has a bit."""
        numbers = count()
        return [
            [
                Part(part, next(numbers) if part.spec.action in registry.OF_MANY and not part.is_relative else -1)
                for part in rule.parts
            ]
            for rule in self
        ]

    @cached_property
    def _maker(self) -> Maker:
        return Maker([part.rule.target for parts in self._parts for part in parts if part.number >= 0])

    @cached_property
    def _n_words(self) -> int:
        return max(-(-sum(part.number >= 0 for parts in self._parts for part in parts) // WORD), 1)

    @cached_property
    def _audiences(self) -> list[_Audience]:
        same: dict[tuple[object, ...], list[int]] = {}
        for number, rule in enumerate(self):
            same.setdefault(tuple(getattr(rule.spec, name) for name in AUDIENCE_FIELDS), []).append(number)
        order = count()
        ordered = [[(next(order), part) for part in parts] for parts in self._parts]
        return [
            _Audience(
                spec=self[numbers[0]].spec,
                context=self[numbers[0]].context,
                parts=tuple(pair for number in numbers for pair in ordered[number]),
            )
            for numbers in same.values()
        ]

    @cached_property
    def _by_segment(self) -> dict[str, list[int]]:
        """The audiences of each segment; under the empty name those of no certain one."""
        found: dict[str, list[int]] = {"": []}
        for number, audience in enumerate(self._audiences):
            for segment in audience.spec.segments or ("",):
                found.setdefault(segment, []).append(number)
        return found

    @cached_property
    def _kept(self) -> dict[tuple[int, ...], _Applying]:
        return {}

    @cached_property
    def _without(self) -> dict[frozenset[int], Rules]:
        return {}


def _is_there(audience: _Audience, item_index: ItemIndex, page_row: int | None) -> bool:
    """Return whether the page's item is one that an audience is to be on."""
    if page_row is None or audience.context is None:
        return False
    key = f"context:{audience.spec.context_condition}"
    return bool(item_index.targets(key, audience.context).take([page_row])[0])


class ActiveRules(Sequence[ActiveRule]):
    """The actions that apply to one list, in the order of priority, with what they target."""

    def __init__(self, applying: _Applying, item_index: ItemIndex, page_row: int | None, maker: Maker) -> None:
        self._applying = applying
        self._item_index = item_index
        self._page_row = page_row
        self._maker = maker

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> ActiveRule: ...
    @overload
    def __getitem__(self, index: slice) -> list[ActiveRule]: ...
    def __getitem__(self, index: int | slice) -> ActiveRule | list[ActiveRule]:
        return self._all[index]

    def of(self, action: RuleAction) -> list[ActiveRule]:
        """Return the actions of one kind."""
        parts = self._applying.of_action.get(action)
        return self._here(parts) if parts else []

    @cached_property
    def filters(self) -> list[ActiveRule]:
        """Those that decide which rows may be listed."""
        return self._here(self._applying.filters)

    def allowed(self, rows: RowArray) -> Mask | None:
        """Return which of some rows every kind of filter leaves; None where there is no filter."""
        applying = self._applying
        if not applying.filters:
            return None
        if not applying.is_many:
            return registry.allowed(self.filters, lambda mask: mask.take(rows))
        bits = self._table.of(rows)
        together: dict[RuleAction, Mask] = {
            action: np.any(bits & line, axis=1) for action, line in applying.filter_bits.items()
        }
        return registry.allowed(
            self._here(self._alone(applying.filters)), lambda mask: mask.take(rows), targeted=together
        )

    def keeps_out_as(self, other: ActiveRules) -> bool:
        """Return whether the very same items are kept out by the rules of another list of the same page."""
        ours, theirs = self._applying, other._applying
        return ours is theirs or ours.filter_keys == theirs.filter_keys

    def allowed_of_all(self) -> Mask | None:
        """Return which rows of the catalogue every kind of filter leaves; None where there is no filter."""
        return registry.allowed(self.filters, whole_of)

    def with_boosts(self, ranked: Ranked) -> tuple[Ranked, list[int]]:
        """Return the candidates with their scores multiplied, and the ids of rules that changed one."""
        applying = self._applying
        if not applying.moving or not len(ranked):
            return ranked, []
        if not applying.is_many:
            return registry.with_boosts(ranked, self._here(applying.moving))
        bits = self._table.of(ranked.rows) & applying.moving_bits
        numbers = numbers_of(np.bitwise_or.reduce(bits, axis=0))
        if numbers:
            with np.errstate(over="ignore", under="ignore"):  # of hundreds of boosts the product is endless, as before
                scores = ranked.scores * products_of(bits, applying.products)
            ranked = Ranked(rows=ranked.rows, scores=scores)
        used = [applying.rule_of[number] for number in numbers]
        alone = self._here(self._alone(applying.moving))
        if not alone:
            return ranked, used
        ranked, used_alone = registry.with_boosts(ranked, alone)
        found = {*used, *used_alone}
        return ranked, [rule_id for rule_id in applying.moving_ids if rule_id in found]

    @cached_property
    def _all(self) -> list[ActiveRule]:
        return self._here(self._applying.parts)

    @cached_property
    def _table(self) -> Together:
        return self._item_index.made(self._maker)

    def _alone(self, parts: Iterable[Part]) -> list[Part]:
        """Return the actions that the table does not hold."""
        others = self._table.others
        return [part for part in parts if part.number < 0 or part.number in others]

    def _here(self, parts: Iterable[Part]) -> list[ActiveRule]:
        """Return actions with what they target on this page; without those that are relative to an item it has not."""
        targets = self._item_index.targets
        found = []
        for rule, _ in parts:
            target, key = rule.target, rule.key
            if rule.is_relative:
                if self._page_row is None:
                    continue
                target = on_page(target, self._item_index, self._page_row)
                key = key_of(target, begin=ON_PAGE)
            found.append(ActiveRule(spec=rule.spec, mask=targets(key, target), key=key))
        return found
