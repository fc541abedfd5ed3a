"""``manage.py evaluate``: train on sessions, answer test points through the serving pipeline, print the metrics."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from recommendations.exceptions import RecommendationError
from recommendations.graphs.export import export_model_set
from recommendations.graphs.fold_in import Target
from recommendations.management.progress import StepProgress
from recommendations.release.baseline import PipelinePredictor
from recommendations.training.data.readers import read_sessions_jsonl, read_test_points_jsonl
from recommendations.training.evaluation.evaluate import by_index, evaluate, points_from_ids
from recommendations.training.settings import TrainingSettings
from recommendations.training.train import train_model_set
from recommendations.versions.folder import load_version

PRINTED = ("hr@20", "mrr@20", "ndcg@10", "coverage@20", "new_hr@20")


class Command(BaseCommand):
    help = (
        "Train the default model set on sessions and measure the served lists on test points. Needs no database, no"
        " Redis and no settings."
    )
    requires_system_checks = []  # as Django has it; they ask for what a server needs, such as a secret key

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--sessions", type=Path, required=True, help="A JSON list of item ids a line, oldest first."
        )
        parser.add_argument("--test", type=Path, required=True, help='{"prefix": [ids], "target": id} a line.')
        parser.add_argument("--limit", type=int, help="Use only so many test points, spread evenly.")
        parser.add_argument("--threads", type=int, default=2, help="Threads to train with (default: 2).")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console()
        started = time.monotonic()
        try:
            if options["limit"] is not None and options["limit"] < 1:
                raise CommandError(f"--limit={options['limit']} is not a whole number above 0")
            log = read_sessions_jsonl(options["sessions"])
            points = read_test_points_jsonl(options["test"])
            if options["limit"] and options["limit"] < len(points):
                chosen = np.linspace(0, len(points) - 1, options["limit"]).astype(int)
                points = [points[index] for index in chosen]
            with StepProgress(console) as progress, tempfile.TemporaryDirectory() as folder:
                # Nothing is held out: what is measured stands in the other file.
                fitted = train_model_set(
                    log, settings=TrainingSettings(held_out=0.0, num_threads=options["threads"]), progress=progress
                )
                version = Path(folder) / "version"
                export_model_set(fitted, version, targets=frozenset({Target.CPU}))
                model = load_version(version, providers="cpu", check_answers=False).model_set
                test = points_from_ids(points, fitted.item_ids)
                found = evaluate(
                    by_index(PipelinePredictor(model), fitted.item_ids),
                    test,
                    item_counts=log.reindexed(fitted.item_ids).counts(),
                    progress=progress,
                )
        except RecommendationError as error:
            raise CommandError(str(error)) from error
        took_s = time.monotonic() - started
        unknown = float(np.mean(test.targets == 0))
        for name in PRINTED:
            if name in found.metrics.values:
                console.print(f"{name.upper():12} {found.metrics.values[name]:.4f}", highlight=False)
        console.print(f"{'ms/request':12} p50 {found.p50_ms:.2f}, p99 {found.p99_ms:.2f}", highlight=False)
        console.print(f"{len(points):,} test points; {unknown:.2%} of the targets are unknown and count as misses")
        console.print(f"trained and measured in {took_s:,.0f} s", highlight=False)
