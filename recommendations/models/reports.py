"""Roll-ups of what lists brought, and the views of them that people keep."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, validate_email
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from tracking.models import Site

MAX_RECIPIENTS = 20


class ReportHour(models.Model):
    """What a list did in an hour: a row of traffic (``attribution`` empty), and one of performance by each attribution.

    ``hour`` is when an hour of the site's time zone begins, in epoch seconds. ``utc_day`` (days since 1970) is the day
    of the archive that the row was made of; where hours of the zone do not begin with those of UTC, an hour may have
    rows of two. ``revenue`` is in minor units of the site's currency; ``apart`` what no rate converts, by currency.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="report_hours")
    utc_day = models.IntegerField()
    hour = models.BigIntegerField()
    attribution = models.CharField(max_length=24, blank=True)
    placement = models.CharField(max_length=128)
    variant = models.CharField(max_length=64, blank=True)
    model_version = models.CharField(max_length=128, blank=True)
    rules = models.CharField(max_length=500, blank=True)
    lists = models.BigIntegerField(default=0)
    impressions = models.BigIntegerField(default=0)
    clicks = models.BigIntegerField(default=0)
    carts = models.FloatField(default=0.0)
    orders = models.FloatField(default=0.0)
    units = models.FloatField(default=0.0)
    revenue = models.BigIntegerField(default=0)
    apart = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["site", "attribution", "hour"], name="report_hour_span"),
            models.Index(fields=["site", "utc_day"], name="report_hour_made_of"),
        ]

    def __str__(self) -> str:
        return f"{self.placement} at {self.hour}"


class ReportItemDay(models.Model):
    """What lists did with an item on a day of the site's time zone; last click within a day.

    ``placement`` is empty for all lists together. A bounded number of items a day is told apart, the others are one row
    with an empty ``item_id``.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="report_items")
    utc_day = models.IntegerField()
    day = models.DateField()
    placement = models.CharField(max_length=128, blank=True)
    item_id = models.CharField(max_length=200, blank=True)
    impressions = models.BigIntegerField(default=0)
    clicks = models.BigIntegerField(default=0)
    carts = models.FloatField(default=0.0)
    orders = models.FloatField(default=0.0)
    revenue = models.BigIntegerField(default=0)

    class Meta:
        indexes = [
            models.Index(fields=["site", "placement", "day"], name="report_item_span"),
            models.Index(fields=["site", "utc_day"], name="report_item_made_of"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} on {self.day}"


class ReportState(models.Model):
    """How far a site's roll-ups are: what each UTC day was made of, and when."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="report_state")
    made_of = models.JSONField(
        default=dict, help_text=gettext_lazy("UTC date → digest of the archive's files it was made of.")
    )
    newest_event_ms = models.BigIntegerField(default=0)
    made_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return _("roll-ups of %(site_id)s") % {"site_id": self.site_id}


def validate_recipients(value: Any) -> None:
    """Refuse anything but a list of e-mail addresses."""
    if not isinstance(value, list) or len(value) > MAX_RECIPIENTS:
        raise ValidationError(_("Give at most %(MAX_RECIPIENTS)s addresses.") % {"MAX_RECIPIENTS": MAX_RECIPIENTS})
    for address in value:
        try:
            validate_email(address)
        except ValidationError:
            raise ValidationError(
                _("%(address)r is no e-mail address; write it like anna@shop.example."), params={"address": address}
            ) from None


class SavedView(models.Model):
    """A report as somebody keeps it: what it shows, and to whom it is mailed."""

    class Schedule(models.TextChoices):
        NEVER = "", gettext_lazy("not by e-mail")
        DAILY = "daily", gettext_lazy("every day")
        WEEKLY = "weekly", gettext_lazy("every Monday")
        MONTHLY = "monthly", gettext_lazy("on the first of each month")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=100)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", editable=False)
    is_shared = models.BooleanField(
        gettext_lazy("shared"), default=False, help_text=gettext_lazy("Everybody who sees the site's reports sees it.")
    )
    query = models.JSONField(
        default=dict, editable=False, help_text=gettext_lazy("What the report shows, as its address says it.")
    )
    schedule = models.CharField(
        gettext_lazy("by e-mail"), max_length=8, choices=Schedule.choices, blank=True, default=Schedule.NEVER
    )
    hour = models.PositiveSmallIntegerField(
        gettext_lazy("at (hour)"),
        default=7,
        validators=[MaxValueValidator(23)],
        help_text=gettext_lazy("From 0 to 23, in the site's time zone."),
    )
    recipients = models.JSONField(default=list, blank=True, validators=[validate_recipients])
    language = models.CharField(
        max_length=8, default="en", db_default="en", help_text=gettext_lazy("In which the e-mail is written.")
    )
    due_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    problem = models.CharField(
        max_length=300, blank=True, editable=False, help_text=gettext_lazy("Why the last e-mail failed.")
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["site", "owner", "name"], name="one_view_name_per_owner")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a schedule without anybody to write to."""
        if self.schedule and not self.recipients:
            raise ValidationError({"recipients": _("Name who gets the e-mail, one address a line.")})
