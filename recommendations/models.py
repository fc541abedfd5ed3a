"""What merchandisers and engineers steer: placements, rules, model versions and their training."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from recommendations import filters
from recommendations.exceptions import InvalidQuery
from tracking.models import Site


def validate_condition(text: str) -> None:
    """Refuse a condition on items that is not in the language of ``recommendations.filters``."""
    try:
        filters.parse(text)
    except InvalidQuery as error:
        raise ValidationError("The condition %(reason)s.", params={"reason": error.reason}) from error


def validate_words(value: Any) -> None:
    """Refuse anything but a list of texts."""
    if not isinstance(value, list) or not all(isinstance(word, str) and 0 < len(word) <= 500 for word in value):
        raise ValidationError("Give a list of texts of at most 500 characters each.")
    if len(value) > 5000:
        raise ValidationError("%(count)s entries are too many; the most is 5,000.", params={"count": len(value)})


def _words(help_text: str) -> models.JSONField[Any, Any]:
    return models.JSONField(default=list, blank=True, validators=[validate_words], help_text=help_text)


class Placement(models.Model):
    """A named slot on a page: which strategy fills it, and how. What is saved is served within two seconds."""

    class Strategy(models.TextChoices):
        FOR_YOU = "for_you", "For you"
        SIMILAR = "similar", "Similar items"
        ALSO_VIEWED = "also_viewed", "Also viewed"
        BOUGHT_TOGETHER = "bought_together", "Bought together"
        CART = "cart", "Goes with the cart"
        TRENDING = "trending", "Trending"
        NEW = "new", "New arrivals"
        RECENTLY_VIEWED = "recently_viewed", "Recently viewed"
        BUY_AGAIN = "buy_again", "Buy again"
        RERANK = "rerank", "Re-rank given items"

    class Repeats(models.TextChoices):
        ALLOW = "allow", "may show what was seen"
        HIDE_SEEN = "hide_seen", "hide what was seen in this session"
        HIDE_PURCHASED = "hide_purchased", "hide what was bought"

    class Fallback(models.TextChoices):
        POPULAR = "popular", "fill up with popular items"
        EDITORIAL = "editorial", "fill up with the items named below"
        EMPTY = "empty", "rather show fewer items"

    class Window(models.TextChoices):
        HOUR = "1h", "the last hour"
        DAY = "24h", "the last day"
        WEEK = "7d", "the last week"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="placements")
    name = models.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]{0,63}$", "Use lower-case letters, digits and underscores.")],
        help_text="The name that the shop's pages use, such as home_for_you.",
    )
    heading = models.CharField(
        max_length=200, blank=True, help_text="Heading that the widget shows unless the page gives one."
    )
    strategy = models.CharField(max_length=32, choices=Strategy.choices, default=Strategy.FOR_YOU)
    segment_strategies = models.JSONField(
        default=dict,
        blank=True,
        help_text='Another strategy for shoppers of a segment, such as {"champions": "buy_again"}.',
    )
    sources = _words("Candidate sources to use; empty: those that suit the strategy.")
    condition = models.CharField(
        "only items that match",
        max_length=filters.MAX_LENGTH,
        blank=True,
        validators=[validate_condition],
        help_text='Such as price < 50 and category under "Shoes". Empty: every item.',
    )
    size = models.PositiveSmallIntegerField(
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Items a list holds unless the page asks for fewer.",
    )
    repeats = models.CharField(max_length=32, choices=Repeats.choices, default=Repeats.ALLOW)
    window = models.CharField(
        max_length=3, choices=Window.choices, default=Window.DAY, help_text="What trending counts."
    )
    diversity = models.PositiveSmallIntegerField(
        default=0,
        validators=[MaxValueValidator(100)],
        help_text="0: by score alone. 100: as different from each other as can be.",
    )
    max_per_category = models.PositiveSmallIntegerField(default=0, help_text="0: no limit.")
    max_per_brand = models.PositiveSmallIntegerField(default=0, help_text="0: no limit.")
    exploration = models.PositiveSmallIntegerField(
        "places for new items",
        default=0,
        validators=[MaxValueValidator(50)],
        help_text="Percent of the places below the first that show an item of the last 30 days, by chance. 0: none.",
    )
    fallback = models.CharField(
        max_length=16,
        choices=Fallback.choices,
        default=Fallback.POPULAR,
        help_text="When there are too few items, or a part of the system is away.",
    )
    editorial_items = _words("Ids of items to fall back on, in order.")
    is_active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_placement_name_per_site")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse strategies that do not exist."""
        known = set(self.Strategy.values)
        if not isinstance(self.segment_strategies, dict):
            raise ValidationError({"segment_strategies": 'Give pairs, such as {"champions": "buy_again"}.'})
        unknown = [each for each in self.segment_strategies.values() if each not in known]
        if unknown:
            raise ValidationError({"segment_strategies": f"{unknown[0]!r} is not one of {', '.join(sorted(known))}."})


class Rule(models.Model):
    """What a merchandiser wants of some items. Only what was published is served; edits are a draft until then."""

    class Action(models.TextChoices):
        PIN = "pin", "Pin to a place"
        BOOST = "boost", "Move up"
        BURY = "bury", "Move down"
        EXCLUDE = "exclude", "Never show"
        INCLUDE_ONLY = "include_only", "Show nothing else"

    class Shoppers(models.TextChoices):
        ALL = "all", "all shoppers"
        NEW = "new", "new shoppers"
        RETURNING = "returning", "returning shoppers"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="rules")
    name = models.CharField(max_length=100)
    placements = models.ManyToManyField(
        Placement, blank=True, related_name="rules", help_text="None chosen: every placement."
    )
    action = models.CharField(max_length=16, choices=Action.choices, default=Action.BOOST)
    strength = models.FloatField(
        default=2.0,
        validators=[MinValueValidator(1.0), MaxValueValidator(100.0)],
        help_text="For move up and down: how many times the item's score counts, or is divided.",
    )
    position = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="For pin: place of the first item; further ones follow it.",
    )
    items = _words("Ids of items.")
    categories = _words("Categories, by name or by path such as Women > Shoes.")
    brands = _words("Brands.")
    tags = _words("Tags.")
    price_from = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.0)])
    price_to = models.FloatField(null=True, blank=True, validators=[MinValueValidator(0.0)])
    stock_from = models.IntegerField(null=True, blank=True)
    stock_to = models.IntegerField(null=True, blank=True)
    condition = models.CharField(
        "and items that match",
        max_length=filters.MAX_LENGTH,
        blank=True,
        validators=[validate_condition],
        help_text="A condition in the filter language, for what the fields above cannot say.",
    )
    segments = _words("Only for shoppers of these segments; empty: any.")
    shoppers = models.CharField(max_length=16, choices=Shoppers.choices, default=Shoppers.ALL)
    context_condition = models.CharField(
        "only on pages of items that match",
        max_length=filters.MAX_LENGTH,
        blank=True,
        validators=[validate_condition],
        help_text='The item whose page it is, such as category under "Cameras". Empty: any page.',
    )
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    priority = models.SmallIntegerField(
        default=0, help_text="Where rules disagree, the higher one wins: for pins the place, else include."
    )
    published = models.JSONField(
        null=True, blank=True, editable=False, help_text="The rule as it is served; empty: it is not."
    )
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["site", "-priority", "name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a rule that cannot mean anything."""
        if self.price_from is not None and self.price_to is not None and self.price_from > self.price_to:
            raise ValidationError(
                {"price_to": f"Is less than the price from {self.price_from:g}; give more, or empty one of the two."}
            )
        if self.starts_at and self.ends_at and self.starts_at >= self.ends_at:
            raise ValidationError({"ends_at": "Is not after the start; choose a later time, or leave it empty."})
        if self.action == self.Action.PIN and not self.items:
            raise ValidationError({"items": "Name the items to pin."})
        if self.action in (self.Action.EXCLUDE, self.Action.INCLUDE_ONLY) and not self.has_target:
            raise ValidationError(
                "Say which items are meant, by number, category, brand, tag, price, stock or condition: "
                "without a target this would touch every item."
            )

    @property
    def has_target(self) -> bool:
        """Whether the rule names any items at all."""
        limits = (self.price_from, self.price_to, self.stock_from, self.stock_to)
        return bool(
            self.items
            or self.categories
            or self.brands
            or self.tags
            or self.condition
            or any(limit is not None for limit in limits)
        )


class ModelVersion(models.Model):
    """A trained model set of a site: a folder under MODEL_DIR, and its way through the gate."""

    class Status(models.TextChoices):
        CANDIDATE = "candidate", "candidate"
        REFUSED = "refused", "refused by the gate"
        SHADOW = "shadow", "shadow"
        CANARY = "canary", "canary"
        LIVE = "live", "live"
        RETIRED = "retired", "retired"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="model_versions")
    version = models.CharField(max_length=64, help_text="Name of the folder, such as 20260131T020000Z-1a2b3c4d.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.CANDIDATE)
    canary_percent = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(100)])
    metrics = models.JSONField(default=dict, blank=True)
    manifest = models.JSONField(default=dict, blank=True)
    gate_report = models.JSONField(
        default=list, blank=True, help_text="Each check of the gate, its result and its reason."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    live_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["site", "version"], name="one_version_name_per_site"),
            models.UniqueConstraint(
                fields=["site"], condition=models.Q(status="live"), name="one_live_version_per_site"
            ),
        ]

    def __str__(self) -> str:
        return self.version


class TrainingPolicy(models.Model):
    """When a site trains by itself, how old its version may become, and whether a new one may answer unasked."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="training_policy")
    auto_train = models.BooleanField("train every day", default=True)
    hour = models.PositiveSmallIntegerField(
        "from hour (UTC)", default=2, validators=[MaxValueValidator(23)], help_text="0 to 23; sites train in turn."
    )
    auto_promote = models.BooleanField(
        "let it answer by itself",
        default=False,
        help_text="A new version answers everybody as soon as the gate lets it pass. Off: promote it here, by hand.",
    )
    margin_weight = models.FloatField(
        "weight of margins",
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text=(
            "From 0 to 1. 0: every view, cart and sale counts alike when the ranker learns. 1: by what is earned with"
            " the item; the catalogue needs costs for that."
        ),
    )
    position_clip = models.FloatField(
        "correction of places, at most",
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(100.0)],
        help_text=(
            "Clicks follow the list as well as the shopper. 10: a click further down counts up to ten times, as rarely"
            " as its place is looked at. 0: no correction."
        ),
    )
    tune_minutes = models.FloatField(
        "minutes to search parameters",
        default=0.0,
        validators=[MinValueValidator(0.0), MaxValueValidator(60.0)],
        help_text="How long a training looks for better parameters of the ranker; 0 takes the usual ones.",
    )
    latency_ms = models.FloatField(
        "milliseconds a version may take",
        default=20.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(1000.0)],
        help_text="The gate refuses a version whose sources take longer than this for a request, at the median.",
    )
    max_age_hours = models.PositiveIntegerField(
        default=48,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 365)],
        help_text="A live version older than this raises the alert ModelStale.",
    )
    memory_mb = models.PositiveIntegerField(
        "memory limit in MB",
        default=8_192,
        validators=[MinValueValidator(512)],
        help_text=(
            "As much of the newest traffic is trained on as fits. A training that needs more all the same is ended and"
            " reported; for larger logs there is manage.py train_spark."
        ),
    )
    keep_versions = models.PositiveSmallIntegerField(
        default=7,
        validators=[MinValueValidator(2)],
        help_text="Versions whose files are kept, besides those that answer; older ones are deleted after a training.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "training policies"

    def __str__(self) -> str:
        return f"training of {self.site}"

    def clean(self) -> None:
        """Refuse a correction that training would refuse."""
        if self.position_clip is not None and self.position_clip != 0 and self.position_clip <= 1:
            raise ValidationError({"position_clip": "Give 0 for no correction, or a factor above 1; 10 is usual."})


class TrainingRun(models.Model):
    """One training of a site: how far it is, and what became of it."""

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", "schedule"
        ADMIN = "admin", "admin"

    class Status(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="training_runs")
    trigger = models.CharField(max_length=16, choices=Trigger.choices, default=Trigger.SCHEDULE)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.RUNNING)
    step = models.CharField(max_length=64, blank=True)
    step_done = models.PositiveIntegerField(default=0)
    step_total = models.PositiveIntegerField(default=0)
    peak_memory_mb = models.PositiveIntegerField(null=True, blank=True)
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.SET_NULL, null=True, blank=True, related_name="training_runs"
    )
    error = models.TextField(blank=True, help_text="Why there is no version, and what to do.")
    started_at = models.DateTimeField(default=timezone.now, db_index=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self) -> str:
        return f"{self.site} at {self.started_at:%Y-%m-%d %H:%M}"


class HealthReport(models.Model):
    """What one check of the live version found: its age, its catalogue, and how far shoppers moved on from it."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="health_reports")
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, null=True, blank=True, related_name="health_reports"
    )
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    checks = models.JSONField(default=list, help_text="Each check: its name, value, limit, verdict and what to do.")

    class Meta:
        ordering = ["-made_at"]
        indexes = [models.Index(fields=["model_version", "-made_at"], name="health_version_made_at")]

    def __str__(self) -> str:
        return f"{self.site} at {self.made_at:%Y-%m-%d %H:%M}"


class DriftReference(models.Model):
    """What shoppers did, and how sure the version was, in the time that it was trained on; kept with the version."""

    model_version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, related_name="drift_reference")
    profile = models.JSONField(help_text="Counts by bin of each distribution, and how many sessions they are from.")
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"reference of {self.model_version}"
