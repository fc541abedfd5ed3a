"""Send records of a newer schema again that waited for an upgrade."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from features.exceptions import FeatureError
from features.store import connections
from features.stream.unpark import unpark
from tracking.exceptions import LogUnavailable


class Command(BaseCommand):
    help = "Send records of a newer schema again that waited for an upgrade; run it once after one."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = unpark(connections.event_log(), connections.store())
        except (FeatureError, LogUnavailable) as error:
            raise CommandError(f"{error}; run it again, it goes on where it was") from error
        self.stdout.write(f"{found.sent} records sent again, {found.broken} broken, {found.waiting} still too new.")
        if found.waiting:
            self.stdout.write("Next: upgrade to the version that writes them, then run this again.")
