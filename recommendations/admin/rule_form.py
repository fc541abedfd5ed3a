"""The form of a rule: every combination by choosing, an expression only for what the fields cannot say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.db import connection
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from recommendations.admin.fields import LinesField, LinesWidget, LocalTimeField
from recommendations.admin.gate import known_segments
from recommendations.admin.rule_check import RuleCheck, check_form, check_stored
from recommendations.admin.typed import understood
from recommendations.admin.wording import differences
from recommendations.core.actions import RuleAction
from recommendations.core.local_times import WRITTEN, SkippedTime, instant, instants, local_time, written
from recommendations.models import Placement, Rule
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.state.placements import rule_spec
from tracking.models import Site

PUBLISH: Final = "recommendations_rule_save_and_publish"
"""The name of the button, as unfold makes it of the action."""

_OF_PIN_ALONE: Final = ("pin_count", "pin_order")
_TARGETS: Final = (
    "categories", "brands", "tags", "price_from", "price_to", "stock_from", "stock_to", "condition",
)  # fmt: skip


class PlacementsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # only typed stubs are generic
    """Placements with the heading that users read."""

    def label_from_instance(self, obj: Any) -> str:
        """Return name and heading."""
        return f"{obj.name} · {obj.heading}" if obj.heading else str(obj.name)


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """A rule in plain fields; one that would empty a list is not published.

    Attributes
    ----------
    is_checked_only : bool
        Whether nobody is saving it: ``rule_check`` looks at it while it is being filled in.
    """

    is_checked_only = False

    class Media:
        js = ("recommendations/check.js",)

    items = LinesField(
        required=False,
        widget=LinesWidget(kind="items", placeholder="Search by title, brand or item id …"),
        help_text="Item ids (SKU), such as SKU-1, in lines or as a spreadsheet has them; a pin keeps their order.",
    )
    categories = LinesField(
        required=False,
        widget=LinesWidget(kind="categories", placeholder="Search categories …"),
        help_text="One a line, by name or path, such as Women > Shoes; categories below it match, too.",
    )
    brands = LinesField(
        required=False,
        widget=LinesWidget(kind="brands", placeholder="Search brands …"),
        help_text="One a line.",
    )
    tags = LinesField(
        required=False,
        widget=LinesWidget(kind="tags", placeholder="Search tags …"),
        help_text="One a line, such as sale or new; an item with any of them matches.",
    )
    placements = PlacementsField(
        Placement.objects.none(),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: every placement of the site.",
    )
    segments = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Only for buyers of these segments (Shoppers → Segments). None chosen: everybody.",
    )

    opened_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)
    starts_at = LocalTimeField(required=False, help_text="Empty: as soon as it is published.")
    ends_at = LocalTimeField(required=False, help_text="Empty: until it is withdrawn.")

    class Meta:
        model = Rule
        fields = (
            "site", "name", "action", "strength", "position", "pin_count", "pin_order", "priority", "items",
            "categories", "brands", "tags", "price_from", "price_to", "stock_from", "stock_to", "condition",
            "placements", "shoppers", "segments", "context_condition", "starts_at", "ends_at",
        )  # fmt: skip
        labels = {
            "condition": "And by a condition",
            "context_condition": "Only on pages of",
        }
        help_texts = {
            "name": "What it is for, such as “Winter sale: boots first”. Only staff see it.",
            "strength": "2 counts an item's score twice (move up) or half (move down); 1 changes nothing.",
            "position": "Rank of the first item, 1 is the top of the list; further items follow it.",
            "pin_count": "For a pin by category, brand, tag, price or condition: so many items.",
            "pin_order": "Which of those that match come first; new ones take over by themselves.",
            "priority": "0 is usual. Where two rules want the same rank, the higher number wins.",
            "price_from": "In the shop's currency, such as 20. Empty: no limit.",
            "price_to": "Such as 49.90.",
            "stock_from": "Pieces, such as 5. Items without a counted stock do not match.",
            "stock_to": "Such as 100.",
            "condition": (
                'For what the fields cannot say, such as attributes.colour = "moss" and not tags has "sale". '
                "Items must match this and the limits above."
            ),
            "context_condition": 'The item whose page it is, such as category under "Cameras". Empty: any page.',
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sites = Site.objects.filter(is_active=True)
        if self.instance.pk is None and len(sites) == 1:
            self.initial.setdefault("site", sites[0].pk)
        shown = Placement.objects.filter(site=self.instance.site) if self.instance.pk else Placement.objects.all()
        self.fields["placements"].queryset = shown.order_by("site", "name")  # type: ignore[attr-defined]
        known = list(dict.fromkeys([*known_segments(), *(self.instance.segments or [])]))
        for name in _OF_PIN_ALONE:  # other actions do not show them
            self.fields[name].required = False
        self.notes: list[str] = []
        self.initial["opened_revision"] = self.instance.revision
        self._show_zone(sites)
        self.fields["segments"].choices = [(name, name) for name in known]  # type: ignore[attr-defined]

    @property
    def site(self) -> Site | None:
        """The site that the rule is of, as far as it is known yet."""
        if self.instance.site_id is not None:
            stored: Site = self.instance.site
            return stored
        chosen: Site | None = getattr(self, "cleaned_data", {}).get("site")
        return chosen

    @property
    def is_publishing(self) -> bool:
        """Whether the button that publishes was pressed."""
        return PUBLISH in self.data

    @property
    def confirmed(self) -> str:
        """The token of the findings that she said are intended."""
        return str(self.data.get("confirms", ""))

    @property
    def check(self) -> RuleCheck | None:
        """What the rule does and what is wrong with it; ``None`` where nothing is filled in yet."""
        if self.is_bound:
            return self._check
        return check_stored(self.instance) if self.instance.pk else None

    def _tell_of_others(self) -> None:
        """Refuse to overwrite what somebody else has saved since the form was opened, and say who and what.

        The row is locked until the request has saved it, where the database locks rows. A form that is sent again
        overwrites: it was told.
        """
        opened = self.cleaned_data.get("opened_revision")
        if opened is None or self.instance.pk is None:
            return
        rows = Rule.objects.select_for_update() if connection.in_atomic_block else Rule.objects
        stored = rows.filter(pk=self.instance.pk).first()
        if stored is None or stored.revision == opened:
            return
        changes = differences(rule_spec(stored), self._spec(), stored.site.zone)
        fields = ", ".join(change.field for change in changes)
        said = f"Theirs differs from yours in: {fields}." if fields else "It says what yours says."
        self.add_error(
            None,
            f"Not saved: {stored.updated_by or 'somebody else'} has changed this rule since you opened it, at "
            f"{written(stored.updated_at, stored.site.zone)}. {said} Reload the page to take theirs, or save again to "
            "overwrite it with yours.",
        )
        sent: Any = self.data
        self.data = sent.copy()
        self.data["opened_revision"] = str(stored.revision)  # type: ignore[index]  # a QueryDict

    def _spec(self) -> RuleSpec:
        return rule_spec(self.instance, chosen=self.cleaned_data.get("placements") or ())

    def clean_items(self) -> list[str]:
        """Return ids as the catalogue spells them."""
        return understood("items", self.cleaned_data["items"], self.site)

    def clean_categories(self) -> list[str]:
        """Return categories as the catalogue spells them."""
        return understood("categories", self.cleaned_data["categories"], self.site)

    def clean_brands(self) -> list[str]:
        """Return brands as the catalogue spells them."""
        return understood("brands", self.cleaned_data["brands"], self.site)

    def clean_tags(self) -> list[str]:
        """Return tags, each once."""
        return understood("tags", self.cleaned_data["tags"], self.site)

    def clean_pin_count(self) -> int:
        """Return how many items a pin takes; the usual number where that is not asked."""
        return self.cleaned_data["pin_count"] or Rule().pin_count

    def clean_pin_order(self) -> str:
        """Return which items a pin takes first; the usual order where that is not asked."""
        return self.cleaned_data["pin_order"] or Rule().pin_order

    def clean_starts_at(self) -> dt.datetime | None:
        """Return the moment at which the rule begins; of two that clocks show alike the first."""
        return self._moment("starts_at", is_last=False)

    def clean_ends_at(self) -> dt.datetime | None:
        """Return the moment at which the rule ends; of two that clocks show alike the last."""
        return self._moment("ends_at", is_last=True)

    def _show_zone(self, sites: Iterable[Site]) -> None:
        """Show and name times in the zone of the site; of several sites it is known once one is chosen."""
        zones = {self.instance.site.time_zone} if self.instance.site_id else {site.time_zone for site in sites}
        zone = zones.pop() if len(zones) == 1 else ""
        for name, word in (("starts_at", "From"), ("ends_at", "Until")):
            field: Any = self.fields[name]
            field.zone = ZoneInfo(zone or "UTC")
            field.label = f"{word} ({zone.replace('_', ' ') or 'time zone of the site'})"

    def _moment(self, name: str, *, is_last: bool) -> dt.datetime | None:
        local: dt.datetime | None = self.cleaned_data[name]
        if local is None or self.site is None:
            return None
        zone = self.site.zone
        stored: dt.datetime | None = getattr(self.instance, name)
        if stored is not None and local_time(stored, zone).replace(microsecond=0) == local:
            return stored  # also of two moments the one that it is
        try:
            moment = instant(local, zone, is_last=is_last)
        except SkippedTime as error:
            raise forms.ValidationError(str(error)) from error
        if len(instants(local, zone)) > 1:
            which = "last" if is_last else "first"
            self.notes.append(
                f"{local:{WRITTEN}} comes twice in {zone.key}, as the clocks are put back then: "
                f"the {which} counts, {written(moment, zone)}."
            )
        return moment

    def clean(self) -> dict[str, Any]:
        """Refuse what would not do what it says; each message names its field and the remedy."""
        cleaned: dict[str, Any] = super().clean() or {}
        site = cleaned.get("site") or getattr(self.instance, "site", None)
        for placement in cleaned.get("placements") or ():
            if site is not None and placement.site_id != site.pk:
                self.add_error("placements", f"{placement.name} belongs to {placement.site}; choose those of {site}.")
        if cleaned.get("action") == RuleAction.PIN and cleaned.get("items"):
            for name in _TARGETS:
                if cleaned.get(name) not in (None, "", []):
                    self.add_error(
                        name,
                        "A pin takes items, or what they have in common, not both. Empty this, or the items.",
                    )
        low, high = cleaned.get("stock_from"), cleaned.get("stock_to")
        if low is not None and high is not None and low > high:
            self.add_error("stock_to", f"Is less than the stock from {low}; give at least {low}, or empty one of them.")
        return cleaned

    def _post_clean(self) -> None:
        """Look at the rule as a whole, once its fields are understood; a rule that empties a list is not published."""
        super()._post_clean()  # type: ignore[misc]  # Django's own step after clean(), which the stubs leave out
        if not self.is_checked_only and not self.errors:
            self._tell_of_others()
        is_published = self.is_publishing and not self.is_checked_only
        self._check = check_form(self, self.site, is_thorough=is_published)
        if not is_published or self.errors or self._check is None:
            return
        difference = self._check.difference
        if difference is not None and difference.n_emptied:
            self.add_error(None, f"Not published. {difference.sentence} Change what it keeps out.")
        verdict = self._check.verdict
        for finding in verdict.refused:
            self.add_error(None, f"Not published. {finding.sentence}")
        if not verdict.refused and verdict.to_confirm and self.confirmed != verdict.token:
            for finding in verdict.to_confirm:
                self.add_error(None, f"Not published yet. {finding.sentence}")
            self.add_error(None, "If this is intended, tick “This is intended” beside the form and publish again.")
