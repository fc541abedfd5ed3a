"""Experiments and hold-outs, as merchandisers set them up; what they brought is counted by the stream."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations.core.strategies import strategy_choices
from recommendations.models.merchandising import WEIGHT_FIELDS, Campaign, Placement, Rule, weight_field
from tracking.models import Site


def new_salt() -> str:
    """Return what makes the assignment of one experiment independent of every other's."""
    return secrets.token_hex(8)


class Metric(models.TextChoices):
    """What an experiment is decided by."""

    CLICKS = "clicks", gettext_lazy("click-through: clicks by impressions")
    CARTS = "carts", gettext_lazy("add-to-cart: share of visitors")
    CONVERSION = "conversion", gettext_lazy("conversion: share of visitors who buy")
    REVENUE = "revenue", gettext_lazy("revenue a visitor")
    MARGIN = "margin", gettext_lazy("margin a visitor")


class Experiment(models.Model):
    """Two or more ways to fill placements, shown to visitors by chance. It is set up, runs, and is stopped once."""

    class Status(models.TextChoices):
        DRAFT = "draft", gettext_lazy("draft")
        RUNNING = "running", gettext_lazy("running")
        STOPPED = "stopped", gettext_lazy("stopped")
        SHIPPED = "shipped", gettext_lazy("shipped")

    class Audience(models.TextChoices):
        ALL = "all", gettext_lazy("all shoppers")
        NEW = "new", gettext_lazy("new shoppers")
        RETURNING = "returning", gettext_lazy("returning shoppers")

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="experiments")
    name = models.CharField(max_length=100)
    hypothesis = models.TextField(
        blank=True, help_text=gettext_lazy("What you expect, and why: it is read when this is decided.")
    )
    placements = models.ManyToManyField(
        Placement, related_name="experiments", help_text=gettext_lazy("Where the arms differ.")
    )
    metric = models.CharField(
        gettext_lazy("decided by"), max_length=16, choices=Metric.choices, default=Metric.CONVERSION
    )
    minimum_lift = models.FloatField(
        gettext_lazy("smallest change worth finding, %"),
        default=5.0,
        validators=[MinValueValidator(0.1), MaxValueValidator(100.0)],
        help_text=gettext_lazy("The smaller it is, the longer the experiment has to run."),
    )
    share = models.PositiveSmallIntegerField(
        gettext_lazy("share of the audience, %"),
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=gettext_lazy("Begin with a few per cent and let it grow: those who are in it stay in their arm."),
    )
    group = models.CharField(
        gettext_lazy("exclusion group"),
        max_length=64,
        blank=True,
        help_text=gettext_lazy(
            "No shopper is in two experiments of one group, such as product_page. Empty: independent of others."
        ),
    )
    group_share = models.PositiveSmallIntegerField(
        gettext_lazy("part of the group, %"), default=50, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    group_start = models.PositiveSmallIntegerField(default=0, editable=False)
    segments = models.JSONField(
        default=list, blank=True, help_text=gettext_lazy("Only shoppers of these segments; empty: any.")
    )
    audience = models.CharField(max_length=16, choices=Audience.choices, default=Audience.ALL)
    devices = models.JSONField(default=list, blank=True, help_text=gettext_lazy("Such as mobile, desktop; empty: any."))
    locales = models.JSONField(default=list, blank=True, help_text=gettext_lazy("Such as de or de-AT; empty: any."))
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.DRAFT, editable=False)
    salt = models.CharField(max_length=32, default=new_salt, editable=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    winner = models.ForeignKey(
        "Arm", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    result = models.JSONField(
        null=True, blank=True, editable=False, help_text=gettext_lazy("The sums at the end, by arm.")
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["site", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def key(self) -> str:
        """The name under which the stream counts it."""
        return f"e{self.pk}"


class Arm(models.Model):
    """One way to fill the placements; the first is the control. What is left empty stays as the placement says."""

    class Model(models.TextChoices):
        LIVE = "live", gettext_lazy("the live version")
        CANARY = "canary", gettext_lazy("the canary")
        SHADOW = "shadow", gettext_lazy("the shadow")
        NONE = "none", gettext_lazy("no model: popular items")

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    name = models.CharField(max_length=60)
    weight = models.PositiveSmallIntegerField(default=50, validators=[MinValueValidator(1), MaxValueValidator(100)])
    heading = models.CharField(max_length=200, blank=True)
    layout = models.CharField(
        max_length=16,
        choices=Placement.Layout.choices,
        blank=True,
        default="",
        db_default="",
        help_text=gettext_lazy("Of the widget; a page that says layout itself keeps what it says."),
    )
    strategy = models.CharField(max_length=32, choices=strategy_choices(), blank=True)
    model = models.CharField(max_length=8, choices=Model.choices, blank=True)
    size = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    diversity = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MaxValueValidator(100)])
    weight_click = weight_field(gettext_lazy("clicks"), null=True, blank=True)
    weight_cart = weight_field(gettext_lazy("add-to-carts"), null=True, blank=True)
    weight_purchase = weight_field(gettext_lazy("purchases"), null=True, blank=True)
    weight_revenue = weight_field(gettext_lazy("revenue"), null=True, blank=True)
    weight_margin = weight_field(gettext_lazy("margin"), null=True, blank=True)
    rules_off = models.ManyToManyField(
        Rule, blank=True, related_name="+", verbose_name=gettext_lazy("without these rules")
    )

    class Meta:
        ordering = ["experiment", "pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def placement_fields(self) -> dict[str, Any]:
        """The fields of a placement that this arm sets, with their values: what shipping it writes."""
        found: dict[str, Any] = {}
        if self.heading:
            found["heading"] = self.heading
        if self.layout:
            found["layout"] = self.layout
        if self.strategy:
            found |= {"strategy": self.strategy, "segment_strategies": {}, "sources": []}
        if self.size is not None:
            found["size"] = self.size
        if self.diversity is not None:
            found["diversity"] = self.diversity
        weights = {name: getattr(self, name) for name in WEIGHT_FIELDS}
        if any(weight is not None for weight in weights.values()):  # one that is set beside others sets them all
            found |= {name: weight or 0 for name, weight in weights.items()}
        return found


class ExperimentDay(models.Model):
    """What an experiment said at the end of a day, for its chart: by metric and arm, lift with its interval."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    figures = models.JSONField(default=dict)

    class Meta:
        ordering = ["experiment", "day"]
        constraints = [models.UniqueConstraint(fields=["experiment", "day"], name="one_row_an_experiment_day")]

    def __str__(self) -> str:
        return f"{self.experiment} on {self.day}"


class HoldOut(models.Model):
    """A share of users without a rule, a campaign, or any personal list, by which their effect is measured."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="hold_outs")
    rule = models.OneToOneField(Rule, null=True, blank=True, on_delete=models.CASCADE, related_name="hold_out")
    campaign = models.OneToOneField(Campaign, null=True, blank=True, on_delete=models.CASCADE, related_name="hold_out")
    percent = models.PositiveSmallIntegerField(
        gettext_lazy("share without it, %"), default=5, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    metric = models.CharField(gettext_lazy("judged by"), max_length=16, choices=Metric.choices, default=Metric.REVENUE)
    ends_itself = models.BooleanField(
        gettext_lazy("withdraw what does harm"),
        default=False,
        help_text=gettext_lazy(
            "Withdraws the rule, or the campaign's rules, once the whole interval of the effect is below zero."
        ),
    )
    is_active = models.BooleanField(default=True)
    salt = models.CharField(max_length=32, default=new_salt, editable=False)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "hold-out"
        ordering = ["site", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(rule__isnull=True, campaign__isnull=True),
                name="one_global_hold_out_a_site",
            )
        ]

    def __str__(self) -> str:
        return str(self.rule or self.campaign or _("every personal list and rule"))

    def clean(self) -> None:
        """Refuse a hold-out of two things, or of another site's."""
        if self.rule is not None and self.campaign is not None:
            raise ValidationError({"campaign": _("Choose a rule or a campaign; leave both empty for the whole site.")})
        for name, held in (("rule", self.rule), ("campaign", self.campaign)):
            if held is not None and held.site_id != self.site_id:
                raise ValidationError(
                    {
                        name: _("%(held)s belongs to another site; choose one of %(site)s.")
                        % {"held": held, "site": self.site}
                    }
                )

    @property
    def key(self) -> str:
        """The name under which the stream counts it."""
        return f"h{self.pk}"

    def covers_site(self) -> bool:
        """Return whether everything is held out, and not a rule or a campaign alone."""
        return self.rule_id is None and self.campaign_id is None


def shares_of_groups(site: Site, *, without: int | None = None) -> dict[str, list[tuple[int, int]]]:
    """Return which parts of each exclusion group running experiments have, in per cent from and until."""
    taken: dict[str, list[tuple[int, int]]] = {}
    rows: Any = Experiment.objects.filter(site=site, status=Experiment.Status.RUNNING).exclude(group="")
    for row in rows.exclude(pk=without):
        taken.setdefault(row.group, []).append((row.group_start, row.group_start + row.group_share))
    return taken
