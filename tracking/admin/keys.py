"""Keys: made here, with the secret shown once; rotated and revoked, never edited and never deleted."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from tracking.access import sites
from tracking.admin.decorators import display
from tracking.admin.screens import get_or_404, screen
from tracking.models import ApiKey
from tracking.templatetags.written import whole


class NewKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers only
    """The form for a new key."""

    class Meta:
        model = ApiKey
        fields = ("site", "kind", "label", "expires_at")

    def clean(self) -> dict[str, Any] | None:
        """Refuse a third live secret key before it is tried."""
        values = super().clean() or {}
        site = values.get("site")
        if site is not None and values.get("kind") == ApiKey.Kind.SECRET:
            n_live = sites.live_keys(site, "sk").count()
            if n_live >= sites.MAX_LIVE_SECRET_KEYS:
                self.add_error(
                    "kind",
                    _("%(site)s has %(n_live)s live secret keys already; revoke one first")
                    % {"site": site, "n_live": n_live},
                )
        return values


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Keys of all sites."""

    list_display = ("label_or_prefix", "site", "kind", "prefix", "state", "created_at", "expires_at")
    list_filter = ("site", "kind")
    search_fields = ("label", "prefix", "site__name")
    list_select_related = ("site",)
    actions = ("revoke_selected",)
    change_form_outer_after_template = "admin/tracking/key_actions.html"

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, **kwargs: Any) -> Any:
        """Return the form for a new key, or the one of which only the label can be changed."""
        if obj is None:
            kwargs["form"] = NewKeyForm
        return super().get_form(request, obj, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Return the fields of the form, or those of what exists."""
        if obj is None:
            return ("site", "kind", "label", "expires_at")
        return ("site", "kind", "prefix", "public_value", "label", "created_at", "expires_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Return all but the label: a key that changes what it may do would surprise those who hold it."""
        fields = () if obj is None else self.get_fields(request, obj)
        return tuple(field for field in fields if field != "label")

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """Refuse: a revoked key stays in sight."""
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Make the key, and keep its value for the one page that shows it."""
        if change:
            super().save_model(request, obj, form, change)
            return
        key, value = sites.create_key(
            obj.site, "sk" if obj.kind == ApiKey.Kind.SECRET else "pk", obj.label, expires_at=obj.expires_at
        )
        obj.pk, obj.prefix, obj.digest, obj.public_value = key.pk, key.prefix, key.digest, key.public_value
        obj._state.adding = False
        obj.new_value = value  # type: ignore[attr-defined]  # for response_add, in this request only

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """Show the value, this once: it goes into no message, cookie or log."""
        return self._show_once(request, obj, obj.new_value)  # type: ignore[attr-defined]

    def _show_once(self, request: HttpRequest, key: ApiKey, value: str, replaces: ApiKey | None = None) -> HttpResponse:
        response = screen(
            self,
            request,
            "admin/tracking/new_key.html",
            title=_("Your new key"),
            key=key,
            value=value,
            replaces=replaces,
        )
        response["Cache-Control"] = "no-store"
        return response

    @display(description=gettext_lazy("label"), ordering="label")
    def label_or_prefix(self, key: ApiKey) -> str:
        """Return what the key is called."""
        return str(key.label or key)

    @display(description=gettext_lazy("state"), label={"live": "success", "expired": "warning", "revoked": "danger"})
    def state(self, key: ApiKey) -> str:
        """Return whether the key can be used."""
        if key.revoked_at:
            return _("revoked")
        return _("expired") if key.expires_at and key.expires_at <= timezone.now() else _("live")

    @admin.action(description=gettext_lazy("Revoke the selected keys"), permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Revoke keys: refused everywhere within five seconds."""
        live = [key for key in queryset if key.revoked_at is None]
        for key in live:
            sites.revoke(key)
            self.log_change(request, key, _("Revoked."))
        said = ngettext(
            "%(n)s key was revoked and is refused within five seconds.",
            "%(n)s keys were revoked and are refused within five seconds.",
            len(live),
        )
        messages.success(request, said % {"n": whole(len(live))})

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Return the addresses of what can be done with a key."""
        return (
            ("<int:key_id>/rotate/", "tracking_apikey_rotate", rotate),
            ("<int:key_id>/revoke/", "tracking_apikey_revoke", revoke),
        )


@require_POST
def rotate(request: HttpRequest, model_admin: ApiKeyAdmin, key_id: int) -> HttpResponse:
    """Make a successor and let the key expire in 24 hours."""
    key = get_or_404(model_admin, request, key_id, change=True)
    try:
        successor, value = sites.rotate(key)
    except sites.TooManyKeys as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:tracking_apikey_change", args=[key_id]))
    model_admin.log_change(request, key, _("Rotated; %(prefix)s… follows.") % {"prefix": successor.prefix})
    return model_admin._show_once(request, successor, value, replaces=key)


@require_POST
def revoke(request: HttpRequest, model_admin: ApiKeyAdmin, key_id: int) -> HttpResponse:
    """Refuse the key from now on."""
    key = get_or_404(model_admin, request, key_id, change=True)
    sites.revoke(key)
    model_admin.log_change(request, key, _("Revoked."))
    messages.success(request, _("%(key)s is refused everywhere within five seconds.") % {"key": key})
    return HttpResponseRedirect(reverse("admin:tracking_apikey_changelist"))
