"""The page on which staff set up an authenticator app, and prove at each login that they have it."""

from __future__ import annotations

import base64
import io
from typing import Any

import qrcode
import qrcode.image.svg
from django import forms
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django_otp import login as otp_login
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import UnfoldAdminTextInputWidget


class CodeForm(forms.Form):
    """The six digits that the app shows."""

    code = forms.RegexField(
        r"^\d{6}$",
        label=gettext_lazy("Code"),
        error_messages={"invalid": gettext_lazy("is six digits, as your app shows them")},
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )

    def __init__(self, device: TOTPDevice, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._device = device

    def clean_code(self) -> str:
        """Refuse a wrong code, one that was used, and guessing too fast."""
        code = str(self.cleaned_data["code"])
        is_allowed, problem = self._device.verify_is_allowed()
        if not is_allowed:
            raise ValidationError(
                _("was wrong too often; wait until %(problem)s UTC")
                % {"problem": f"{problem['locked_until']:%H:%M:%S}"}
            )
        if not self._device.verify_token(code):
            raise ValidationError(_("is not the one that your app shows now; check the clocks and try the next one"))
        return code


@never_cache
@staff_member_required(login_url="admin:login")  # type: ignore[untyped-decorator]
def second_factor(request: HttpRequest) -> HttpResponse:
    """Show the QR code to who has no app yet, ask for its code, and let in who knows it."""
    device = _device_of(request.user)
    form = CodeForm(device, request.POST or None)
    if request.method == "POST" and form.is_valid():
        if not device.confirmed:
            device.confirmed = True
            device.save(update_fields=["confirmed"])
            _log(request, device)
        otp_login(request, device)
        return HttpResponseRedirect(_next(request))
    context = {
        **admin.site.each_context(request),
        "title": _("Second factor"),
        "form": form,
        "next": _next(request),
        "picture": "" if device.confirmed else _picture(device.config_url),
        "secret": "" if device.confirmed else base64.b32encode(device.bin_key).decode(),
    }
    return TemplateResponse(request, "admin/second_factor.html", context)


def _device_of(user: Any) -> TOTPDevice:
    """Return the app that the user confirmed, else the one being set up; a confirmed one is never shown again."""
    devices = TOTPDevice.objects.filter(user=user).order_by("-confirmed", "pk")
    found = devices.first()
    if found is None:
        found = TOTPDevice.objects.create(user=user, name=_("Authenticator app"), confirmed=False)
    device: TOTPDevice = found
    return device


def _picture(address: str) -> str:
    """Return a QR code as a data address, which our policy lets pictures have."""
    drawn = io.BytesIO()
    qrcode.make(address, image_factory=qrcode.image.svg.SvgPathImage, box_size=8).save(drawn)
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode()


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else reverse("admin:index")


def _log(request: HttpRequest, device: TOTPDevice) -> None:
    LogEntry.objects.create(
        user_id=device.user_id,
        content_type=ContentType.objects.get_for_model(TOTPDevice),
        object_id=device.pk,
        object_repr=str(request.user)[:200],
        action_flag=CHANGE,
        change_message=_("Set up a second factor."),
    )
