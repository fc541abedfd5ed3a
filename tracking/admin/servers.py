"""What stands in for a secret key: OAuth2 clients, whose secret is shown once, and client certificates (mTLS)."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oauth2_provider.models import (
    get_access_token_model,
    get_application_model,
    get_grant_model,
    get_id_token_model,
    get_refresh_token_model,
)
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from tracking.access.certificates import Certificate, InvalidCertificate, read_certificate
from tracking.admin.decorators import display
from tracking.admin.screens import screen
from tracking.http import oauth
from tracking.models import ClientCertificate, OAuthClient

# The library's own screens would make applications without a site, and ways to get tokens that we do not offer.
for _model in (
    get_application_model(),
    get_access_token_model(),
    get_grant_model(),
    get_id_token_model(),
    get_refresh_token_model(),
):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


class _Credential(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """Made and revoked, never edited beyond their label, never deleted: they stay in sight."""

    list_select_related = ("site",)
    list_filter = ("site",)
    actions = ("revoke_selected",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Return all but the label."""
        return () if obj is None else tuple(field for field in self.get_fields(request, obj) if field != "label")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse: what is revoked stays in sight."""
        return False

    @display(description=gettext_lazy("state"), label={"live": "success", "expired": "warning", "revoked": "danger"})
    def state(self, row: Any) -> str:
        """Return whether it can be used."""
        if row.revoked_at:
            return _("revoked")
        expires_at = getattr(row, "expires_at", None)
        return _("expired") if expires_at and expires_at <= timezone.now() else _("live")

    @admin.action(description=gettext_lazy("Revoke the selected ones"), permissions=["change"])
    def revoke_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Refuse them everywhere within five seconds."""
        live = [row for row in queryset if row.revoked_at is None]
        for row in live:
            self.revoke(row)
            self.log_change(request, row, _("Revoked."))
        messages.success(request, _("%(live)s were revoked and are refused within five seconds.") % {"live": len(live)})

    def revoke(self, row: Any) -> None:
        """Refuse one."""
        row.revoked_at = timezone.now()
        row.save(update_fields=["revoked_at"])


class ClientForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers only
    """The form for a new client."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"),
        choices=lambda: list(oauth.SiteScopes().get_all_scopes().items()),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=gettext_lazy("What its tokens may do at most."),
    )

    class Meta:
        model = OAuthClient
        fields = ("site", "label", "scopes")


@admin.register(OAuthClient)
class OAuthClientAdmin(_Credential):
    """Servers that get tokens by OAuth2 client credentials at ``/o/token/``."""

    list_display = ("label", "site", "shows_scopes", "state", "created_at")
    search_fields = ("label", "site__name")

    def get_form(self, request: HttpRequest, obj: OAuthClient | None = None, **kwargs: Any) -> Any:
        """Return the form for a new client, or the one of which only the label can be changed."""
        if obj is None:
            kwargs["form"] = ClientForm
        return super().get_form(request, obj, **kwargs)

    def get_fields(self, request: HttpRequest, obj: OAuthClient | None = None) -> tuple[str, ...]:
        """Return the fields of the form, or those of what exists."""
        if obj is None:
            return ("site", "label", "scopes")
        return ("label", "site", "client_id", "shows_scopes", "created_at", "revoked_at")

    @display(description=gettext_lazy("client id"))
    def client_id(self, client: OAuthClient) -> str:
        """Return the public half of its credentials."""
        return str(client.application.client_id)

    @display(description=gettext_lazy("scopes"))
    def shows_scopes(self, client: OAuthClient) -> str:
        """Return what its tokens may do."""
        return ", ".join(client.scopes)

    def save_model(self, request: HttpRequest, obj: OAuthClient, form: Any, change: bool) -> None:
        """Make the client, and keep its secret for the one page that shows it."""
        if change:
            super().save_model(request, obj, form, change)
            return
        client, client_id, secret = oauth.create_client(obj.site, obj.label, scopes=obj.scopes)
        obj.pk, obj.application_id = client.pk, client.application_id
        obj._state.adding = False
        obj.new_credentials = client_id, secret  # type: ignore[attr-defined]  # for response_add, in this request only

    def response_add(
        self, request: HttpRequest, obj: OAuthClient, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret, this once: it goes into no message, cookie or log."""
        client_id, secret = obj.new_credentials  # type: ignore[attr-defined]
        response = screen(
            self, request, "admin/tracking/new_client.html", title=_("Your new OAuth client"), client=obj,
            client_id=client_id, secret=secret, token_url=request.build_absolute_uri("/o/token/"),
        )  # fmt: skip
        response["Cache-Control"] = "no-store"
        return response

    def revoke(self, row: OAuthClient) -> None:
        """Refuse a client and its tokens."""
        oauth.revoke_client(row)


class CertificateForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers only
    """The form for a new certificate."""

    pem = forms.CharField(
        label=gettext_lazy("Certificate"),
        strip=True,
        max_length=16_384,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false"}),
        help_text=gettext_lazy("In PEM form, without its private key. nginx must trust the authority that signed it."),
    )

    class Meta:
        model = ClientCertificate
        fields = ("site", "label", "pem")

    def clean_pem(self) -> Certificate:
        """Return what stands in it; refuse a private key, what cannot be read, and what is registered already."""
        pem = str(self.cleaned_data["pem"])
        if "PRIVATE KEY" in pem:
            raise ValidationError(
                _("holds a private key: leave it on the shop's server, and paste the certificate only")
            )
        try:
            found = read_certificate(pem)
        except InvalidCertificate as error:
            raise ValidationError(str(error)) from error
        if ClientCertificate.objects.filter(fingerprint=found.fingerprint).exists():
            raise ValidationError(_("is registered already; one certificate stands for one site"))
        return found


@admin.register(ClientCertificate)
class ClientCertificateAdmin(_Credential):
    """Certificates that stand in for secret keys on the mTLS listener of nginx."""

    list_display = ("label", "site", "subject", "state", "expires_at")
    search_fields = ("label", "subject", "fingerprint", "site__name")

    def get_form(self, request: HttpRequest, obj: ClientCertificate | None = None, **kwargs: Any) -> Any:
        """Return the form for a new certificate, or the one of which only the label can be changed."""
        if obj is None:
            kwargs["form"] = CertificateForm
        return super().get_form(request, obj, **kwargs)

    def get_fields(self, request: HttpRequest, obj: ClientCertificate | None = None) -> tuple[str, ...]:
        """Return the fields of the form, or those of what exists."""
        if obj is None:
            return ("site", "label", "pem")
        return ("label", "site", "subject", "fingerprint", "created_at", "expires_at", "revoked_at")

    def save_model(self, request: HttpRequest, obj: ClientCertificate, form: Any, change: bool) -> None:
        """Keep what identifies the certificate."""
        if not change:
            found: Certificate = form.cleaned_data["pem"]
            obj.fingerprint, obj.subject, obj.expires_at = found.fingerprint, found.subject, found.expires_at
        super().save_model(request, obj, form, change)
