"""An item that is saved or deleted one by one announces its catalogue; bulk writers announce once a batch."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from features.catalogue.site import announce_catalogue
from features.models import Item


@receiver(post_save, sender=Item, dispatch_uid="features.item_saved")
@receiver(post_delete, sender=Item, dispatch_uid="features.item_deleted")
def announce_item(sender: type[Item], instance: Item, **kwargs: Any) -> None:
    """Tell every process that the site's catalogue changed, once the transaction is committed."""
    announce_catalogue(instance.site.slug)
