"""Saved views by e-mail: when each is due, and what it says."""

from __future__ import annotations

import datetime as dt
import logging
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from recommendations.models import SavedView
from recommendations.reports.credit import ATTRIBUTIONS
from recommendations.reports.query import InvalidReport, ReportQuery, as_csv, named
from tracking.admin.spreadsheets import spreadsheet_text
from tracking.staff.sites import may
from tracking.templatetags.written import day

logger = logging.getLogger(__name__)

AT_ONCE: Final = 50
AGAIN: Final = dt.timedelta(minutes=15)
MAX_ROWS: Final = 30


def next_due(view: SavedView, after: dt.datetime) -> dt.datetime | None:
    """Return when a view is mailed next after a moment: its hour of the site's own day; None where it never is.

    An hour that clocks skip comes an hour later, one that they repeat counts the first time.
    """
    if not view.schedule:
        return None
    zone = view.site.zone
    day = after.astimezone(zone).date()
    for ahead in range(40):
        candidate = day + dt.timedelta(days=ahead)
        if not _is_day(view.schedule, candidate):
            continue
        local = dt.datetime.combine(candidate, dt.time(view.hour), zone)
        due = local.astimezone(dt.UTC)
        if due > after:
            return due
    return None


def send_due(now: dt.datetime | None = None) -> int:
    """Send every view that is due, each once even where two workers do this at a time; return how many were sent."""
    now = now or timezone.now()
    sent = 0
    for number in SavedView.objects.filter(due_at__lte=now).order_by("due_at").values_list("pk", flat=True)[:AT_ONCE]:
        view = _claimed(number, now)
        if view is None:
            continue
        try:
            _send(view)
        except (OSError, InvalidReport) as error:  # smtplib's errors are OSErrors
            logger.warning("reports.mail_failed view=%s error=%s", view.pk, error)
            SavedView.objects.filter(pk=view.pk).update(problem=str(error)[:300], due_at=now + AGAIN)
        else:
            SavedView.objects.filter(pk=view.pk).update(problem="", sent_at=now)
            sent += 1
    return sent


def _claimed(number: int, now: dt.datetime) -> SavedView | None:
    """Take a view to send it: whoever moves its time on first sends it. An owner who may see no reports gets none."""
    with transaction.atomic():
        view = SavedView.objects.select_related("site", "owner").filter(pk=number, due_at__lte=now).first()
        if view is None:
            return None
        claimed = SavedView.objects.filter(pk=number, due_at=view.due_at).update(due_at=next_due(view, now))
    if not claimed or not may(view.owner, "tracking.view_report", view.site_id):
        return None
    return view


def _send(view: SavedView) -> None:
    with translation.override(view.language):
        _message(view).send()


def _message(view: SavedView) -> EmailMessage:
    """Return the e-mail in the language that is active."""
    site = view.site
    query = ReportQuery.parse(view.query)
    first, last = query.days(site)
    rows = named(site, query.by, query.rows(site))
    context = {
        "view": view, "site": site, "query": query, "rows": rows[:MAX_ROWS], "total": query.total(site), "first": first,
        "last": last, "attribution": ATTRIBUTIONS[query.attribution].label, "n_more": max(0, len(rows) - MAX_ROWS),
    }  # fmt: skip
    message = EmailMessage(
        subject=_("%(site)s: %(view)s, %(first)s to %(last)s")
        % {"site": site.name, "view": view.name, "first": day(first), "last": date_format(last, "DATE_FORMAT")},
        body=render_to_string("reports/mail.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=view.recipients,
    )
    message.attach(
        f"{site.slug}-{query.by}-{first}-{last}.csv", as_csv(site, query.by, rows, spreadsheet_text), "text/csv"
    )
    return message


def _is_day(schedule: str, day: dt.date) -> bool:
    if schedule == SavedView.Schedule.WEEKLY:
        return day.weekday() == 0
    if schedule == SavedView.Schedule.MONTHLY:
        return day.day == 1
    return True
