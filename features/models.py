"""The catalogue, the segments of buyers, and profiles for when Redis has forgotten them."""

from __future__ import annotations

from datetime import datetime

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from features.feed_files.readers import FORMATS
from tracking.models import Site

SCORE = (MinValueValidator(1), MaxValueValidator(5))


class Item(models.Model):
    """Something that can be recommended; a product variant is an item of its own if it has its own id."""

    class Availability(models.TextChoices):
        IN_STOCK = "in_stock", gettext_lazy("in stock")
        OUT_OF_STOCK = "out_of_stock", gettext_lazy("out of stock")
        PREORDER = "preorder", gettext_lazy("pre-order")
        BACKORDER = "backorder", gettext_lazy("back-order")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="items")
    item_id = models.CharField(max_length=128)
    title = models.CharField(max_length=500)
    titles = models.JSONField(
        default=dict, blank=True, help_text=gettext_lazy('Titles by locale, such as {"de": "…"}.')
    )
    description = models.TextField(blank=True)
    brand = models.CharField(max_length=100, blank=True)
    category = models.CharField(
        max_length=500,
        blank=True,
        db_index=True,
        help_text=gettext_lazy("Path from general to special, joined by ' > '."),
    )
    url = models.CharField(max_length=2000, blank=True)
    image_url = models.CharField(max_length=2000, blank=True)
    price_minor = models.BigIntegerField(
        null=True, blank=True, help_text=gettext_lazy("In the currency's smallest unit, such as cents.")
    )
    sale_price_minor = models.BigIntegerField(null=True, blank=True)
    sale_starts_at = models.DateTimeField(
        null=True, blank=True, help_text=gettext_lazy("Before it the sale price does not count.")
    )
    sale_ends_at = models.DateTimeField(
        null=True, blank=True, help_text=gettext_lazy("From then on it does not count.")
    )
    cost_minor = models.BigIntegerField(
        null=True, blank=True, help_text=gettext_lazy("For margin; never leaves the server.")
    )
    currency = models.CharField(max_length=3, blank=True)
    availability = models.CharField(max_length=16, choices=Availability.choices, default=Availability.IN_STOCK)
    stock = models.IntegerField(null=True, blank=True, help_text=gettext_lazy("Pieces; empty means not counted."))
    group_id = models.CharField(
        max_length=128, blank=True, help_text=gettext_lazy("Shared by the variants of one product.")
    )
    tags = models.JSONField(default=list, blank=True)
    attributes = models.JSONField(
        default=dict, blank=True, help_text=gettext_lazy("Other attributes, usable in filters.")
    )
    is_active = models.BooleanField(default=True, help_text=gettext_lazy("Inactive items are never recommended."))
    first_seen_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        ordering = ["item_id"]
        constraints = [models.UniqueConstraint(fields=["site", "item_id"], name="one_item_id_per_site")]

    def __str__(self) -> str:
        return self.title

    def paid_minor(self, *, at: datetime) -> int | None:
        """Return what a user pays at a time; the same rule as ``features.catalogue.items.paid_minor``."""
        has_begun = self.sale_starts_at is None or self.sale_starts_at <= at
        is_on = has_begun and (self.sale_ends_at is None or at < self.sale_ends_at)
        if self.price_minor is None or self.sale_price_minor is None or not is_on:
            return self.price_minor
        return min(self.price_minor, self.sale_price_minor)

    @property
    def is_recommendable(self) -> bool:
        """Whether the item may appear in a list at all: active, not sold out."""
        return (
            self.is_active
            and self.availability != self.Availability.OUT_OF_STOCK
            and (self.stock is None or self.stock > 0)
        )


class SegmentThreshold(models.Model):
    """A named box of RFM scores; of several that fit a buyer, the one with the lowest ``order`` counts."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="segment_thresholds")
    name = models.CharField(max_length=40)
    order = models.PositiveSmallIntegerField(default=100, help_text=gettext_lazy("Lower comes first."))
    recency_from = models.PositiveSmallIntegerField(
        default=1, validators=SCORE, help_text=gettext_lazy("5 is the most recent fifth.")
    )
    recency_to = models.PositiveSmallIntegerField(default=5, validators=SCORE)
    frequency_from = models.PositiveSmallIntegerField(
        default=1, validators=SCORE, help_text=gettext_lazy("5 buys most often.")
    )
    frequency_to = models.PositiveSmallIntegerField(default=5, validators=SCORE)
    monetary_from = models.PositiveSmallIntegerField(
        default=1, validators=SCORE, help_text=gettext_lazy("5 spends most.")
    )
    monetary_to = models.PositiveSmallIntegerField(default=5, validators=SCORE)

    class Meta:
        ordering = ("site", "order", "name")
        verbose_name = "segment"
        constraints = (
            models.UniqueConstraint(fields=["site", "name"], name="one_segment_name_per_site"),
            models.CheckConstraint(
                condition=models.Q(recency_from__lte=models.F("recency_to"))
                & models.Q(frequency_from__lte=models.F("frequency_to"))
                & models.Q(monetary_from__lte=models.F("monetary_to")),
                name="segment_bounds_in_order",
                violation_error_message=gettext_lazy("Each lower bound must not be above its upper bound."),
            ),
        )

    def __str__(self) -> str:
        return self.name


class RfmSnapshot(models.Model):
    """What one run of the segments found: for the heat map and the sizes over time."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="rfm_snapshots")
    made_at = models.DateTimeField(default=timezone.now, db_index=True)
    users = models.PositiveIntegerField()
    is_exact = models.BooleanField(default=True)
    seconds = models.FloatField()
    cells = models.JSONField(
        help_text=gettext_lazy("[recency 1..5][frequency 1..5] = [users, mean monetary value in minor units (1/100)]")
    )
    sizes = models.JSONField(help_text=gettext_lazy("Users by segment."))
    bounds = models.JSONField(help_text=gettext_lazy("The four bounds of each measure."))

    class Meta:
        ordering = ("-made_at",)
        verbose_name = gettext_lazy("RFM run")
        indexes = (models.Index(fields=["site", "-made_at"], name="rfm_site_made_at"),)

    def __str__(self) -> str:
        return f"{self.site} {date_format(self.made_at, 'SHORT_DATETIME_FORMAT')}"


class StoredProfile(models.Model):
    """A profile as Redis last held it, for users who return after Redis forgot them."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    user_key = models.CharField(max_length=200)
    state = models.BinaryField()
    newest_ms = models.BigIntegerField(help_text=gettext_lazy("Event time of the newest event in it."))
    stored_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["site", "user_key"], name="one_profile_per_user_key"),)

    def __str__(self) -> str:
        return _("profile %(pk)s") % {"pk": self.pk}


class Erasure(models.Model):
    """A user whose data was erased; only a hash is kept, so that a replay does not bring the data back."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")
    user_hash = models.CharField(max_length=64, help_text=gettext_lazy("Keyed hash of site and user key."))
    erased_until_ms = models.BigIntegerField(help_text=gettext_lazy("Events up to this time are gone."))
    spans = models.JSONField(
        default=list,
        help_text=gettext_lazy(
            "First and last millisecond of each time that is gone; empty means all of it until then."
        ),
    )
    receipt = models.JSONField(help_text=gettext_lazy("What was erased from each store."))
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["site", "user_hash"], name="one_erasure_per_user"),)

    def __str__(self) -> str:
        return _("erasure %(pk)s") % {"pk": self.pk}


class ExchangeRate(models.Model):
    """What one unit of a currency was worth in another on a UTC day: 1 ``currency`` = ``rate`` ``worth_in``."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="exchange_rates")
    day = models.DateField()
    currency = models.CharField(max_length=3)
    worth_in = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=28, decimal_places=18)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-day", "currency", "worth_in")
        constraints = (
            models.UniqueConstraint(fields=["site", "day", "currency", "worth_in"], name="one_rate_per_day_and_pair"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="rate_above_zero"),
        )

    def __str__(self) -> str:
        return f"1 {self.currency} = {self.rate.normalize():f} {self.worth_in} on {self.day}"


def feed_format_choices() -> list[tuple[str, str]]:
    """Return the formats that a feed can have, as forms offer them."""
    return [("", _("as it looks")), *((one.name, _(one.words)) for one in FORMATS)]


class Feed(models.Model):
    """A file of items and how it is read: fetched again and again from its address, or uploaded by hand."""

    class Decimal(models.TextChoices):
        UNKNOWN = "", gettext_lazy("only prices with one reading")
        POINT = ".", gettext_lazy("point, as in 1,299.00")
        COMMA = ",", gettext_lazy("comma, as in 1.299,00")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="feeds")
    name = models.CharField(max_length=100)
    url = models.URLField(
        max_length=2000,
        blank=True,
        help_text=gettext_lazy(
            "Public address; https://user:password@host/… where the shop asks for a password. Empty: "
            "files are uploaded by hand and read as this feed says."
        ),
    )
    file_format = models.CharField(max_length=16, choices=feed_format_choices, blank=True, default="")
    every_minutes = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(5), MaxValueValidator(10_080)],
        help_text=gettext_lazy("From 5 to 10,080 (a week)."),
    )
    is_complete = models.BooleanField(
        default=False,
        help_text=gettext_lazy("The feed is the whole catalogue: items that are no longer in it are deactivated."),
    )
    most_deactivated_percent = models.PositiveSmallIntegerField(
        default=10,
        validators=[MaxValueValidator(100)],
        help_text=gettext_lazy(
            "Share of the active items, in percent; a whole catalogue that would deactivate more waits for a person."
        ),
    )
    decimal = models.CharField(
        gettext_lazy("decimal separator"),
        max_length=1,
        choices=Decimal.choices,
        blank=True,
        default="",
        help_text=gettext_lazy("Settles prices that have two readings, such as 1,299."),
    )
    locale = models.CharField(
        max_length=20,
        blank=True,
        validators=[
            RegexValidator(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", gettext_lazy("Write a language, as de or fr-CA."))
        ],
        help_text=gettext_lazy(
            "Language of a feed of translations, such as de: its titles become translations, all else stays."
        ),
    )
    mapping = models.JSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy("Column to field, an empty field for a column that is not used."),
    )
    is_active = models.BooleanField(default=True)
    due_at = models.DateTimeField(
        default=timezone.now, db_index=True, help_text=gettext_lazy("When it is fetched next.")
    )

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_feed_name_per_site")]

    def __str__(self) -> str:
        return self.name


class FeedRun(models.Model):
    """One load of a feed: where it came from, what became of it, and the rows that were refused."""

    class Status(models.TextChoices):
        RUNNING = "running", gettext_lazy("running")
        DONE = "done", gettext_lazy("done")
        WAITING = "waiting", gettext_lazy("waits for approval")
        FAILED = "failed", gettext_lazy("failed")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="feed_runs")
    feed = models.ForeignKey(Feed, on_delete=models.CASCADE, null=True, blank=True, related_name="runs")
    source = models.CharField(max_length=300, help_text=gettext_lazy("Name of the file or host of the address."))
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    error = models.TextField(blank=True, help_text=gettext_lazy("Why the rest of the feed could not be read."))
    created_items = models.PositiveIntegerField(default=0)
    updated_items = models.PositiveIntegerField(default=0)
    unchanged_items = models.PositiveIntegerField(default=0)
    deactivated_items = models.PositiveIntegerField(default=0)
    rejected_rows = models.PositiveIntegerField(default=0)
    report = models.JSONField(
        default=dict,
        blank=True,
        help_text=gettext_lazy("Refused rows, what was mended, columns, ignored fields and warnings."),
    )
    missing_ids = models.JSONField(
        default=list,
        blank=True,
        help_text=gettext_lazy("Items that the feed does not name, while their deactivation waits."),
    )
    started_at = models.DateTimeField(default=timezone.now, db_index=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.source}, {date_format(self.started_at, 'SHORT_DATETIME_FORMAT')}"
