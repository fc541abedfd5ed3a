"""``manage.py train``: from a site's archive to a model version that answers."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from recommendations.exceptions import ExportFailed, ModelUnavailable, RecommendationError, VersionRefused
from recommendations.management.progress import StepProgress
from recommendations.models import ModelVersion
from recommendations.registry import train_site
from recommendations.training.dataset import InvalidDataset
from recommendations.training.fitted import FittedModelSet
from recommendations.training.readers import read_sessions_jsonl
from recommendations.training.settings import TrainingSettings
from tracking.models import Site

SHOWN = ("hr@20", "mrr@20", "ndcg@10", "new_hr@20", "coverage@20")


class Command(BaseCommand):
    help = "Train, evaluate, export and register a model version; it answers once the gate has let it pass."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", help="Slug of the site; may be left out while there is one.")
        parser.add_argument(
            "--sessions", type=Path, help="JSON lists of item ids, one a line, in place of the archive."
        )
        parser.add_argument("--quick", action="store_true", help="Smaller factors, fewer queries: for trying out.")
        parser.add_argument("--no-promote", action="store_true", help="Register only; promote in the admin.")
        parser.add_argument("--promote", action="store_true", help="What is done anyway, for clarity in scripts.")
        parser.add_argument("--threads", type=int, default=2, help="Threads to train with (default: 2).")
        parser.add_argument(
            "--tune-minutes", type=float, default=0.0, help="Search the ranker's parameters for so long (default: 0)."
        )
        parser.add_argument(
            "--margin-weight", type=float, default=0.0, help="0: every sale counts alike. 1: by what it earns."
        )
        parser.add_argument(
            "--position-clip",
            type=float,
            default=0.0,
            help="Correct clicks in lists for their place, by a factor of so much at most; 10 is usual (default: 0).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = _site(options["site"])
        console = Console(stderr=False)
        started = time.monotonic()
        try:
            settings = TrainingSettings(
                num_threads=options["threads"],
                tune_minutes=options["tune_minutes"],
                margin_weight=options["margin_weight"],
                position_clip=options["position_clip"],
            )
            if options["quick"]:
                settings = replace(
                    settings, factors=64, als_iterations=6, max_queries=6_000, tuning_queries=1_500, max_points=6_000,
                    trees=80,
                )  # fmt: skip
            log = read_sessions_jsonl(options["sessions"]) if options["sessions"] else None
            with StepProgress(console) as progress:
                version = train_site(
                    site,
                    log=log,
                    settings=settings,
                    promotes=not options["no_promote"],
                    progress=progress,
                    on_fitted=lambda fitted: _print_table(console, fitted),
                )
        except (InvalidDataset, ExportFailed) as error:
            raise CommandError(str(error)) from error
        except (VersionRefused, ModelUnavailable) as error:
            raise CommandError(f"the version was trained and cannot answer: {error}") from error
        except RecommendationError as error:
            raise CommandError(str(error)) from error
        for check in version.gate_report:
            console.print(f"{'✓' if check['passed'] else '✗'} {check['name']}: {check['reason']}", highlight=False)
        version.refresh_from_db()
        console.print(f"{version.version}: {version.get_status_display()}, after {time.monotonic() - started:.0f} s")
        if version.status == ModelVersion.Status.REFUSED:
            raise CommandError(f"the gate refused {version.version}; what was live still is")


def _print_table(console: Console, fitted: FittedModelSet) -> None:
    if not fitted.metrics:
        return
    # What fits a terminal of 80 columns; the admin shows the rest.
    table = Table("predictor", *SHOWN, title="Held-out time, next item over the full catalogue")
    for name, values in fitted.metrics.items():
        table.add_row(name, *(f"{values[column]:.3f}" for column in SHOWN))
    console.print(table)


def _site(slug: str | None) -> Site:
    if slug is not None:
        site = Site.objects.filter(slug=slug).first()
        if site is None:
            raise CommandError(f"--site={slug!r} is unknown; there are: {', '.join(_slugs()) or 'none'}")
        return site
    if len(_slugs()) != 1:
        raise CommandError(f"name a site with --site; there are: {', '.join(_slugs()) or 'none'}")
    return Site.objects.get()


def _slugs() -> list[str]:
    return list(Site.objects.values_list("slug", flat=True))
