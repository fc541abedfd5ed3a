"""Start every process of an installation on one machine."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from recsite.importing.base import InvalidSource
from recsite.importing.formats import FORMATS, choose
from recsite.supervisor.embedded_redis import RedisMissing
from recsite.supervisor.installation import Installation
from recsite.supervisor.up import StartFailed, Up


class Command(BaseCommand):
    """Start Redis (when REDIS_URL is not set), web, stream worker, task worker and beat; Ctrl-C stops them all."""

    help = __doc__ or ""
    requires_system_checks = ()
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--demo", action="store_true", help="make the demo shop, train a model, serve the shop at /"
        )
        parser.add_argument(
            "--data",
            type=Path,
            help="with --demo: a real log to load in place of simulated shoppers: a file, a folder or a pattern",
        )
        parser.add_argument("--format", choices=list(FORMATS), help="format of --data")
        for option in ("--map", "--event"):
            parser.add_argument(option, action="append", default=[], help=f"as {option} of import_events, of --data")
        parser.add_argument(
            "--no-shoppers", action="store_true", help="with --demo: nobody but you walks through the shop"
        )
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default: 8000)")
        parser.add_argument("--web-workers", type=int, default=2, help="web processes (default: 2)")
        parser.add_argument("--started-at", type=float, default=None, help="epoch seconds of the command's start")

    def handle(self, *args: Any, **options: Any) -> None:
        data_arguments = _data_arguments(**{name: options[name] for name in ("data", "format", "map", "event")})
        if not 1 <= options["port"] <= 65535:
            raise CommandError(f"--port {options['port']} is not a port; use 1 to 65535")
        installation = Installation(
            project=Path(settings.BASE_DIR),
            data=Path(settings.DATA_DIR),
            host=options["host"],
            port=options["port"],
            web_workers=max(1, options["web_workers"]),
            demo=options["demo"],
        )
        if options["demo"]:
            os.environ.setdefault("RECSITE_DEMO", "1")
        up = Up(
            installation,
            data_arguments=data_arguments,
            console=Console(),
            started_s=options["started_at"] or time.time(),
            has_shoppers=not options["no_shoppers"],
        )
        try:
            up.run()
        except (StartFailed, RedisMissing, RuntimeError) as error:
            raise CommandError(str(error)) from error


def _data_arguments(*, data: Path | None, format: str | None, map: Sequence[str], event: Sequence[str]) -> list[str]:
    """Return the arguments of ``demo_data`` for a real log; a file that cannot be read is refused before the start."""
    if data is None:
        return []
    try:
        choose([data], file_format=format, is_mapped=bool(map))
    except InvalidSource as error:
        raise CommandError(f"--data: {error}; or leave DATA out") from error
    mapped = [f"--{option}={each}" for option, given in (("map", map), ("event", event)) for each in given]
    return ["--data", str(data.resolve()), *([f"--format={format}"] if format else []), *mapped]
