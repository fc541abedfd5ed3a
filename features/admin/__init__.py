"""Screens of the catalogue."""

from features.admin.feeds import FeedAdmin, FeedRunAdmin
from features.admin.items import ItemAdmin
from features.admin.rates import ExchangeRateAdmin
from features.admin.segments import RfmSnapshotAdmin, SegmentThresholdAdmin
from features.admin.sources import QuarantinedSourceAdmin

__all__ = [
    "ExchangeRateAdmin",
    "FeedAdmin",
    "FeedRunAdmin",
    "ItemAdmin",
    "QuarantinedSourceAdmin",
    "RfmSnapshotAdmin",
    "SegmentThresholdAdmin",
]
