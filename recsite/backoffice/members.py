"""Who of the staff may do what on which site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from tracking.models import Membership
from tracking.staff.roles import ROLES
from tracking.staff.sites import sees_everything, sites_of


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Members of sites: an owner of a site chooses among the ready roles, a superuser among all groups."""

    list_display = ("user", "site", "role", "is_managed", "created_at")
    list_filter = ("site", "role")
    search_fields = ("user__username", "user__email")
    list_select_related = ("user", "site", "role")
    readonly_fields = ("is_managed", "created_at")
    empty_state = (_("No members yet"), _("Whoever is no superuser sees the sites that they are a member of."))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer owners the ready roles, which give no more than they have, and no names of other sites' staff."""
        if db_field.name == "role" and not sees_everything(request.user):
            kwargs["queryset"] = Group.objects.filter(name__in=ROLES)
        if db_field.name == "user" and not sees_everything(request.user):
            of_others = Membership.objects.exclude(site__in=sites_of(request.user)).values("user")
            people = db_field.related_model.objects.filter(is_staff=True, is_superuser=False)
            kwargs["queryset"] = people.exclude(pk__in=of_others)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        """Take several memberships back."""
        super().delete_queryset(request, queryset)
        self.message_user(request, _("They see the sites no more, from their next page on."), messages.SUCCESS)
