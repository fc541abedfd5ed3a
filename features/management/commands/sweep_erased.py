"""Erase again what came back of erased users: after a restored backup of the database or of the archive."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from features.privacy.sweep import sweep_erased


class Command(BaseCommand):
    """Also run each night by itself; safe beside running workers."""

    help = __doc__ or ""

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            swept = sweep_erased()
        except OSError as error:
            raise CommandError(
                f"the archive is unavailable: {error}; check RECSITE_ARCHIVE_URL and run it again"
            ) from error
        self.stdout.write(
            f"Tombstones restored: {swept.in_database} in the database, {swept.beside_archive} beside the archive."
        )
        self.stdout.write(f"Erased again: {swept.profiles} stored profiles, {swept.rows} rows of the archive.")
        self.stdout.write("Next: `manage.py replay --source archive --flush` where features were restored, too.")
