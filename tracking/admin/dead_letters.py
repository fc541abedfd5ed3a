"""Dead letters: how many for which reason, what came, and its way back after a correction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from tracking.admin.decorators import display
from tracking.admin.screens import NothingToSave, get_or_404, screen
from tracking.dead_letters.letter import MAX_RAW_BYTES
from tracking.dead_letters.rows import discard, resend
from tracking.exceptions import LogUnavailable
from tracking.models import DeadLetter
from tracking.staff.sites import seen
from tracking.templatetags.written import whole

MAX_AT_ONCE: Final = 1_000


class RawForm(forms.Form):
    """The bytes as text, to be corrected."""

    raw = forms.CharField(
        label=gettext_lazy("Record"),
        max_length=MAX_RAW_BYTES,
        strip=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 24, "spellcheck": "false", "style": "font-family:monospace"}),
    )

    def clean_raw(self) -> str:
        """Refuse what is not JSON, naming line and column."""
        raw = str(self.cleaned_data["raw"])
        try:
            json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise ValidationError(_("is not JSON: %(error)s") % {"error": error}) from error
        return raw


@admin.register(DeadLetter)
class DeadLetterAdmin(NothingToSave, ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """The letters of all sites, newest first."""

    list_display = ("reason", "field", "short_detail", "site", "origin", "shows_status", "occurred_at")
    list_filter = ("status", "reason", "origin", "site")
    search_fields = ("field", "detail", "key")
    list_select_related = ("site",)
    date_hierarchy = "occurred_at"
    show_full_result_count = False
    list_before_template = "admin/tracking/dead_letter_counts.html"
    change_form_outer_before_template = "admin/tracking/dead_letter_actions.html"
    actions = ("resend_selected", "discard_selected")
    fieldsets = (
        (None, {"fields": ("reason", "field", "detail", "status", "as_text")}),
        (
            gettext_lazy("Where it came from"),
            {"fields": ("site", "key", "origin", "partition", "position", "occurred_at", "resolved_at")},
        ),
    )
    readonly_fields = tuple(name for _, section in fieldsets for name in section["fields"])

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse: letters come from collect and from the stream workers."""
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the letters without their bytes, which only one page shows."""
        return super().get_queryset(request).defer("raw")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list below the counts of what is new, by reason."""
        rows = (
            seen(DeadLetter.objects.filter(status=DeadLetter.Status.NEW))
            .values("reason")
            .annotate(count=Count("pk"))
            .order_by("-count")[:12]
        )
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "counts": list(rows)})
        return response

    @display(description=gettext_lazy("detail"))
    def short_detail(self, letter: DeadLetter) -> str:
        """Return what is wrong, cut."""
        return letter.detail if len(letter.detail) <= 90 else letter.detail[:89] + "…"

    @display(
        description=gettext_lazy("status"),
        ordering="status",
        label={"new": "warning", "sent again": "success", "discarded": "info"},
    )
    def shows_status(self, letter: DeadLetter) -> str:
        """Return what became of it."""
        return str(letter.get_status_display())

    @display(description=gettext_lazy("record"))
    def as_text(self, letter: DeadLetter) -> str:
        """Return the bytes as text; what is not UTF-8 is shown escaped."""
        return render_to_string("admin/tracking/parts/record.html", {"text": readable(letter)})

    @admin.action(description=gettext_lazy("Send again"), permissions=["change"])
    def resend_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Send letters again as they are; their events keep their ids, so that nothing counts twice."""
        self.send(request, queryset.select_related("site").defer(None)[:MAX_AT_ONCE])

    @admin.action(description=gettext_lazy("Discard"), permissions=["change"])
    def discard_selected(self, request: HttpRequest, queryset: Any) -> None:
        """Mark letters as of no use."""
        n_letters = discard(queryset)
        said = ngettext("%(n)s letter was discarded.", "%(n)s letters were discarded.", n_letters)
        messages.success(request, said % {"n": whole(n_letters)})

    def send(self, request: HttpRequest, letters: Iterable[DeadLetter]) -> bool:
        """Send letters again, tell how it went, and return whether all went."""
        tried = list(letters)
        try:
            failures = resend(tried)
        except LogUnavailable as error:
            messages.error(request, _("Nothing was sent: %(error)s") % {"error": error})
            return False
        for letter in tried:
            if letter.pk not in failures:
                self.log_change(request, letter, _("Sent again."))
        if len(tried) > len(failures):
            n_sent = len(tried) - len(failures)
            said = ngettext("%(n)s letter was sent again.", "%(n)s letters were sent again.", n_sent)
            messages.success(request, said % {"n": whole(n_sent)})
        for reason in list(dict.fromkeys(failures.values()))[:5]:
            messages.error(request, _("Not sent: %(reason)s") % {"reason": reason})
        return not failures

    def get_custom_urls(self) -> tuple[tuple[str, str, Any], ...]:
        """Return the address of the page that corrects a letter."""
        return (("<int:letter_id>/edit/", "tracking_deadletter_edit", edit),)


def readable(letter: DeadLetter) -> str:
    """Return the bytes as indented JSON where they are JSON, else as text with escapes."""
    raw = bytes(letter.raw)
    try:
        return json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "backslashreplace")


def edit(request: HttpRequest, model_admin: DeadLetterAdmin, letter_id: int) -> HttpResponse:
    """Correct a letter and send it again."""
    letter = get_or_404(model_admin, request, letter_id, change=True)
    form = RawForm(request.POST or None, initial={"raw": readable(letter)})
    if request.method == "POST" and form.is_valid():
        letter.raw = form.cleaned_data["raw"].encode()
        if model_admin.send(request, [letter]):
            letter.save(update_fields=["raw"])
            return HttpResponseRedirect(reverse("admin:tracking_deadletter_changelist"))
    return screen(
        model_admin, request, "admin/tracking/dead_letter_edit.html", title=_("Correct and send again"),
        letter=letter, form=form,
    )  # fmt: skip
