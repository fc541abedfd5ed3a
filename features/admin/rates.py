"""The page of exchange rates: what is needed and missing, what there is, and a table to upload."""

from __future__ import annotations

import csv
import time
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from features.exchange import coverage
from features.exchange.reading import MAX_ROWS, BadTable, read_csv
from features.exchange.site import MoneyLoader
from features.exchange.table import delete_rates, rates_of, write_quotes
from features.models import ExchangeRate
from features.money import MAX_RATE_AGE_DAYS, SiteMoney
from features.store import connections
from tracking.admin.screens import screen, site_choice
from tracking.models import Site
from tracking.quality.counts import NO_CURRENCY, ORDERS
from tracking.quality.reading import read_quality
from tracking.redis_client import UNAVAILABLE
from tracking.templatetags.written import decimal

MAX_BYTES: Final = 8 << 20
MAX_GAPS: Final = 3


class RatesForm(forms.Form):
    """A table of rates."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"), widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,text/csv"})
    )

    def clean_file(self) -> str:
        """Return the text of the file."""
        file = self.cleaned_data["file"]
        if file.size > MAX_BYTES:
            raise forms.ValidationError(
                _("%(file)s has %(size)s MB; send at most %(MAX_BYTES)s MB, a few years at a time.")
                % {"file": file.name, "size": decimal(file.size / 1_000_000), "MAX_BYTES": MAX_BYTES >> 20}
            )
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise forms.ValidationError(
                _("%(file)s is not UTF-8 text; save it as CSV (UTF-8).") % {"file": file.name}
            ) from None


@admin.register(ExchangeRate)
class ExchangeRateAdmin(ModelAdmin):  # type: ignore[misc]  # unfold ships no types
    """One page, not a list: nobody looks at rates one by one."""

    def get_urls(self) -> list[URLPattern]:
        """Replace the list, and leave out the forms of single rates."""
        view = self.admin_site.admin_view
        return [
            path("", view(self.rates_view), name="features_exchangerate_changelist"),
            path("table.csv", view(self.table_view), name="features_exchangerate_table"),
        ]

    def rates_view(self, request: HttpRequest) -> HttpResponse:
        """Show what is needed and what there is; take a table, or delete a pair."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = site_choice(request)
        site = context["site"]
        form = RatesForm(request.POST or None, request.FILES or None)
        if site is not None:
            if request.method == "POST":
                problems = self._change(request, site, form)
                if problems is None:
                    return HttpResponseRedirect(f"{reverse('admin:features_exchangerate_changelist')}?site={site.slug}")
                context |= problems
            context |= _figures(site)
        return screen(
            self, request, "admin/features/rates.html", title=_("Exchange rates"), form=form, max_age=MAX_RATE_AGE_DAYS,
            max_gaps=MAX_GAPS, max_rows=MAX_ROWS, n_days=coverage.DAYS_LOOKED_AT,
            may_add=self.has_add_permission(request), may_delete=self.has_delete_permission(request), **context,
        )  # fmt: skip

    def table_view(self, request: HttpRequest) -> HttpResponse:
        """Return the rates of a site as the CSV that can be uploaded again."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        site = site_choice(request)["site"]
        answer = HttpResponse(
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{site.slug if site else "no"}-rates.csv"'},
        )
        writer = csv.writer(answer)
        writer.writerow(["day", "currency", "worth_in", "rate"])
        if site is not None:
            for row in rates_of(site).iterator():
                writer.writerow([row.day, row.currency, row.worth_in, f"{row.rate.normalize():f}"])
        return answer

    def _change(self, request: HttpRequest, site: Site, form: RatesForm) -> dict[str, Any] | None:
        """Do what was asked; return what is wrong with it, None where nothing is."""
        pair = request.POST.get("delete", "").split("-")
        if len(pair) == 2:
            if not self.has_delete_permission(request):
                raise PermissionDenied
            count = delete_rates(site, currency=pair[0], worth_in=pair[1])
            words = _("%(count)s rates of %(pair)s in %(pair2)s deleted.") % {
                "count": intcomma(count),
                "pair": pair[0],
                "pair2": pair[1],
            }
            self.message_user(request, words, messages.SUCCESS if count else messages.WARNING)
        else:
            if not self.has_add_permission(request):
                raise PermissionDenied
            if not form.is_valid():
                return {}
            try:
                table = read_csv(form.cleaned_data["file"], site_currency=site.currency, today=timezone.now().date())
                done = write_quotes(site, table.quotes)
            except BadTable as error:
                return {"bad_table": error}
            ignored = ", ".join(table.ignored[:10])
            words = _("Rates: %(summary)s.") % {"summary": done.summary()} + (
                _(" Columns that are no currency of today: %(ignored)s.") % {"ignored": ignored} * bool(ignored)
            )
            self.message_user(request, words, messages.SUCCESS)
        self.log_change(request, site, words)
        return None


def _figures(site: Site) -> dict[str, Any]:
    money = MoneyLoader(site.slug).load()
    today = timezone.now().date()
    context: dict[str, Any] = {"pairs": coverage.pairs(money, today=today), "n_rates": len(money.rates)}
    try:
        context |= _needed(site, money)
    except UNAVAILABLE as error:
        context["store_error"] = str(error)
    return context


def _needed(site: Site, money: SiteMoney) -> dict[str, Any]:
    counts = read_quality(connections.client(), site.slug, now_ms=time.time_ns() // 1_000_000).of(ORDERS)
    orders = {name[0]: month for name, (_, month) in counts.items()}
    bare = orders.pop(NO_CURRENCY, 0)
    needed = coverage.needed(money, orders, today=timezone.now().date())
    return {
        "own_orders": orders.get(money.currency, 0) + bare, "bare_orders": bare, "needed": needed,
        "missing": [one for one in needed if not one.is_covered],
    }  # fmt: skip
