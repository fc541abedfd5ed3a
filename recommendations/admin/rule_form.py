"""The form of a rule: every combination by choosing, an expression only for what the fields cannot say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.db import connection
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from recommendations.admin.fields import LinesField, LinesWidget, LocalTimeField, clock_words, skipped_words
from recommendations.admin.gate import known_segments
from recommendations.admin.rule_check import RuleCheck, check_form, check_stored
from recommendations.admin.steering.parts import PartsField
from recommendations.admin.typed import understood, vocabulary
from recommendations.admin.wording import differences
from recommendations.core.actions import RuleAction
from recommendations.core.local_times import SkippedTime, instant, instants, local_time
from recommendations.core.pasted import split_ids
from recommendations.core.visit import COUNTRY, LANGUAGE, Device, PageKind
from recommendations.models import Campaign, Placement, Rule
from recommendations.pipeline.rules.base import RuleSpec
from recommendations.state.placements import rule_spec
from tracking.models import Site
from tracking.staff.sites import seen
from tracking.templatetags.written import in_zone

PUBLISH: Final = "recommendations_rule_save_and_publish"
"""The name of the button, as unfold makes it of the action."""

_OF_ONE_ACTION: Final = ("pin_count", "pin_order", "at_most", "per", "page_price", "page_price_percent")
"""Fields that other actions, or other conditions, do not show; what is usual stands for an empty one."""

_TARGETS: Final = (
    "categories", "brands", "tags", "price_from", "price_to", "stock_from", "stock_to", "condition", "same",
    "page_price",
)  # fmt: skip
_USUAL_ALIKE: Final = (
    ("brand", gettext_lazy("the same brand")),
    ("category", gettext_lazy("the same category")),
    ("tags", gettext_lazy("a tag in common")),
)
MAX_ATTRIBUTES: Final = 20
"""Attributes of the shop's own that the form offers for "like the item of the page"."""


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
        js = ("recommendations/check.js", "recommendations/draft.js")

    items = LinesField(
        label=gettext_lazy("Items"),
        required=False,
        widget=LinesWidget(kind="items", placeholder=gettext_lazy("Search by title, brand or item id …")),
        help_text=gettext_lazy(
            "Item ids (SKU), such as SKU-1, in lines or as a spreadsheet has them; a pin keeps their order."
        ),
    )
    categories = LinesField(
        label=gettext_lazy("Categories"),
        required=False,
        widget=LinesWidget(kind="categories", placeholder=gettext_lazy("Search categories …")),
        help_text=gettext_lazy("One a line, by name or path, such as Women > Shoes; categories below it match, too."),
    )
    brands = LinesField(
        label=gettext_lazy("Brands"),
        required=False,
        widget=LinesWidget(kind="brands", placeholder=gettext_lazy("Search brands …")),
        help_text=gettext_lazy("One a line."),
    )
    tags = LinesField(
        label=gettext_lazy("Tags"),
        required=False,
        widget=LinesWidget(kind="tags", placeholder=gettext_lazy("Search tags …")),
        help_text=gettext_lazy("One a line, such as sale or new; an item with any of them matches."),
    )
    placements = PlacementsField(
        Placement.objects.none(),
        label=gettext_lazy("Placements"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("None chosen: every placement of the site."),
    )
    segments = forms.MultipleChoiceField(
        label=gettext_lazy("Segments"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("Only for buyers of these segments (Shoppers → Segments). None chosen: everybody."),
    )

    replacements = LinesField(
        label=gettext_lazy("Replacements"),
        required=False,
        widget=LinesWidget(kind="items", placeholder=gettext_lazy("Search an item to show instead …")),
        help_text=gettext_lazy(
            "Item ids (SKU): the first that can be shown and is not in the list yet takes the place."
        ),
    )
    same = forms.MultipleChoiceField(
        label=gettext_lazy("Like the item of the page"),
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("On pages without an item the rule then does nothing."),
    )
    also = PartsField(
        label=gettext_lazy("Further actions"),
        required=False,
        help_text=gettext_lazy("For the same shoppers, pages and times as the first one."),
    )
    devices = forms.MultipleChoiceField(
        label=gettext_lazy("Devices"),
        required=False,
        choices=Device.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    locales = LinesField(
        label=gettext_lazy("Languages"), required=False, help_text=gettext_lazy("Such as de, or de-AT. Empty: any.")
    )
    countries = LinesField(
        label=gettext_lazy("Countries"), required=False, help_text=gettext_lazy("Two letters, such as AT. Empty: any.")
    )
    campaigns = LinesField(
        label=gettext_lazy("Ad campaigns"),
        required=False,
        help_text=gettext_lazy(
            "The utm_campaign of the address by which they came, such as summer or summer*. Empty: any."
        ),
    )
    queries = LinesField(
        label=gettext_lazy("Searches"),
        required=False,
        help_text=gettext_lazy("Words of the search, such as red shoes: all must be in it."),
    )
    pages = LinesField(
        label=gettext_lazy("Pages"),
        required=False,
        help_text=format_lazy(
            gettext_lazy("Kinds ({kinds}), or paths such as /sale. Empty: any."),
            kinds=", ".join(kind.value for kind in PageKind),
        ),
    )

    opened_revision = forms.IntegerField(label="", required=False, widget=forms.HiddenInput)
    starts_at = LocalTimeField(
        label=gettext_lazy("Starts at"), required=False, help_text=gettext_lazy("Empty: as soon as it is published.")
    )
    ends_at = LocalTimeField(
        label=gettext_lazy("Ends at"), required=False, help_text=gettext_lazy("Empty: until it is withdrawn.")
    )

    class Meta:
        model = Rule
        fields = (
            "site", "name", "action", "strength", "position", "pin_count", "pin_order", "priority", "items",
            "categories", "brands", "tags", "price_from", "price_to", "stock_from", "stock_to", "condition",
            "placements", "shoppers", "segments", "context_condition", "starts_at", "ends_at", "at_most", "per",
            "replacements", "same", "page_price", "page_price_percent", "also", "campaign", "devices", "locales",
            "countries", "campaigns", "queries", "pages",
        )  # fmt: skip
        labels = {
            "condition": gettext_lazy("And by a condition"),
            "context_condition": gettext_lazy("Only on pages of"),
        }
        help_texts = {
            "name": gettext_lazy("What it is for, such as “Winter sale: boots first”. Only staff see it."),
            "strength": gettext_lazy(
                "2 counts an item's score twice (move up) or half (move down); 1 changes nothing."
            ),
            "position": gettext_lazy("Rank of the first item, 1 is the top of the list; further items follow it."),
            "pin_count": gettext_lazy("For a pin by category, brand, tag, price or condition: so many items."),
            "pin_order": gettext_lazy("Which of those that match come first; new ones take over by themselves."),
            "priority": gettext_lazy("0 is usual. Where two rules want the same rank, the higher number wins."),
            "price_from": gettext_lazy("In the shop's currency, such as 20. Empty: no limit."),
            "price_to": gettext_lazy("Such as 49.90."),
            "stock_from": gettext_lazy("Pieces, such as 5. Items without a counted stock do not match."),
            "stock_to": gettext_lazy("Such as 100."),
            "condition": (
                gettext_lazy(
                    'For what the fields cannot say, such as attributes.colour = "moss" and not tags has "sale", '
                    "or margin > 0.3 and price < page.price. Items must match this and the limits above."
                )
            ),
            "context_condition": gettext_lazy(
                'The item whose page it is, such as category under "Cameras". Empty: any page.'
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sites = seen(Site.objects.filter(is_active=True))
        if self.instance.pk is None and len(sites) == 1:
            self.initial.setdefault("site", sites[0].pk)
        shown = Placement.objects.filter(site=self.instance.site) if self.instance.pk else seen(Placement.objects.all())
        self.fields["placements"].queryset = shown.order_by("site", "name")  # type: ignore[attr-defined]
        known = list(dict.fromkeys([*known_segments(), *(self.instance.segments or [])]))
        for name in self.fields.keys() & set(_OF_ONE_ACTION):  # who may only look has none of the model's fields
            self.fields[name].required = False
        campaigns = (
            Campaign.objects.filter(site=self.instance.site) if self.instance.pk else seen(Campaign.objects.all())
        )
        if "campaign" in self.fields:
            self.fields["campaign"].queryset = campaigns  # type: ignore[attr-defined]
        self.fields["same"].choices = self._alike(sites)  # type: ignore[attr-defined]
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

    @property
    def previewed(self) -> dict[str, Any]:
        """What the preview beside the form offers to choose from."""
        site = self.instance.site if self.instance.site_id else None
        rows = (seen(Placement.objects.all()) if site is None else site.placements).filter(is_active=True)
        return {
            "placements": list(dict.fromkeys(rows.order_by("name").values_list("name", flat=True))),
            "segments": known_segments(),
            "devices": Device.choices(),
            "pages": PageKind.choices(),
        }

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
        said = (
            _("Theirs differs from yours in: %(fields)s.") % {"fields": fields}
            if fields
            else _("It says what yours says.")
        )
        self.add_error(
            None,
            _(
                "Not saved: %(value)s has changed this rule since you opened it, at %(updated_at)s. %(said)s "
                "Reload the page to take theirs, or save again to overwrite it with yours."
            )
            % {
                "value": stored.updated_by or "somebody else",
                "updated_at": in_zone(stored.updated_at, stored.site.zone),
                "said": said,
            },
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

    def _alike(self, sites: Iterable[Site]) -> list[tuple[str, str]]:
        """Return the attributes in which items may be like that of the page."""
        site = self.instance.site if self.instance.site_id else next(iter(sites), None)
        own = [] if site is None else [each for each in vocabulary(site).attributes if each.startswith("attributes.")]
        known = [*own[:MAX_ATTRIBUTES], *(each for each in self.instance.same or [] if each not in own)]
        return list(
            dict(
                [
                    *_USUAL_ALIKE,
                    *((name, _("the same %(name)s") % {"name": name.removeprefix("attributes.")}) for name in known),
                ]
            ).items()
        )

    def clean_replacements(self) -> list[str]:
        """Return ids as the catalogue spells them."""
        return understood("items", self.cleaned_data["replacements"], self.site)

    def clean_also(self) -> list[dict[str, Any]]:
        """Return the further actions with names as the catalogue spells them."""
        parts: list[dict[str, Any]] = self.cleaned_data["also"]
        for part in parts:
            for name in ("items", "categories", "brands", "tags", "replacements"):
                if name in part:
                    kind = "items" if name == "replacements" else name
                    part[name] = understood(kind, part[name], self.site)
        return parts

    def clean_at_most(self) -> int:
        """Return how many a limit lets in; the usual number where that is not asked."""
        return self.cleaned_data["at_most"] or Rule().at_most

    def clean_per(self) -> str:
        """Return of what a limit counts; the usual where that is not asked."""
        return self.cleaned_data["per"] or Rule().per

    def clean_page_price_percent(self) -> float:
        """Return within how many percent; the usual number where that is not asked."""
        found = self.cleaned_data["page_price_percent"]
        return Rule().page_price_percent if found is None else float(found)

    def clean_countries(self) -> list[str]:
        """Return country codes in upper case; refuse what is none."""
        codes = [each.upper() for each in split_ids("\n".join(self.cleaned_data["countries"]))]
        for code in codes:
            if not COUNTRY.fullmatch(code):
                raise forms.ValidationError(
                    _("%(code)s is no country code of two letters, such as AT or DE.") % {"code": f"{code!r}"}
                )
        return codes

    def clean_locales(self) -> list[str]:
        """Return language tags; refuse what is none."""
        tags = split_ids("\n".join(self.cleaned_data["locales"]))
        for tag in tags:
            if not LANGUAGE.fullmatch(tag):
                raise forms.ValidationError(_("%(tag)s is no language tag, such as de or de-AT.") % {"tag": f"{tag!r}"})
        return tags

    def clean_pages(self) -> list[str]:
        """Return kinds of pages and paths; refuse what is neither."""
        kinds = [kind.value for kind in PageKind]
        for page in self.cleaned_data["pages"]:
            if not page.startswith("/") and page not in kinds:
                raise forms.ValidationError(
                    _("%(page)s is none of %(kinds)s, nor a path such as /sale.")
                    % {"page": f"{page!r}", "kinds": ", ".join(kinds)}
                )
        return list(self.cleaned_data["pages"])

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
        for name, word in (("starts_at", _("From")), ("ends_at", _("Until"))):
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
            raise forms.ValidationError(skipped_words(error)) from error
        if len(instants(local, zone)) > 1:
            which = "last" if is_last else "first"
            self.notes.append(
                _(
                    "%(local)s comes twice in %(key)s, as the clocks are put back then: the %(which)s counts, "
                    "%(moment)s."
                )
                % {
                    "local": clock_words(local),
                    "key": zone.key,
                    "which": which,
                    "moment": in_zone(moment, zone),
                }
            )
        return moment

    def clean(self) -> dict[str, Any]:
        """Refuse what would not do what it says; each message names its field and the remedy."""
        cleaned: dict[str, Any] = super().clean() or {}
        site = cleaned.get("site") or getattr(self.instance, "site", None)
        for placement in cleaned.get("placements") or ():
            if site is not None and placement.site_id != site.pk:
                self.add_error(
                    "placements",
                    _("%(placement)s belongs to %(site)s; choose those of %(site2)s.")
                    % {"placement": placement.name, "site": placement.site, "site2": site},
                )
        if cleaned.get("action") == RuleAction.PIN and cleaned.get("items"):
            for name in _TARGETS:
                if cleaned.get(name) not in (None, "", []):
                    self.add_error(
                        name,
                        _("A pin takes items, or what they have in common, not both. Empty this, or the items."),
                    )
        campaign = cleaned.get("campaign")
        if campaign is not None and site is not None and campaign.site_id != site.pk:
            self.add_error(
                "campaign",
                _("%(campaign)s belongs to %(site)s; choose one of %(site2)s.")
                % {"campaign": campaign, "site": campaign.site, "site2": site},
            )
        low, high = cleaned.get("stock_from"), cleaned.get("stock_to")
        if low is not None and high is not None and low > high:
            self.add_error(
                "stock_to",
                _("Is less than the stock from %(low)s; give at least %(low)s, or empty one of them.") % {"low": low},
            )
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
            self.add_error(
                None, _("Not published. %(sentence)s Change what it keeps out.") % {"sentence": difference.sentence}
            )
        verdict = self._check.verdict
        for finding in verdict.refused:
            self.add_error(None, _("Not published. %(sentence)s") % {"sentence": finding.sentence})
        if not verdict.refused and verdict.to_confirm and self.confirmed != verdict.token:
            for finding in verdict.to_confirm:
                self.add_error(None, _("Not published yet. %(sentence)s") % {"sentence": finding.sentence})
            self.add_error(None, _("If this is intended, tick “This is intended” beside the form and publish again."))
