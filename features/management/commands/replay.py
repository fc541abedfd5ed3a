"""Rebuild all states from the archive or from the log."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from features.archive.replay import Replayer, check_empty, empty_states
from features.archive.writer import ArchiveFolder
from features.catalogue.known import loaded_keys_of_site
from features.exceptions import FeatureError
from features.exchange.site import loaded_money_of
from features.privacy import erasure
from features.privacy.restored import restore_erased
from features.store import connections
from features.store.online import OnlineStore
from features.stream.sources.dropped import drops_of, quarantined_names
from tracking.access.voices import voice_of
from tracking.exceptions import TrackingError
from tracking.management.sites import sites_named
from tracking.redis_client import connect


class Command(BaseCommand):
    help = "Rebuild the features of all users from the archive or the log. Stop the stream workers first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--source", choices=("archive", "log"), default="archive", help="Where events are read; archive by default."
        )
        parser.add_argument("--redis-url", default="", help="Redis to write to; REDIS_URL by default.")
        parser.add_argument("--site", action="append", help="Only these sites (archive only); all by default.")
        parser.add_argument("--flush", action="store_true", help="Delete the states that are there first.")

    def handle(self, *args: Any, **options: Any) -> None:
        partitions = connections.partitions()
        url = options["redis_url"] or settings.REDIS_URL
        client = connect(url, timeout_s=connections.WORKER_TIMEOUT_S)
        store = OnlineStore(
            client,
            log_name=connections.log_name(),
            session_ttl_s=settings.SESSION_TTL_S,
            profile_ttl_s=settings.PROFILE_TTL_S,
        )
        try:
            if options["flush"]:
                deleted = empty_states(client, partitions=partitions, log_name=store.log_name)
                self.stdout.write(f"{deleted} keys deleted")
            check_empty(client, partitions=partitions)
            erased = restore_erased(connections.event_log(), store, partitions=partitions)
            if erased:
                self.stdout.write(f"{erased} erased users of the log are left out")
            replayer = Replayer(
                store,
                partitions=partitions,
                lateness_ms=settings.LATENESS_MS,
                is_erased=erasure.erased_check(),
                keys_of_site=loaded_keys_of_site,
                money_of=loaded_money_of,
                voices=voice_of,
                drops=drops_of(quarantined_names()),
            )
            if options["source"] == "log":
                replayer.from_log(connections.event_log(), report=self._report)
            else:
                sites = [site.slug for site in sites_named(options["site"])]
                replayer.from_archive(ArchiveFolder(settings.ARCHIVE_URL), sites=sites, report=self._report)
                replayer.begin_at_the_log()
        except (FeatureError, TrackingError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{replayer.records} records replayed into {partitions} partitions")

    def _report(self, records: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{records} records", ending="")
            self.stderr.flush()
