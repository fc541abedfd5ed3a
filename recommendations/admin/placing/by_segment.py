"""Another strategy for members of a segment, chosen in pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from recommendations.core.strategies import STRATEGIES, strategy_choices

Pair = tuple[str, str]

SEGMENT: Final = "_segment"
STRATEGY: Final = "_strategy"
"""What the names of a row's two choices end with; every row's are alike, in the order of the rows."""


class BySegmentWidget(forms.Widget):
    """A row of two choices for each pair, and an empty one. A script adds another as soon as that is used.

    Parameters
    ----------
    segments : callable
        Returns the names of the segments that there are.
    """

    class Media:
        js = ("recommendations/by_segment.js",)

    def __init__(self, segments: Callable[[], Sequence[str]]) -> None:
        super().__init__()
        self.segments = segments

    def id_for_label(self, id_: str) -> str:
        """Return the id of the first choice."""
        return f"{id_}{SEGMENT}_0"

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[Pair]:
        """Return the pairs of all rows, the empty ones among them."""
        segments, strategies = (_all_of(data, name + suffix) for suffix in (SEGMENT, STRATEGY))
        return list(zip(segments, strategies, strict=False))

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        """Return whether the form had no such rows."""
        return name + SEGMENT not in data

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        """Return the rows as HTML."""
        pairs = [*_filled(value), ("", "")]
        known = self.segments()
        strategies = [(each, _(label)) for each, label in strategy_choices()]
        rows = [
            (
                self._choice(name + SEGMENT, number, [*known, *({segment} - {"", *known})], segment, _("Segment")),
                self._choice(name + STRATEGY, number, strategies, strategy, _("Strategy")),
            )
            for number, (segment, strategy) in enumerate(pairs)
        ]
        return render_to_string("admin/recommendations/placement/by_segment.html", {"rows": rows})

    @staticmethod
    def _choice(name: str, number: int, choices: Sequence[str] | Sequence[Pair], chosen: str, label: str) -> Any:
        pairs = [(each, each) if isinstance(each, str) else each for each in choices]
        select = UnfoldAdminSelectWidget(choices=[("", f"{label} …"), *pairs], attrs={"aria-label": label})
        return select.render(name, chosen, attrs={"id": f"id_{name}_{number}"})


class BySegmentField(forms.Field):
    """Strategies by segment: its clean value is ``{segment: strategy}``."""

    default_error_messages = {
        "half": gettext_lazy("A row has a segment or a strategy alone. Choose both, or neither."),
        "twice": gettext_lazy("%(segment)s stands in two rows. Keep one of them."),
        "unknown": gettext_lazy("“%(strategy)s” is no strategy. Strategies: %(STRATEGIES)s."),
    }

    def __init__(self, *, segments: Callable[[], Sequence[str]], **kwargs: Any) -> None:
        super().__init__(widget=BySegmentWidget(segments), **kwargs)

    def to_python(self, value: Any) -> dict[str, str]:
        """Return the rows that are filled."""
        found: dict[str, str] = {}
        for segment, strategy in _filled(value):
            if not segment or not strategy:
                raise ValidationError(self.error_messages["half"], code="half")
            if segment in found:
                raise ValidationError(self.error_messages["twice"], code="twice", params={"segment": segment})
            if strategy not in STRATEGIES:
                raise ValidationError(
                    self.error_messages["unknown"],
                    code="unknown",
                    params={"strategy": strategy, "STRATEGIES": ", ".join(STRATEGIES)},
                )
            found[segment] = strategy
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the pairs differ; PostgreSQL keeps no order of them."""
        return sorted(_filled(initial)) != sorted(_filled(data))


def _filled(value: Any) -> list[Pair]:
    pairs = value.items() if isinstance(value, dict) else value or ()
    return [(str(segment).strip(), str(strategy)) for segment, strategy in pairs if segment or strategy]


def _all_of(data: Mapping[str, Any], name: str) -> list[str]:
    if isinstance(data, MultiValueDict):
        return [str(each) for each in data.getlist(name)]
    found = data.get(name, ())
    return [found] if isinstance(found, str) else list(found)
