"""The further actions of a rule as fields of its form: one group of inputs an action, and one more to add another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from recommendations.core.actions import LimitPer, PinOrder, RuleAction
from recommendations.core.pasted import split_ids, split_names
from recommendations.exceptions import InvalidQuery
from recommendations.filters import language
from recommendations.pipeline.rules.base import MAX_ALSO, RulePart, has_target
from recommendations.pipeline.rules.registry import ACTIONS

LISTS: Final = ("items", "categories", "brands", "tags", "replacements")
NUMBERS: Final = ("strength", "position", "pin_count", "at_most")
TEXTS: Final = ("condition", "pin_order", "per")
NEEDS_TARGET: Final = frozenset({RuleAction.PIN, RuleAction.EXCLUDE, RuleAction.INCLUDE_ONLY, RuleAction.REPLACE})


class PartsWidget(forms.Widget):
    """Inputs named ``<name>-<number>-<field>``; a group without an action counts as not there."""

    template_name = "admin/recommendations/rule/parts.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        """Return the groups as the template draws them."""
        context = super().get_context(name, value, attrs)
        parts = [part for part in value or () if isinstance(part, Mapping)]
        groups = [*parts, {}][:MAX_ALSO]
        context["groups"] = [
            {
                "prefix": f"{name}-{number}",
                **{field: part.get(field, "") for field in (*NUMBERS, *TEXTS, "action")},
                **{field: _lines(part.get(field)) for field in LISTS},
            }
            for number, part in enumerate(groups)
        ]
        context |= {"actions": RuleAction.choices(), "orders": PinOrder.choices(), "per": LimitPer.choices()}
        return context

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Return the groups as HTML; Django's own renderer of forms does not look into the project's templates."""
        return render_to_string(self.template_name, self.get_context(name, value, attrs))

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[dict[str, Any]]:
        """Return what was sent, group by group, as texts."""
        found = []
        for number in range(MAX_ALSO):
            action = data.get(f"{name}-{number}-action")
            if action:
                fields = (*NUMBERS, *TEXTS, *LISTS)
                said = {field: str(data.get(f"{name}-{number}-{field}", "")).strip() for field in fields}
                found.append({"action": action, **{field: text for field, text in said.items() if text}})
        return found

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Return False: a form without further actions has none."""
        return False


class PartsField(forms.Field):
    """Further actions, as ``RulePart`` holds them; a clean value is a list of dictionaries for the database."""

    widget = PartsWidget

    def __init__(self, **kwargs: Any) -> None:
        for name in ("encoder", "decoder"):  # what a model's JSON field offers
            kwargs.pop(name, None)
        super().__init__(**kwargs)

    def clean(self, value: Any) -> list[dict[str, Any]]:
        """Return the actions; each message says which of them it is about, and the remedy."""
        found = []
        for number, said in enumerate(value or (), start=2):
            try:
                found.append(_clean_part(said))
            except forms.ValidationError as error:
                raise forms.ValidationError(
                    [
                        _("Action %(number)s: %(message)s") % {"number": number, "message": message}
                        for message in error.messages
                    ]
                ) from error
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Return whether the actions differ."""
        try:
            return bool((initial or []) != self.clean(data))
        except forms.ValidationError:
            return True


def _clean_part(said: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = dict(said)
    for name in LISTS:
        if isinstance(values.get(name), str):
            text = values[name]
            values[name] = split_ids(text) if name in ("items", "replacements") else split_names(text)
    for name in NUMBERS:
        if isinstance(values.get(name), str):
            try:
                values[name] = float(values[name]) if name == "strength" else int(values[name])
            except ValueError as error:
                raise forms.ValidationError(
                    _("%(name)s %(values)s is not a number.")
                    % {"name": name.replace("_", " "), "values": f"{values[name]!r}"}
                ) from error
    try:
        part = msgspec.convert(values, RulePart)
    except msgspec.ValidationError as error:
        raise forms.ValidationError(_("%(error)s; choose one of those offered.") % {"error": error}) from error
    if part.action in NEEDS_TARGET and not has_target(part):
        raise forms.ValidationError(_("Name its items, by id, category, brand, tag or condition."))
    if not 1.0 <= part.strength <= 100.0:
        raise forms.ValidationError(
            _("The strength %(strength)s is not from 1 to 100.") % {"strength": f"{part.strength:g}"}
        )
    if not (1 <= part.position <= 100 and 1 <= part.pin_count <= 20 and 1 <= part.at_most <= 100):
        raise forms.ValidationError(_("Ranks and limits are from 1 to 100, and a pin takes from 1 to 20 items."))
    for _field, problem in ACTIONS[part.action].problems(part):
        raise forms.ValidationError(problem)
    if part.condition:
        try:
            language.parse(part.condition, allows_page=True)
        except InvalidQuery as error:
            raise forms.ValidationError(_("The condition %(reason)s.") % {"reason": error.reason}) from error
    kept: dict[str, Any] = msgspec.to_builtins(part)
    usual = msgspec.to_builtins(RulePart(action=part.action))
    said = {name: list(each) if isinstance(each, tuple) else each for name, each in kept.items() if each != usual[name]}
    return {"action": kept["action"], **said}


def _lines(value: Any) -> str:
    return "\n".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")
