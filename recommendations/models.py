"""What merchandisers and engineers steer: placements and model versions."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from tracking.models import Site


class Placement(models.Model):
    """A named slot on a page: which strategy fills it, and how."""

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

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="placements")
    name = models.CharField(
        max_length=64,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9_]{0,63}$", "Use lower-case letters, digits and underscores.")
        ],
        help_text="The name that the shop's pages use, such as home_for_you.",
    )
    heading = models.CharField(
        max_length=200, blank=True, help_text="Heading that the widget shows unless the page gives one."
    )
    strategy = models.CharField(max_length=32, choices=Strategy.choices, default=Strategy.FOR_YOU)
    size = models.PositiveSmallIntegerField(
        default=8,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Items a list holds unless the page asks for fewer.",
    )
    repeats = models.CharField(max_length=32, choices=Repeats.choices, default=Repeats.ALLOW)
    is_active = models.BooleanField(default=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["site", "name"]
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_placement_name_per_site")]

    def __str__(self) -> str:
        return self.name


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
    version = models.CharField(
        max_length=64, help_text="Name of the folder, such as 20260131T020000Z-1a2b3c4d."
    )
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
