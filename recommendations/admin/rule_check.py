"""What a rule does and what is wrong with it, while its form is being filled in: a fragment beside the form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from features.catalogue.items import ItemCard
from recommendations.admin.gate import Verdict, judge_rule, try_rule
from recommendations.admin.steering.beside import Beside, beside
from recommendations.admin.wording import rule_words
from recommendations.core.actions import PinOrder, RuleAction
from recommendations.exceptions import InvalidQuery
from recommendations.filters.relative import on_any_page
from recommendations.models import Rule
from recommendations.pipeline.rules.base import RuleSpec, compile_rule
from recommendations.state.placements import rule_spec
from recommendations.state.site import watch_site
from recommendations.what_if.estimate import ASSUMPTIONS
from recommendations.what_if.replay import Difference
from tracking.admin.screens import get_or_404
from tracking.models import Site

if TYPE_CHECKING:
    from unfold.admin import ModelAdmin

MAX_SHOWN: Final = 4
UNNAMED: Final = gettext_lazy("This rule")
TEMPLATE: Final = "admin/recommendations/rule/check.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCheck:
    """What stands beside the form of a rule.

    Attributes
    ----------
    mistakes : sequence of (str, str)
        Fields that cannot be read, with what is wrong; then nothing else is known.
    notes : sequence of str
        How what was typed is understood, where it could be understood otherwise.
    cards : sequence of ItemCard
        A few of the items that it targets and that can be shown.
    difference : Difference, optional
        What it changes of lists that were really shown in the last hour.
    """

    sentence: str = ""
    mistakes: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    n_targeted: int = 0
    n_shown: int = 0
    cards: Sequence[ItemCard] = ()
    verdict: Verdict = field(default_factory=Verdict)
    difference: Difference | None = None
    beside: Beside | None = None

    @property
    def assumptions(self) -> str:
        """What must hold for the estimate of clicks and revenue."""
        return str(ASSUMPTIONS)


def check_form(form: Any, site: Site | None, *, is_thorough: bool = False) -> RuleCheck | None:
    """Return what a bound form of a rule says; ``None`` while no site is chosen."""
    if site is None:
        return None
    if form.errors:
        names = {name: str(field.label or name) for name, field in form.fields.items()}
        found = [
            (names.get(field, ""), str(error))
            for field, errors in form.errors.items()
            for error in errors
            if field != "name"  # which she types when she has seen what the rule does
        ]
        if found:
            return RuleCheck(mistakes=found)
    try:
        spec = rule_spec(form.instance, chosen=form.cleaned_data.get("placements") or ())
        spec = msgspec.structs.replace(spec, name=spec.name or UNNAMED)
        checked = check_rule(site, spec, is_thorough=is_thorough)
        return replace(checked, notes=form.notes, beside=beside(site, spec, form.data))
    except msgspec.ValidationError as error:
        return RuleCheck(mistakes=[("", str(error))])
    except InvalidQuery as error:
        return RuleCheck(mistakes=[(error.field, _("The condition %(reason)s.") % {"reason": error.reason})])


def check_stored(rule: Rule) -> RuleCheck:
    """Return what a stored rule does as its form stands."""
    try:
        spec = rule_spec(rule)
        return replace(check_rule(rule.site, spec), beside=beside(rule.site, spec, {}))
    except (InvalidQuery, msgspec.ValidationError) as error:  # stored by other means than the form
        return RuleCheck(mistakes=[("", str(error))])


def check_rule(site: Site, spec: RuleSpec, *, is_thorough: bool = False) -> RuleCheck:
    """Return what a rule does and what is wrong with it, were it published now."""
    item_index = watch_site(site.slug).ensure_loaded().item_index
    compiled = compile_rule(spec)
    target = on_any_page(compiled.target) if compiled.is_relative else compiled.target
    targeted = item_index.request_mask(target)
    assert targeted is not None  # without a deadline it is made
    shown = targeted & item_index.catalogue.is_recommendable
    order = spec.pin_order if spec.action == RuleAction.PIN else PinOrder.POPULAR
    best = item_index.rows(spec.items) if spec.items else item_index.best_within("", targeted, order=order)
    rows = best.tolist()
    cards = [card for row in rows[:MAX_SHOWN] if (card := item_index.catalogue.cards[row]) is not None]
    return RuleCheck(
        sentence=rule_words(spec, site.zone),
        n_targeted=int(targeted.sum()),
        n_shown=int(shown.sum()),
        cards=cards,
        verdict=judge_rule(site, spec),
        difference=try_rule(site, spec, is_thorough=is_thorough),
    )


def check(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Answer the fields of the form with the fragment; changes nothing."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    number = request.GET.get("rule", "")
    rule: Rule | None = get_or_404(model_admin, request, int(number)) if number.isdecimal() else None
    if not model_admin.has_view_permission(request, rule):
        raise PermissionDenied
    form = model_admin.get_form(request, rule, change=rule is not None)(request.POST, instance=rule)
    form.is_checked_only = True
    form.full_clean()
    site = rule.site if rule is not None else form.cleaned_data.get("site")
    return render(request, TEMPLATE, {"check": check_form(form, site)})
