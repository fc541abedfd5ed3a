"""Candidate sources of a site's own, declared in the admin: services that are asked over HTTP, and leaderboards."""

from __future__ import annotations

from typing import Final

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy

from recommendations.filters import formula
from tracking.models import Site

NAME: Final = r"^[a-z][a-z0-9_]{0,39}$"


class OwnSource(models.Model):
    """What every source of a site's own has. What is saved is served within two seconds."""

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="%(class)ss")
    name = models.CharField(
        max_length=40,
        validators=[RegexValidator(NAME, gettext_lazy("Use lower-case letters, digits and underscores."))],
        help_text=gettext_lazy("Placements name it under “Sources”, and replies as an item's reason."),
    )
    label = models.CharField(
        gettext_lazy("reason in words"),
        max_length=100,
        blank=True,
        help_text=gettext_lazy("Why an item of it is listed, as merchandisers read it. Empty: its name."),
    )
    weight = models.FloatField(
        default=1.0,
        validators=[MinValueValidator(0.001), MaxValueValidator(100.0)],
        help_text=gettext_lazy(
            "How much its order counts where a placement adds it (+name) to the sources of its strategy; those have "
            "0.05 to 1."
        ),
    )
    is_active = models.BooleanField(
        gettext_lazy("switched on"), default=True, help_text=gettext_lazy("Off: lists are made without it.")
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True
        ordering = ["site", "name"]

    def __str__(self) -> str:
        return self.name


class HttpSource(OwnSource):
    """A service of the shop that proposes items, asked over HTTPS while a list is made."""

    class Answer(models.TextChoices):
        IDS = "ids", gettext_lazy("item ids, best first")
        SCORED = "scored", gettext_lazy("item ids with scores")

    url = models.URLField(
        gettext_lazy("address"),
        max_length=2_000,
        help_text=gettext_lazy(
            "Of the shop's service, such as https://recs.example.com/candidates. Public, and https."
        ),
    )
    secret = models.CharField(
        max_length=128,
        blank=True,
        help_text=gettext_lazy("Signs what is sent, in the header Recsite-Signature; the service compares it."),
    )
    budget_ms = models.PositiveSmallIntegerField(
        gettext_lazy("time budget, ms"),
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(500)],
        help_text=gettext_lazy("So long a list waits for it at most, and less where less of its own time is left."),
    )
    answer = models.CharField(gettext_lazy("answer"), max_length=16, choices=Answer.choices, default=Answer.IDS)
    sends_ids = models.BooleanField(
        gettext_lazy("tells who it is"),
        default=False,
        help_text=gettext_lazy(
            "Send the user's key (u:… or a:…) beside what was looked at. Off: the service knows nobody."
        ),
    )

    class Meta(OwnSource.Meta):
        verbose_name = gettext_lazy("source over HTTP")
        verbose_name_plural = gettext_lazy("sources over HTTP")
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_http_source_name_per_site")]


class Leaderboard(OwnSource):
    """Items by the value of a formula over their figures."""

    formula = models.CharField(
        max_length=formula.MAX_LENGTH,
        help_text=gettext_lazy(
            "Such as purchases_7d / (views_7d + 20) * margin. The largest values come first; an item that lacks a "
            "figure is left out."
        ),
    )

    class Meta(OwnSource.Meta):
        verbose_name = gettext_lazy("leaderboard")
        verbose_name_plural = gettext_lazy("leaderboards")
        constraints = [models.UniqueConstraint(fields=["site", "name"], name="one_leaderboard_name_per_site")]
