"""Screens of the catalogue."""

from features.admin.feeds import FeedAdmin, FeedRunAdmin
from features.admin.items import ItemAdmin

__all__ = ["FeedAdmin", "FeedRunAdmin", "ItemAdmin"]
