"""``manage.py train``: from a site's archive to a model version that answers."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from features.exceptions import StoreUnavailable
from recommendations.exceptions import ModelUnavailable, RecommendationError, VersionRefused
from recommendations.management.outcome import print_measured, print_outcome
from recommendations.management.progress import StepProgress
from recommendations.models import TrainingPolicy
from recommendations.release.lock import training_lock
from recommendations.release.train import settings_of, train_site
from recommendations.training.data.readers import read_sessions_jsonl
from recommendations.training.stages import WorkFolder
from tracking.management.sites import site_named
from tracking.models import Site

POLICY_OPTIONS = ("tune_minutes", "margin_weight", "position_clip", "counts_products")
"""Options that a site's training policy says unless they are given."""


class Command(BaseCommand):
    help = (
        "Train, evaluate, export and register a model version; it answers once the gate has let it pass. A run that was"
        " killed is resumed by the next one of the same settings within twelve hours."
    )

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
            "--counts-products",
            action=argparse.BooleanOptionalAction,
            help="Learn about products in place of variants: items of one group id are one (default: the policy's).",
        )
        parser.add_argument(
            "--tune-minutes", type=float, help="Search the ranker's parameters for so long (default: the policy's)."
        )
        parser.add_argument(
            "--margin-weight",
            type=float,
            help="0: every sale counts alike. 1: by its margin (default: the policy's).",
        )
        parser.add_argument(
            "--position-clip",
            type=float,
            help="Correct clicks in lists for their position, by a factor of so much at most; 10 is usual (default: the"
            " policy's).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_named(options["site"])
        console = Console(stderr=False)
        started = time.monotonic()
        try:
            with training_lock(f"manage.py train of {site.slug}") as check, StepProgress(console) as progress:

                def told(step: str, done: int, total: int) -> None:
                    check()
                    progress(step, done, total)

                version = train_site(
                    site,
                    log=read_sessions_jsonl(options["sessions"]) if options["sessions"] else None,
                    settings=_settings(site, options),
                    promotes=not options["no_promote"],
                    progress=told,
                    on_fitted=lambda fitted: print_measured(console, fitted.metrics),
                    on_taken_over=lambda work: _print_taken_over(console, work),
                )
        except (VersionRefused, ModelUnavailable) as error:
            raise CommandError(f"the version was trained and cannot answer: {error}") from error
        except (RecommendationError, StoreUnavailable) as error:
            raise CommandError(str(error)) from error
        print_outcome(console, version, took_s=time.monotonic() - started)


def _settings(site: Site, options: dict[str, Any]) -> Any:
    policy, _ = TrainingPolicy.objects.get_or_create(site=site)
    given = {name: options[name] for name in POLICY_OPTIONS if options[name] is not None}
    settings = replace(settings_of(policy), num_threads=options["threads"], **given)
    if options["quick"]:
        settings = replace(
            settings, factors=64, als_iterations=6, max_queries=6_000, tuning_queries=1_500, max_points=6_000, trees=80
        )
    return settings


def _print_taken_over(console: Console, work: WorkFolder) -> None:
    begun = f"{datetime.fromtimestamp(work.begun_at_s, UTC):%H:%M} UTC"
    console.print(f"resumes the run begun at {begun}, which had: {', '.join(work.ready)}", highlight=False)
