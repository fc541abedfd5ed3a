"""What is saved or deleted one by one announces what is held of it in memory; bulk writers announce once a batch."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from features.catalogue.site import announce_catalogue
from features.exchange.site import announce_money
from features.models import ExchangeRate, Item
from tracking.models import Site


@receiver(post_save, sender=Item, dispatch_uid="features.item_saved")
@receiver(post_delete, sender=Item, dispatch_uid="features.item_deleted")
def announce_item(sender: type[Item], instance: Item, **kwargs: Any) -> None:
    """Tell every process that the site's catalogue changed, once the transaction is committed."""
    announce_catalogue(instance.site.slug)


@receiver(post_save, sender=Site, dispatch_uid="features.site_saved")
def announce_currency(sender: type[Site], instance: Site, **kwargs: Any) -> None:
    """Tell every process that the site's currency may have changed."""
    announce_money(instance.slug)


@receiver(post_save, sender=ExchangeRate, dispatch_uid="features.rate_saved")
@receiver(post_delete, sender=ExchangeRate, dispatch_uid="features.rate_deleted")
def announce_rate(sender: type[ExchangeRate], instance: ExchangeRate, **kwargs: Any) -> None:
    """Tell every process that the site's rates changed."""
    announce_money(instance.site.slug)
