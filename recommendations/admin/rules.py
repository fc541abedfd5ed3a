"""Rules in plain forms: what is saved is a draft, what is published is served."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from recommendations import placements
from recommendations.admin.fields import LinesField
from recommendations.models import Rule
from tracking.admin.decorators import action, display

LINES = ("items", "categories", "brands", "tags", "segments")


@admin.register(Rule)
class RuleAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Rules of all sites."""

    list_display = ("name", "action_name", "where", "state", "priority", "starts_at", "ends_at")
    list_filter = ("site", "action", "placements")
    search_fields = ("name",)
    filter_horizontal = ("placements",)
    readonly_fields = ("state", "published_at")
    actions = ("publish_selected", "withdraw_selected")
    actions_submit_line = ("save_and_publish", "withdraw_rule")
    fieldsets = (
        (None, {"fields": ("site", "name", "state", "published_at")}),
        ("What to do", {"fields": ("action", "strength", "position", "priority")}),
        (
            "With which items",
            {
                "fields": (
                    "items",
                    "categories",
                    "brands",
                    "tags",
                    ("price_from", "price_to"),
                    ("stock_from", "stock_to"),
                    "condition",
                ),
                "description": "Items that are named by id, category, brand or tag, as far as the limits allow.",
            },
        ),
        ("For whom and where", {"fields": ("placements", "shoppers", "segments", "context_condition")}),
        ("When", {"fields": ("starts_at", "ends_at")}),
    )

    def formfield_for_dbfield(self, db_field: models.Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """Show lists as lines."""
        if db_field.name in LINES:
            return LinesField(label=db_field.verbose_name, help_text=db_field.help_text, required=False)
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Rule]:
        """Return rules with what the list shows of them."""
        rules: QuerySet[Rule] = super().get_queryset(request)
        return rules.select_related("site").prefetch_related("placements")

    @display(description="Does", ordering="action")
    def action_name(self, rule: Rule) -> str:
        """Return what the rule does, in words."""
        return rule.get_action_display()

    @display(description="Placements")
    def where(self, rule: Rule) -> str:
        """Return where it applies."""
        return ", ".join(placement.name for placement in rule.placements.all()) or "every placement"

    @display(description="State", label={"draft": "info", "published": "success", "published, with changes": "warning"})
    def state(self, rule: Rule) -> str:
        """Return whether the rule is served, and whether the form says something else."""
        if rule.pk is None or rule.published is None:
            return "draft"
        return "published, with changes" if placements.has_draft_changes(rule) else "published"

    @action(description="Save and publish")
    def save_and_publish(self, request: HttpRequest, rule: Any) -> None:
        """Remember to publish once the placements are saved, too (``save_related``)."""
        rule.after_saving = placements.publish

    @action(description="Save and withdraw")
    def withdraw_rule(self, request: HttpRequest, rule: Any) -> None:
        """Remember to withdraw."""
        rule.after_saving = placements.withdraw

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save what the form says of placements, and then do what the button said."""
        super().save_related(request, form, formsets, change)
        rule = form.instance
        after_saving = getattr(rule, "after_saving", None)
        if after_saving is placements.publish:
            placements.publish(rule)
            self.log_change(request, rule, "Published.")
            messages.success(request, f"“{rule}” is published; every process serves it within two seconds.")
        elif after_saving is placements.withdraw:
            placements.withdraw(rule)
            self.log_change(request, rule, "Withdrawn.")
            messages.success(request, f"“{rule}” is a draft again.")

    @admin.action(description="Publish", permissions=["change"])
    def publish_selected(self, request: HttpRequest, rules: QuerySet[Rule]) -> None:
        """Serve each chosen rule as its form stands."""
        for rule in rules:
            placements.publish(rule)
            self.log_change(request, rule, "Published.")
        messages.success(request, f"{len(rules)} published.")

    @admin.action(description="Withdraw", permissions=["change"])
    def withdraw_selected(self, request: HttpRequest, rules: QuerySet[Rule]) -> None:
        """Serve none of the chosen rules."""
        for rule in rules:
            placements.withdraw(rule)
            self.log_change(request, rule, "Withdrawn.")
        messages.success(request, f"{len(rules)} withdrawn.")
