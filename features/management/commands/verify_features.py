"""Compare the states that serve now with those that a replay makes of the same events."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from features.archive.replay import Replayer, check_empty, differences
from features.archive.writer import ArchiveFolder
from features.exceptions import FeatureError
from features.exchange.site import loaded_money_of
from features.privacy import erasure
from features.state import progress
from features.store import connections, orders, scan
from features.store.online import OnlineStore
from features.stream.sources.dropped import drops_of, forgotten_names
from tracking.access.voices import voice_of
from tracking.exceptions import TrackingError
from tracking.management.sites import sites_named
from tracking.redis_client import connect


class Command(BaseCommand):
    help = (
        "Replay into an empty Redis (--replay-url) and print where the features that serve now differ. "
        "Ends with status 1 when they do. Events of the last seconds may not be in the archive yet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--replay-url", required=True, help="An empty Redis database, such as redis://host:6379/9")
        parser.add_argument(
            "--source", choices=("archive", "log"), default="archive", help="Where events are read; archive by default."
        )
        parser.add_argument("--site", help="Only this site.")
        parser.add_argument(
            "--every", type=int, default=1, metavar="N", help="Compare every N-th user, chosen by the hash of the key."
        )
        parser.add_argument("--limit", type=int, default=20, help="Differences to print.")

    def handle(self, *args: Any, **options: Any) -> None:
        partitions = connections.partitions()
        client = connect(options["replay_url"], timeout_s=connections.WORKER_TIMEOUT_S)
        store = OnlineStore(
            client, log_name=connections.log_name(), session_ttl_s=86_400, profile_ttl_s=settings.PROFILE_TTL_S
        )
        try:
            check_empty(client, partitions=partitions)
            orders.copy_owners(connections.client(), client)
            replayer = Replayer(
                store,
                partitions=partitions,
                lateness_ms=settings.LATENESS_MS,
                is_erased=erasure.erased_check(),
                money_of=loaded_money_of,
                voices=voice_of,
                drops=drops_of(forgotten_names()),
            )
            if options["source"] == "log":
                replayer.from_log(connections.event_log())
            else:
                sites = [site.slug for site in sites_named([options["site"]] if options["site"] else None)]
                replayer.from_archive(ArchiveFolder(settings.ARCHIVE_URL), sites=sites)
            found = 0
            for difference in differences(
                connections.client(),
                client,
                partitions=partitions,
                lateness_ms=settings.LATENESS_MS,
                site=options["site"] or "*",
                every=max(1, options["every"]),
            ):
                found += 1
                if found <= options["limit"]:
                    self.stdout.write(
                        f"{difference.site} {difference.view} of {difference.user_key}: {difference.what}"
                    )
        except (FeatureError, TrackingError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{replayer.records} records replayed, {found} differences")
        online = scan.read_progress(connections.client(), partitions=partitions, log_name=connections.log_name())
        late = sum(one.ledger.get(progress.LATE, 0) for one in online.values())
        if found and late and options["source"] == "archive":
            self.stdout.write(
                f"{late} events came too late to count online and stand in the archive; a replay of it counts them. "
                "`manage.py replay --flush` takes them into the features."
            )
        if found:
            sys.exit(1)
