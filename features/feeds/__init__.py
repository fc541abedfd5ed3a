"""Feeds: files, uploads, URLs and API rows into the catalogue; programs call ``upsert_items(site, rows)``."""

from features.feed_files.report import BadRow, FeedReport, RawRow
from features.feeds.writer import load_rows, upsert_items

__all__ = ["BadRow", "FeedReport", "RawRow", "load_rows", "upsert_items"]
