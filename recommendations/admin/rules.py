"""Rules in plain forms: what is saved is a draft, what is published is served."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from recommendations.admin.gate import judge_rule, judge_site
from recommendations.admin.rule_check import check
from recommendations.admin.rule_form import RuleForm
from recommendations.admin.rule_history import history
from recommendations.admin.steering.pictures import pictures_of
from recommendations.admin.suggest import suggest
from recommendations.admin.wording import rule_words, state_words
from recommendations.lint.findings import Finding
from recommendations.models import Placement, Rule
from recommendations.state import placements
from recommendations.state.rule_versions import Kind, record_version
from tracking.admin.decorators import action, display
from tracking.admin.screens import get_or_404
from tracking.models import Site


def _folded(name: Any, unused: Any, fields: tuple[Any, ...], request: HttpRequest, rule: Rule | None) -> Any:
    """Return a part of the form; folded, under a title that says what then holds, while nothing is chosen in it."""
    flat = [each for line in fields for each in (line if isinstance(line, tuple) else (line,))]
    usual, shown = Rule(), rule or Rule()
    is_used = any(each in request.GET or getattr(shown, each) != getattr(usual, each) for each in flat)
    return (name, {"fields": fields}) if is_used else (unused, {"fields": fields, "classes": ("collapse",)})


@admin.register(Rule)
class RuleAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Rules of all sites."""

    class Media:
        css = {"all": ("recommendations/rules.css",)}

    form = RuleForm
    change_form_before_template = "admin/recommendations/rule/beside.html"
    list_display = ("name", "pictures", "in_words", "state", "remark", "priority", "updated_at")
    list_filter = ("site", "action", "placements", "campaign")
    list_filter_submit = True
    list_per_page = 30  # cards with pictures
    search_fields = ("name",)
    search_help_text = gettext_lazy("Name")
    readonly_fields = ("state",)
    actions = ("publish_selected", "withdraw_selected")
    actions_detail = ("show_preview", "show_versions")
    actions_submit_line = ("save_and_publish", "withdraw_rule")
    empty_state = (
        gettext_lazy("No rules yet"),
        gettext_lazy(
            "A rule pins items to a rank, moves them up or down, or keeps them out of lists. It is a "
            "draft until you publish it; two seconds later every page shows it."
        ),
    )
    conditional_fields = {
        "strength": "action == 'boost' || action == 'bury'",
        **dict.fromkeys(("position", "pin_count", "pin_order"), "action == 'pin'"),
        **dict.fromkeys(("at_most", "per"), "action == 'limit'"),
        "replacements": "action == 'replace'",
        "page_price_percent": "page_price == 'within'",
    }

    def get_fieldsets(self, request: HttpRequest, obj: Rule | None = None) -> Any:
        """Return the form in the order in which one says it: what, with which items, for whom, where, when."""
        known = [(None, {"fields": ("state", "opened_revision")})] if obj is not None else []
        return [
            *known,
            (None, {"fields": ("site", "name")}),
            (
                _("What to do"),
                {
                    "fields": (
                        "action", "strength", "position", ("pin_count", "pin_order"), ("at_most", "per"),
                        "replacements", "priority",
                    )
                },
            ),
            (
                _("With which items"),
                {
                    "fields": (
                        "items", "categories", "brands", "tags", ("price_from", "price_to"),
                        ("stock_from", "stock_to"), "condition", "same", "page_price", "page_price_percent",
                    ),
                    "description": _(
                        "The rule targets every item with one of these ids, categories, brands or tags that is within "
                        "the limits of price and stock. Only limits: every item within them."
                    ),
                },
            ),
            _folded(_("What else"), _("What else: nothing"), ("also",), request, obj),
            (_("Where"), {"fields": ("placements", "context_condition", "pages", "queries")}),
            _folded(
                _("For whom"), _("For whom: everybody"),
                ("shoppers", "segments", "devices", ("locales", "countries"), "campaigns"), request, obj,
            ),
            _folded(
                _("When"), _("When: from publishing until it is withdrawn"), ("starts_at", "ends_at", "campaign"),
                request, obj,
            ),
        ]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Rule | None = None) -> tuple[str, ...]:
        """Keep the site: placements and items of a rule are of one site."""
        return (*self.readonly_fields, "site") if obj is not None else self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        """Return rules with what the list shows of them."""
        rules: QuerySet[Rule] = super().get_queryset(request)
        return rules.select_related("site").prefetch_related("placements")

    def get_urls(self) -> list[URLPattern]:
        """Add what is offered while one types."""
        offered = path(
            "suggest/",
            self.admin_site.admin_view(lambda request: suggest(self, request)),
            name="recommendations_rule_suggest",
        )
        checked = path(
            "check/",
            self.admin_site.admin_view(lambda request: check(self, request)),
            name="recommendations_rule_check",
        )
        versions = path(
            "<int:rule_id>/versions/",
            self.admin_site.admin_view(lambda request, rule_id: history(self, request, rule_id)),
            name="recommendations_rule_history_of",
        )
        urls: list[URLPattern] = [offered, checked, versions, *super().get_urls()]
        return urls

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list with what is wrong with each rule that is served, looked up once a site."""
        changelist = super().get_changelist_instance(request)
        rules: list[Rule] = list(changelist.result_list)
        gravest: dict[int, Finding] = {}
        for site in {rule.site for rule in rules if rule.published is not None}:
            for finding in reversed(judge_site(site)):
                gravest.update(dict.fromkeys(finding.rule_ids[:1], finding))
        for rule in rules:
            rule.gravest = gravest.get(rule.pk)  # type: ignore[attr-defined]  # for ``remark``
        changelist.result_list = rules
        return changelist

    @display(description=gettext_lazy("Remark"))
    def remark(self, rule: Rule) -> str:
        """Return the gravest of what is wrong with the rule as it is served."""
        finding: Finding | None = getattr(rule, "gravest", None)
        return finding.problem.label if finding is not None else ""

    @display(description=gettext_lazy("Items"))
    def pictures(self, rule: Rule) -> str:
        """Return pictures of a few of the items that the rule touches, as its form stands."""
        return pictures_of(rule)

    @display(description=gettext_lazy("In words"))
    def in_words(self, rule: Rule) -> str:
        """Return what the rule does, as its form stands."""
        return rule_words(placements.rule_spec(rule), rule.site.zone)

    @display(
        description=gettext_lazy("State"),
        label={
            "draft": "info",
            "published": "success",
            "scheduled": "info",
            "ended": "warning",
            "published, with changes": "warning",
            "scheduled, with changes": "warning",
            "ended, with changes": "warning",
        },
    )
    def state(self, rule: Rule) -> str:
        """Return whether the rule is served, and whether the form says something else."""
        served = next(iter(placements.compiled_rules([rule.published] if rule.published else [])), None)
        return state_words(
            is_published=rule.published is not None,
            has_changes=placements.has_draft_changes(rule),
            spec=served.spec if served is not None else placements.rule_spec(rule),
            now_ms=int(time.time() * 1000),
        )

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Offer to publish a new rule at once, too: unfold shows its buttons for saved ones alone."""
        shown = {**(extra_context or {})}
        if object_id is None:
            shown["actions_submit_line"] = self.get_actions_submit_line(request, 0)
        number = str(object_id)
        site = Site.objects.filter(rules__pk=int(number)).first() if number.isdecimal() else None
        if site is None and len(sites := Site.objects.filter(is_active=True)[:2]) == 1:
            site = sites[0]
        with timezone.override(site.zone if site is not None else None):  # what "Now" and "Today" fill in
            page = super().changeform_view(request, object_id, form_url, shown)
            return page.render() if isinstance(page, SimpleTemplateResponse) else page

    def get_actions_submit_line(self, request: HttpRequest, object_id: int) -> list[Any]:
        """Offer to withdraw only what is published."""
        offered: list[Any] = super().get_actions_submit_line(request, object_id)
        number = str(object_id)  # as the address says it
        if number.isdecimal() and Rule.objects.filter(pk=int(number), published__isnull=False).exists():
            return offered
        return [each for each in offered if "withdraw_rule" not in each.action_name]

    @action(description=gettext_lazy("Preview"), url_path="show-preview", icon="visibility")
    def show_preview(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to the preview of the first placement that the rule is for, drafts included."""
        rule: Rule = get_or_404(self, request, object_id)
        placement = rule.placements.first() or Placement.objects.filter(site=rule.site, is_active=True).first()
        if placement is None:
            messages.warning(request, _("The site has no placement to preview; add one under Placements."))
            return redirect(reverse("admin:recommendations_rule_change", args=[rule.pk]))
        return redirect(reverse("admin:recommendations_placement_preview", args=[placement.pk]) + "?rules=draft")

    @action(description=gettext_lazy("Versions"), url_path="show-versions", icon="history")
    def show_versions(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Go to what was published of the rule, and the way back."""
        return redirect(reverse("admin:recommendations_rule_history_of", args=[object_id]))

    @action(description=gettext_lazy("Save and publish"), permissions=["publish"])
    def save_and_publish(self, request: HttpRequest, rule: Any) -> None:
        """Remember to publish once the placements are saved, too (``save_related``)."""
        rule.after_saving = placements.publish

    @action(description=gettext_lazy("Save and withdraw"), permissions=["publish"])
    def withdraw_rule(self, request: HttpRequest, rule: Any) -> None:
        """Remember to withdraw."""
        rule.after_saving = placements.withdraw

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        """Save the draft under a new revision, with who did it."""
        obj.revision += 1
        obj.updated_by = request.user.get_username()
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        """Delete a rule; its versions and its name stay for the reports."""
        record_version(obj, Kind.DELETED, obj.published, author=request.user.get_username())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Rule]) -> None:
        """Delete several rules; their versions and names stay for the reports."""
        for rule in queryset.select_related("site"):
            record_version(rule, Kind.DELETED, rule.published, author=request.user.get_username())
        super().delete_queryset(request, queryset)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save what the form says of placements, and then do what the button said."""
        super().save_related(request, form, formsets, change)
        rule = form.instance
        after_saving = getattr(rule, "after_saving", None)
        if after_saving is placements.publish:
            placements.publish(rule, author=request.user.get_username())
            self.log_change(request, rule, _("Published."))
            messages.success(
                request, _("“%(rule)s” is published; every process serves it within two seconds.") % {"rule": rule}
            )
            if form.check is not None and form.check.difference is not None and form.check.difference.n_lists:
                messages.info(request, form.check.difference.sentence)
            for finding in form.check.verdict.remarks if form.check is not None else ():
                messages.warning(request, finding.sentence)
        elif after_saving is placements.withdraw:
            placements.withdraw(rule, author=request.user.get_username())
            self.log_change(request, rule, _("Withdrawn."))
            messages.success(request, _("“%(rule)s” is a draft again.") % {"rule": rule})

    @admin.action(description=gettext_lazy("Publish"), permissions=["publish"])
    def publish_selected(self, request: HttpRequest, rules: QuerySet[Rule]) -> None:
        """Serve each chosen rule as its form stands; one that is refused, or wants a confirmation, stays a draft."""
        n_published = 0
        for rule in rules:
            verdict = judge_rule(rule.site, placements.rule_spec(rule))
            if kept_back := [*verdict.refused, *verdict.to_confirm]:
                messages.error(
                    request,
                    _("“%(rule)s” is not published. %(sentence)s Open it to change that.")
                    % {"rule": rule, "sentence": kept_back[0].sentence},
                )
                continue
            placements.publish(rule, author=request.user.get_username())
            self.log_change(request, rule, _("Published."))
            n_published += 1
            for finding in verdict.remarks:
                messages.warning(request, finding.sentence)
        if n_published:
            messages.success(request, _("%(n_published)s published.") % {"n_published": n_published})

    @admin.action(description=gettext_lazy("Withdraw"), permissions=["publish"])
    def withdraw_selected(self, request: HttpRequest, rules: QuerySet[Rule]) -> None:
        """Serve none of the chosen rules."""
        for rule in rules:
            placements.withdraw(rule, author=request.user.get_username())
            self.log_change(request, rule, _("Withdrawn."))
        messages.success(request, _("%(rules)s withdrawn.") % {"rules": len(rules)})
