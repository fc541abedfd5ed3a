"""The catalogue: an item's attributes are features of the item."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracking.models import Site


class Item(models.Model):
    """Something that can be recommended; a product variant is an item of its own if it has its own id."""

    class Availability(models.TextChoices):
        IN_STOCK = "in_stock", "in stock"
        OUT_OF_STOCK = "out_of_stock", "out of stock"
        PREORDER = "preorder", "pre-order"
        BACKORDER = "backorder", "back-order"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="items")
    item_id = models.CharField(max_length=128)
    title = models.CharField(max_length=500)
    titles = models.JSONField(default=dict, blank=True, help_text='Titles by locale, such as {"de": "…"}.')
    description = models.TextField(blank=True)
    brand = models.CharField(max_length=100, blank=True)
    category = models.CharField(
        max_length=500, blank=True, db_index=True, help_text="Path from general to special, joined by ' > '."
    )
    url = models.CharField(max_length=2000, blank=True)
    image_url = models.CharField(max_length=2000, blank=True)
    price_minor = models.BigIntegerField(
        null=True, blank=True, help_text="In the currency's smallest unit, such as cents."
    )
    sale_price_minor = models.BigIntegerField(null=True, blank=True)
    cost_minor = models.BigIntegerField(
        null=True, blank=True, help_text="For margin; never leaves the server."
    )
    currency = models.CharField(max_length=3, blank=True)
    availability = models.CharField(
        max_length=16, choices=Availability.choices, default=Availability.IN_STOCK
    )
    stock = models.IntegerField(null=True, blank=True, help_text="Pieces; empty means not counted.")
    group_id = models.CharField(
        max_length=128, blank=True, help_text="Shared by the variants of one product."
    )
    tags = models.JSONField(default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True, help_text="Other attributes, usable in filters.")
    is_active = models.BooleanField(default=True, help_text="Inactive items are never recommended.")
    first_seen_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        ordering = ["item_id"]
        constraints = [models.UniqueConstraint(fields=["site", "item_id"], name="one_item_id_per_site")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_recommendable(self) -> bool:
        """Whether the item may appear in a list at all: active, not sold out."""
        return (
            self.is_active
            and self.availability != self.Availability.OUT_OF_STOCK
            and (self.stock is None or self.stock > 0)
        )
