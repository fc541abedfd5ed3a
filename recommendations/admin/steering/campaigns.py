"""Campaigns: rules that begin, end and are switched together."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from recommendations.admin.fields import LocalTimeField, skipped_words
from recommendations.admin.steering.pictures import pictures_of
from recommendations.admin.wording import rule_words
from recommendations.core.local_times import SkippedTime, instant, local_time
from recommendations.models import Campaign
from recommendations.state.placements import has_draft_changes, rule_spec
from tracking.admin.decorators import display
from tracking.models import Site
from tracking.staff.sites import seen
from tracking.templatetags.written import in_zone

MAX_SHOWN = 30


class CampaignForm(forms.ModelForm):  # type: ignore[type-arg]  # only typed stubs are generic
    """A campaign; its times are entered and shown as clocks of the site show them."""

    starts_at = LocalTimeField(
        label=gettext_lazy("Starts at"), required=False, help_text=_("Empty: with the first of its rules.")
    )
    ends_at = LocalTimeField(
        label=gettext_lazy("Ends at"), required=False, help_text=_("Empty: with the last of its rules.")
    )

    class Meta:
        model = Campaign
        fields = ("site", "name", "is_on", "starts_at", "ends_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = self.instance.site if self.instance.site_id else None
        sites = [stored] if stored is not None else list(seen(Site.objects.filter(is_active=True)))
        zones = {site.time_zone for site in sites}
        zone = zones.pop() if len(zones) == 1 else ""
        for name, words in (("starts_at", _("From (%(zone)s)")), ("ends_at", _("Until (%(zone)s)"))):
            field: Any = self.fields[name]
            field.zone = ZoneInfo(zone or "UTC")
            field.label = words % {"zone": zone.replace("_", " ") or gettext("time zone of the site")}

    def clean_starts_at(self) -> dt.datetime | None:
        """Return the moment at which it begins; of two that clocks show alike the first."""
        return self._moment("starts_at", is_last=False)

    def clean_ends_at(self) -> dt.datetime | None:
        """Return the moment at which it ends; of two that clocks show alike the last."""
        return self._moment("ends_at", is_last=True)

    def _moment(self, name: str, *, is_last: bool) -> dt.datetime | None:
        local: dt.datetime | None = self.cleaned_data[name]
        site: Site | None = self.cleaned_data.get("site") or (self.instance.site if self.instance.site_id else None)
        if local is None or site is None:
            return None
        stored: dt.datetime | None = getattr(self.instance, name)
        if stored is not None and local_time(stored, site.zone).replace(microsecond=0) == local:
            return stored  # also of two moments the one that it is
        try:
            return instant(local, site.zone, is_last=is_last)
        except SkippedTime as error:
            raise forms.ValidationError(skipped_words(error)) from error

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Its rules as cards: what each does in pictures and in words, and whether it is served."""
        if self.instance.pk is None:
            return []
        rows = self.instance.rules.select_related("site").prefetch_related("placements").order_by("-priority", "name")
        return [
            {
                "rule": rule,
                "pictures": pictures_of(rule),
                "sentence": rule_words(rule_spec(rule), rule.site.zone),
                "has_changes": has_draft_changes(rule),
            }
            for rule in rows[:MAX_SHOWN]
        ]


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Campaigns of all sites; what is saved holds within two seconds."""

    form = CampaignForm
    change_form_after_template = "admin/recommendations/campaign/rules.html"
    list_display = ("name", "state", "schedule", "n_rules", "updated_at")
    list_filter = ("site", "is_on")
    search_fields = ("name",)
    search_help_text = gettext_lazy("Name")
    fields = ("site", "name", "is_on", "starts_at", "ends_at")
    actions = ("switch_on", "switch_off")
    empty_state = (
        _("No campaigns yet"),
        _("A campaign holds rules that begin and end together, such as a sale. Choose it in each rule's form."),
    )

    class Media:
        css = {"all": ("recommendations/rules.css",)}

    def get_readonly_fields(self, request: HttpRequest, obj: Campaign | None = None) -> tuple[str, ...]:
        """Keep the site: the rules of a campaign are of one site."""
        return ("site",) if obj is not None else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Campaign]:
        """Return campaigns with how many rules they hold."""
        rows: QuerySet[Campaign] = super().get_queryset(request)
        return rows.select_related("site").annotate(
            n_published=Count("rules", filter=Q(rules__published__isnull=False)), n_all=Count("rules")
        )

    @display(description=_("State"), label={"on": "success", "off": "warning"})
    def state(self, campaign: Campaign) -> tuple[str, str]:
        """Return whether its rules are served while its time is."""
        return ("on", gettext("on")) if campaign.is_on else ("off", gettext("off"))

    @display(description=_("When"))
    def schedule(self, campaign: Campaign) -> str:
        """Return when it begins and ends, as clocks of the site show it."""
        zone = campaign.site.zone
        start, end = (in_zone(at, zone) if at is not None else "" for at in (campaign.starts_at, campaign.ends_at))
        if start and end:
            return gettext("from %(start)s until %(end)s") % {"start": start, "end": end}
        if start:
            return gettext("from %(start)s") % {"start": start}
        return gettext("until %(end)s") % {"end": end} if end else gettext("always")

    @display(description=_("Rules"))
    def n_rules(self, campaign: Any) -> str:
        """Return how many rules it holds, and how many of them are published."""
        return gettext("%(published)s of %(all)s published") % {
            "published": campaign.n_published, "all": campaign.n_all,
        }  # fmt: skip

    @admin.action(description=_("Switch on"), permissions=["change"])
    def switch_on(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        """Serve the published rules of these again."""
        self._switch(request, campaigns, is_on=True)

    @admin.action(description=_("Switch off"), permissions=["change"])
    def switch_off(self, request: HttpRequest, campaigns: QuerySet[Campaign]) -> None:
        """Serve none of their rules; they stay published."""
        self._switch(request, campaigns, is_on=False)

    def _switch(self, request: HttpRequest, campaigns: QuerySet[Campaign], *, is_on: bool) -> None:
        for campaign in campaigns:
            campaign.is_on = is_on
            campaign.save(update_fields=["is_on", "updated_at"])
            self.log_change(request, campaign, f"Switched {'on' if is_on else 'off'}.")
        said = gettext("%(n)s switched on; pages follow within 2 s.")
        if not is_on:
            said = gettext("%(n)s switched off; pages follow within 2 s.")
        messages.success(request, said % {"n": len(campaigns)})
