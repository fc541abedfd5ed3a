"""``manage.py train_spark``: what ``train`` does, for logs that outgrow one machine; without a ranker."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from features.exceptions import StoreUnavailable
from recommendations.exceptions import RecommendationError
from recommendations.management.outcome import print_measured, print_outcome
from recommendations.management.progress import StepProgress
from recommendations.release.lock import training_lock
from recommendations.release.train_spark import train_site_on_spark
from recommendations.training.settings import TrainingSettings
from tracking.management.sites import site_named


class Command(BaseCommand):
    help = "Train on Apache Spark from the same archive; export, gate and serving are those of train."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--site", required=True, help="Slug of the site.")
        parser.add_argument("--master", default="local[2]", help="local[N], spark://host:port, yarn or k8s://…")
        parser.add_argument("--memory-mb", type=int, default=4_096, help="Heap of the driver (default: 4096).")
        parser.add_argument("--partitions", type=int, default=0, help="Of each shuffle; 0 leaves it to Spark.")
        parser.add_argument("--factors", type=int, default=128, help="Size of the ALS factors (default: 128).")
        parser.add_argument("--no-promote", action="store_true", help="Register only; promote in the admin.")

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_named(options["site"])
        console = Console()
        started = time.monotonic()
        try:
            with training_lock(f"manage.py train_spark of {site.slug}") as check, StepProgress(console) as progress:

                def told(step: str, done: int, total: int) -> None:
                    check()
                    progress(step, done, total)

                version = train_site_on_spark(
                    site,
                    master=options["master"],
                    settings=TrainingSettings(factors=options["factors"]),
                    memory_mb=options["memory_mb"],
                    partitions=options["partitions"],
                    promotes=not options["no_promote"],
                    progress=told,
                    on_fitted=lambda fitted: print_measured(console, fitted.metrics),
                )
        except (RecommendationError, StoreUnavailable) as error:
            raise CommandError(str(error)) from error
        print_outcome(console, version, took_s=time.monotonic() - started)
