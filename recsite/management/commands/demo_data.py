"""Set up the demo shop: site, key, placements, catalogue, simulated shoppers, a login; or a real log in their place."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError
from redis import RedisError
from rich.console import Console

from features.feeds import upsert_items
from features.store import connections
from recommendations.exceptions import ModelUnavailable
from recommendations.tasks import roll_up_reports
from recsite.demo import setup
from recsite.demo.experiments import ensure_experiments
from recsite.demo.merchandising import ensure_merchandising
from recsite.demo.source import DemoSource, end_of_history
from recsite.demo.trained import give_up_refused
from recsite.importing.checkpoint import Checkpoint
from recsite.importing.formats import FORMATS
from recsite.importing.loading import Importer, ImportFailed
from recsite.importing.progress import progress_bar
from recsite.importing.verdict import Verdict
from tracking.log import open_log
from tracking.models import Site

FIRST_REPORTS_S = (20, 35, 50)
"""So long after the data are made the reports are added up, beside each minute's turn: while the history is counted
and the first model is trained, so that there are figures when that is done."""


class Command(BaseCommand):
    help = (
        "Make the demo shop: its site, publishable key, placements, 2,000 products, 60 days of simulated shoppers' "
        "events and a staff user. A second run reuses what is there. With --data, a real log takes the place of the "
        "products and shoppers."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, help="A real log to load in place of the simulated shop.")
        parser.add_argument(
            "--format", choices=list(FORMATS), help="Format of --data; told from name and content when left out."
        )

        for option in ("--map", "--event"):
            parser.add_argument(option, action="append", default=[], help=f"As {option} of import_events, of --data.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO and not settings.DEBUG:
            raise CommandError("demo data is for trying out only; set RECSITE_DEMO=1 to say that this is such a place")
        console = Console()
        site, key = setup.ensure_site()
        setup.ensure_placements(site)
        password = setup.ensure_admin(Path(settings.DATA_DIR) / "admin_password")
        if options["data"] is not None:
            chosen = [f"--format={options['format']}"] if options["format"] else []
            chosen += [f"--{name}={each}" for name in ("map", "event") for each in options[name]]
            self._import(options["data"], site, *chosen)
            setup.give_pages(site)
        else:
            self._simulate(site, console)
            ensure_merchandising(site)
            self._experiment(site, console)
            self._add_up_soon()
        self._look_at_model(site, console)
        console.print(
            f"  shop key {key}" + (f" · admin / {password}" if password else ""), style="dim", highlight=False
        )

    def _experiment(self, site: Site, console: Console) -> None:
        try:
            ensure_experiments(site, connections.client())
        except RedisError as error:
            console.print(
                f"  no experiments yet: Redis does not answer ({error}); run `manage.py demo_data` again later"
            )

    def _add_up_soon(self) -> None:
        """Have the reports added up while the demo starts; without a broker they are in the first minutes' turns."""
        try:
            for delay_s in FIRST_REPORTS_S:
                roll_up_reports.apply_async(countdown=delay_s, expires=delay_s + 60, retry=False)
        except OperationalError:
            return

    def _import(self, data: Path, site: Site, *chosen: str) -> None:
        """Load a real log; what it lost was printed, and a demo goes on with the rest."""
        try:
            call_command("import_events", str(data), "--site", site.slug, *chosen)
        except CommandError as error:
            if error.returncode != Verdict.WITH_LOSSES:
                raise

    def _look_at_model(self, site: Site, console: Console) -> None:
        try:
            refused = give_up_refused(site)
        except ModelUnavailable as error:
            console.print(f"  the model cannot run here: {error}", style="red", markup=False)
            return
        if refused is not None:
            (Path(settings.DATA_DIR) / "demo_ready").unlink(missing_ok=True)
            console.print(
                f"  this release refuses the trained model, so it is trained again: {refused}",
                markup=False,
                style="red",
            )

    def _simulate(self, site: Site, console: Console) -> None:
        folder = Path(settings.DATA_DIR) / "imports"
        source = DemoSource(end=end_of_history(Path(settings.DATA_DIR)), site=site.slug)
        checkpoint = Checkpoint(folder / f"{site.slug}-demo.json", "demo")
        importer = Importer(
            source,
            open_log(settings.EVENT_LOG_URL),
            checkpoint=checkpoint,
            report_path=folder / "demo_refused.tsv",
            on_progress=lambda progress: None,
        )
        if importer.progress.done:
            console.print(f"  reusing {importer.progress.events:,} events and the catalogue", style="dim")
            return
        report = upsert_items(site, source.items())
        console.print(f"  catalogue: {report.summary()}")
        try:
            with progress_bar("  shoppers' events", total=source.total(), console=console) as advance:
                importer.on_progress = lambda progress: advance(progress.units)
                progress = importer.run()
        except ImportFailed as error:
            raise CommandError(str(error)) from error
        console.print(f"  {progress.events:,} events appended, {progress.refused} refused")
