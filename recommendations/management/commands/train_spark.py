"""``manage.py train_spark``: what ``train`` does, for logs that outgrow one machine; without a ranker."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from recommendations.exceptions import RecommendationError
from recommendations.management.progress import StepProgress
from recommendations.models import ModelVersion
from recommendations.registry_spark import train_site_on_spark
from recommendations.training.fitted import FittedModelSet
from recommendations.training.settings import TrainingSettings
from tracking.models import Site

SHOWN = ("hr@20", "mrr@20", "ndcg@10", "new_hr@20", "coverage@20")


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
        site = Site.objects.filter(slug=options["site"]).first()
        if site is None:
            known = ", ".join(Site.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(f"--site={options['site']!r} is unknown; there are: {known}")
        console = Console()
        started = time.monotonic()
        try:
            with StepProgress(console) as progress:
                version = train_site_on_spark(
                    site,
                    master=options["master"],
                    settings=TrainingSettings(factors=options["factors"]),
                    memory_mb=options["memory_mb"],
                    partitions=options["partitions"],
                    promotes=not options["no_promote"],
                    progress=progress,
                    on_fitted=lambda fitted: _print_table(console, fitted),
                )
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
    table = Table("predictor", *SHOWN, title="Held-out time, next item over the full catalogue")
    for name, values in fitted.metrics.items():
        table.add_row(name, *(f"{values[column]:.3f}" for column in SHOWN))
    console.print(table)
