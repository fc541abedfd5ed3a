"""Load items from a file or an address into a site's catalogue."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from features.feed_files.readers import FORMATS
from features.feeds.columns import CHOICES
from features.feeds.runs import approve, load_address, load_file, options_of, separator_of
from features.feeds.writer import MOST_DEACTIVATED, LoadOptions
from features.models import Feed, FeedRun
from tracking.management.sites import site_named
from tracking.models import Site

SHOWN: int = 20


class Command(BaseCommand):
    help = (
        f"Load items from a file or a web address: {', '.join(one.words for one in FORMATS)}, packed or not. The "
        "encoding and the shop system that wrote the file are told from its content. Rows change only the fields they "
        "name; what was mended is counted, refused rows are listed with line, field and reason."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", metavar="PATH_OR_URL")
        parser.add_argument("--site", required=True, help="Slug of the site.")
        parser.add_argument("--feed", metavar="NAME", default="", help="Read it as this feed of the admin is read.")
        parser.add_argument(
            "--format",
            choices=[one.name for one in FORMATS],
            default="",
            help="Told from the content when left out.",
        )
        parser.add_argument(
            "--decimal", choices=[".", ","], default="", help="The decimal separator, for prices such as 1,299."
        )
        parser.add_argument(
            "--locale", default="", help="Language of a feed of translations, such as de: only its titles are taken."
        )
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="COLUMN=FIELD",
            help=f"What a column means, one of {', '.join(CHOICES)}; COLUMN= leaves it out. Repeatable.",
        )
        parser.add_argument(
            "--complete", action="store_true", help="The whole catalogue: items that are not in it are deactivated."
        )
        parser.add_argument(
            "--most-deactivated",
            type=float,
            metavar="PERCENT",
            default=None,
            help=f"With --complete: more than this share waits for approval; {MOST_DEACTIVATED:.0%}% when left out.",
        )
        parser.add_argument(
            "--approve", action="store_true", help="With --complete: deactivate what is missing, however much it is."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = site_named(options["site"])
        feed = self._feed(site, options["feed"])
        run = self._run(site, options["source"], feed=feed, how=self._how(feed, options))
        if options["approve"] and run.status == FeedRun.Status.WAITING:
            approve(run)
        self._tell(run)

    def _feed(self, site: Site, name: str) -> Feed | None:
        if not name:
            return None
        feed = Feed.objects.filter(site=site, name=name).first()
        if feed is None:
            known = ", ".join(Feed.objects.filter(site=site).values_list("name", flat=True)) or "none"
            raise CommandError(f"--feed {name!r} is not a feed of {site.slug}; there are: {known}")
        return feed

    def _how(self, feed: Feed | None, options: dict[str, Any]) -> LoadOptions:
        how = options_of(feed) if feed else LoadOptions(is_strict=False)
        share = options["most_deactivated"]
        if share is not None and not 0 <= share <= 100:
            raise CommandError(f"--most-deactivated {share} is not a share; write a number from 0 to 100")
        return replace(
            how,
            file_format=options["format"] or how.file_format,
            mapping={**how.mapping, **dict(map(_mapped, options["map"]))},
            decimal=separator_of(options["decimal"]) or how.decimal,
            locale=options["locale"] or how.locale,
            complete=options["complete"] or how.complete,
            most_deactivated=how.most_deactivated if share is None else share / 100,
        )

    def _run(self, site: Site, source: str, *, feed: Feed | None, how: LoadOptions) -> FeedRun:
        if source.startswith(("http://", "https://")):
            # Not saved: this address is fetched once.
            return load_address(Feed(site=site, name=source, url=source), options=how)
        path = Path(source)
        try:
            with path.open("rb") as handle:
                run, _ = load_file(site, handle, source=path.name, options=how, feed=feed)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
        return run

    def _tell(self, run: FeedRun) -> None:
        report = run.report
        if report.get("notes"):
            self.stdout.write("read as: " + ", ".join(report["notes"]))
        for mend in report.get("mended", [])[:SHOWN]:
            where = f", first in line {mend['line']}" if mend["line"] else ""
            self.stdout.write(f"mended {mend['count']:,} times, {mend['field'] or 'file'}: {mend['what']}{where}")
        if report.get("ignored_fields"):
            self.stdout.write("columns not used: " + ", ".join(report["ignored_fields"]))
        for row in report.get("bad_rows", [])[:SHOWN]:
            self.stderr.write(f"line {row['line']}: {row['field']}={row['value']!r} {row['reason']}")
        if run.rejected_rows > SHOWN:
            self.stderr.write(f"… and {run.rejected_rows - SHOWN} more; the admin lists them under Feed runs")
        for warning in report.get("warnings", []):
            self.stderr.write(warning)
        self.stdout.write(
            f"{run.created_items} created, {run.updated_items} changed, {run.unchanged_items} unchanged, "
            f"{run.deactivated_items} deactivated, {run.rejected_rows} refused"
        )
        if run.error:
            raise CommandError(run.error)


def _mapped(written: str) -> tuple[str, str]:
    column, is_there, field = written.rpartition("=")
    if not is_there or not column or field not in ("", *CHOICES):
        raise CommandError(f"--map {written!r} is not COLUMN=FIELD; the field is one of {', '.join(CHOICES)}, or empty")
    return column, field
