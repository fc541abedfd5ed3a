"""Load a shop's past events, and the items they name, through the same contract as live traffic."""

from __future__ import annotations

import hashlib
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from redis.exceptions import RedisError
from rich.console import Console

from features.exceptions import FeatureError
from features.feeds import upsert_items
from features.models import Item
from features.state.watermarks import clock_name, oldest_accepted_ms
from features.store import connections
from features.store.scan import read_progress
from recsite.importing.base import ImportOptions, InvalidSource, Source
from recsite.importing.checkpoint import Checkpoint, InvalidCheckpoint, fingerprint_of_all, newest_imported_ms
from recsite.importing.formats import FORMATS, Choice, choose, format_help, open_chosen
from recsite.importing.loading import Importer, ImportFailed
from recsite.importing.progress import progress_bar
from recsite.importing.sorted_source import LeftOut, Notes, SortedSource
from recsite.importing.verdict import Verdict, closing_lines, too_late, verdict_of
from tracking.access.sites import ensure_default_site
from tracking.contract.parsing import encode_record
from tracking.log import InvalidLogUrl, LogUnavailable, open_log
from tracking.management.sites import site_named
from tracking.models import Site

PREVIEWED: Final = 5
HELP = f"""Load past events, and the items they name, into a site.

Files, folders and patterns are one import, in any order, also packed (gzip, zip, zstd, bzip2, xz): tables of text, JSON
lines, JSON arrays, Parquet. It is sorted by time on disk first, in RECSITE_DATA_DIR/imports. Formats:

{format_help()}

For all others, say which column is what:
  --map item=product_id --map user=customer --map time=ts:s --map event=kind --event seen=view_item --preview

Fields are user, session, item, time, event, order, price, currency, quantity, title, brand, category. The unit of
times is told from the data; where it cannot be, name it behind the column (s, ms, us, ns, or a pattern as %d/%m/%Y).

Events keep their own times and get the same ids in every import. An interrupted import resumes where it was when the
command is run again; a finished one is not repeated. Rows that cannot be used go to a report, the rest is loaded.

Exit status: 0 complete; 1 nothing is usable, or more rows were lost than appended; 3 usable, with losses that are
named."""


class Command(BaseCommand):
    help = HELP

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, nargs="+", metavar="PATH", help="Files, folders, or patterns.")
        parser.add_argument("--format", choices=list(FORMATS), help="Told from name and content when left out.")
        parser.add_argument("--site", help="Slug of the site; needed when there are several.")
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", help="Which column is what; see above."
        )
        parser.add_argument(
            "--event",
            action="append",
            default=[],
            metavar="WORD=EVENT",
            help="What the file's word for an event means.",
        )
        parser.add_argument("--preview", action="store_true", help="Show what becomes of the first rows; load nothing.")
        parser.add_argument(
            "--older", action="store_true",
            help="Append events that are older than those imported before: they count after manage.py replay.",
        )  # fmt: skip
        parser.add_argument(
            "--restart", action="store_true", help="Forget the progress of an earlier import of these files."
        )
        parser.add_argument("--no-items", action="store_true", help="Load events only, no items.")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console()
        paths = options["path"] if isinstance(options["path"], list) else [options["path"]]
        try:
            mapping, words = _pairs(options["map"], "--map"), _pairs(options["event"], "--event")
            site = None if options["preview"] else _site(options["site"])
            choice = choose(paths, file_format=options["format"], is_mapped=bool(mapping))
            if site is None:
                chosen = ImportOptions(site=options["site"] or "preview", mapping=mapping, words=words)
                _preview(open_chosen(choice, chosen), choice, console)
                return
            run = Run(choice, site, console, ImportOptions(site=site.slug, mapping=mapping, words=words))
            verdict = run.load(
                restart=options["restart"], with_items=not options["no_items"], takes_older=options["older"]
            )
        except (InvalidSource, InvalidCheckpoint, InvalidLogUrl, ImportFailed) as error:
            raise CommandError(str(error)) from error
        except LogUnavailable as error:
            raise CommandError(f"the event log is unavailable: {error}; run the command again to resume") from error
        if verdict is Verdict.UNUSABLE:
            raise CommandError("this import is not usable: see what was left out; --preview shows the first rows")
        if verdict is Verdict.WITH_LOSSES:
            raise CommandError("the import is usable, with the losses named above", returncode=int(verdict))


class Run:
    """One import into one site."""

    def __init__(self, choice: Choice, site: Site, console: Console, options: ImportOptions) -> None:
        self._site, self._console, self._choice = site, console, choice
        self._folder = Path(settings.DATA_DIR) / "imports"
        paths = [shard.path for shard in choice.shards]
        fingerprint = fingerprint_of_all(paths)
        self._name = _name_of(choice, site, [*map(str, sorted(options.mapping.items())), *map(str, options.words)])
        self._checkpoint = Checkpoint(self._folder / f"{self._name}.json", fingerprint)
        self._report_path = self._folder / f"{self._name}.refused.tsv"
        scratch = self._folder / f"{self._name}.sorted-{fingerprint[:8]}"
        self._source = open_chosen(
            choice, ImportOptions(site=site.slug, mapping=options.mapping, words=options.words, scratch=scratch)
        )

    def load(self, *, restart: bool, with_items: bool, takes_older: bool) -> Verdict:
        """Import what is not imported yet, and print what came of it."""
        started = time.monotonic()
        if restart:
            self._checkpoint.forget()
            self._report_path.unlink(missing_ok=True)
        importer = Importer(
            self._source,
            open_log(settings.EVENT_LOG_URL),
            checkpoint=self._checkpoint,
            report_path=self._report_path,
            on_progress=lambda progress: None,
        )
        progress = importer.progress
        if progress.done:
            self._print(f"{self._source.path} is imported already; --restart does it again.")
            return verdict_of(progress)
        for name in self._choice.skipped:
            self._print(f"holds no events of format {self._choice.file_format}: {name}")
        notes = self._prepared()
        if progress.units:
            self._print(f"resumed after {progress.units:,} units")
        else:
            progress.site, progress.log = self._site.slug, connections.name_of(open_log(settings.EVENT_LOG_URL))
            progress.too_late = self._too_late(progress.log, takes_older=takes_older)
        if with_items and not progress.items_done:
            self._load_items()
            progress.items_done = True
            self._checkpoint.save(progress)
        title = f"{self._source.name} → {self._site.slug}"
        with progress_bar(title, total=self._source.total(), console=self._console) as advance:
            importer.on_progress = lambda done: advance(done.units)
            progress = importer.run()
        self._print(*closing_lines(progress, notes), f"in {time.monotonic() - started:.1f} s")
        self._say_what_next(progress.oldest_ms, has_losses=bool(progress.refused), too_late=progress.too_late)
        if isinstance(self._source, SortedSource):
            self._source.forget()
        return verdict_of(progress)

    def _prepared(self) -> Notes | None:
        if not isinstance(self._source, SortedSource):
            return None
        with self._console.status("reading and sorting"):
            return self._source.prepare()

    def _too_late(self, log: str, *, takes_older: bool) -> int:
        """Return how many rows are older than what was imported before; refuse them unless they are wanted.

        Raises
        ------
        InvalidSource
            There are some, or Redis cannot say.
        """
        try:
            states = read_progress(connections.client(), partitions=connections.partitions(), log_name=log)
        except (RedisError, FeatureError) as error:
            raise InvalidSource(
                f"Redis cannot say what was imported before ({error}); start it and run the command again"
            ) from error
        clock = clock_name(self._site.slug, "import")
        before_ms = newest_imported_ms(self._folder, site=self._site.slug, log=log, besides=self._checkpoint.path)
        oldest = {
            partition: max(
                oldest_accepted_ms(state.watermarks, clock, lateness_ms=settings.LATENESS_MS),
                before_ms - settings.LATENESS_MS,
            )
            for partition, state in states.items()
        }
        late = too_late(self._source, oldest)
        if late and not takes_older:
            raise InvalidSource(
                f"{late:,} rows are older than what was imported for {self._site.slug} before: the worker would "
                "archive them without counting them. Import all files of a shop's history at once, or use --older and "
                "then, with the stream workers stopped, manage.py replay --flush, which counts everything in order"
            )
        return late

    def _load_items(self) -> None:
        site, source = self._site, self._source
        if source.currency and source.currency != site.currency and not Item.objects.filter(site=site).exists():
            site.currency = source.currency
            site.save(update_fields=["currency"])
        with self._console.status("items"):
            report = upsert_items(site, source.items(), only_new=True)
        self._print(f"items: {report.summary()}")

    def _say_what_next(self, oldest_ms: int, *, has_losses: bool, too_late: int) -> None:
        if has_losses:
            self._print(f"what was lost and why: {self._report_path}")
        days = int((time.time() * 1_000 - oldest_ms) // 86_400_000)
        if oldest_ms and days > settings.ARCHIVE_RETENTION_DAYS:
            self._print(
                f"the oldest event is {days:,} days old and the archive forgets after "
                f"RECSITE_ARCHIVE_RETENTION_DAYS={settings.ARCHIVE_RETENTION_DAYS}: set it to {days + 400} or more in "
                "every process within the hour, or train now and lose them"
            )
        self._print("next: wait for the stream worker (manage.py stream_lag)")
        if too_late:
            self._print(
                "then: stop the stream workers, manage.py replay --flush, start them: it counts what is too late"
            )
        self._print(f"then: manage.py train --site {self._site.slug}")

    def _print(self, *lines: str) -> None:
        for line in lines:
            self._console.print(line, highlight=False, soft_wrap=True, markup=False)


def _preview(source: Source, choice: Choice, console: Console) -> None:
    """Print the first rows, and what becomes of each."""

    def say(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True, markup=False)

    say(f"format {choice.file_format}, {len(choice.shards)} files")
    for name in choice.skipped:
        say(f"holds no events of format {choice.file_format}: {name}")
    for lines in islice(_previewed(source), PREVIEWED):
        for line in lines:
            say(line)


def _previewed(source: Source) -> Iterator[list[str]]:
    if not isinstance(source, SortedSource):
        for unit in source.units():
            yield [f"row {unit.line}", *(f"  → {encode_record(record).decode()}" for record in unit.records)]
        return
    for shard, row in source.rows():
        told = ", ".join(f"{name}={str(value)[:60]}" for name, value in row.values.items())
        yield [f"{shard.name} line {row.line}: {told or row.raw[:200]}", *map(_outcome, source.outcomes(row))]


def _outcome(found: Any) -> str:
    if isinstance(found, LeftOut):
        return f"  → left out: {found.reason}"
    return f"  → {encode_record(found).decode()}"


def _pairs(given: Iterable[str], option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, separator, value = each.partition("=")
        if not separator or not name.strip() or not value.strip():
            raise InvalidSource(
                f"{option} {each!r} has no {'column' if option == '--map' else 'event'}; write NAME=VALUE"
            )
        found[name.strip()] = value.strip()
    return found


def _site(slug: str | None) -> Site:
    """Return the site to import for; the first import of an installation makes one."""
    return site_named(slug) if slug or Site.objects.exists() else ensure_default_site()[0]


def _name_of(choice: Choice, site: Site, more: list[str]) -> str:
    """Return under which name progress and refusals of an import are kept; the log's address is part of it."""
    shards = [f"{shard.path.resolve()}{shard.member}" for shard in choice.shards]
    identity = "\x1f".join((*shards, *more, site.slug, choice.file_format, settings.EVENT_LOG_URL))
    stem = choice.shards[0].path.stem
    return f"{site.slug}-{stem}-{hashlib.blake2b(identity.encode(), digest_size=6).hexdigest()}"
