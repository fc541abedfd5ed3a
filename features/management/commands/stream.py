"""Look after the stream: where its readers stand in the log, and records in quarantine."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from features.exceptions import StoreUnavailable
from features.stream import positions, quarantine
from features.stream.positions import NothingToBegin, ReaderPosition
from features.stream.quarantine import NotQuarantined
from tracking.dead_letters import rows
from tracking.exceptions import LogUnavailable
from tracking.models import DeadLetter
from tracking.redis_client import UNAVAILABLE

WAYS_ON: Final = (
    "Ways on: `manage.py stream begin` reads the new log from its beginning and keeps what is counted; what nobody had "
    "read of the old log is lost. Or stop the stream workers and rebuild the features from the archive: "
    "`manage.py replay --flush`, then `manage.py stream begin --group archive`. Or bring the old log back: it is read "
    "on by itself."
)


class Command(BaseCommand):
    """``stream positions | begin | quarantine list | show NUMBER | release [NUMBER … | --all] | discard NUMBER …``."""

    help = (
        "Look after the stream. positions: where each reader stands in the log. begin: let readers whose position is "
        "of a log that is not there any more begin at the new one's beginning. quarantine: valid records that broke a "
        "function of this program."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        topics = parser.add_subparsers(dest="topic", required=True)
        topics.add_parser("positions", help="where each reader stands, and whether that is in this log")
        begin = topics.add_parser("begin", help="begin at the log's beginning where a position is of another log")
        begin.add_argument("--group", choices=("features", "archive"), help="only this reader; both by default")
        actions = topics.add_parser("quarantine").add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="what waits: number, site, partition and position in the log, and the error")
        actions.add_parser("show", help="one record as it came").add_argument("number", type=int)
        release = actions.add_parser("release", help="send records to the log again, after an upgrade")
        release.add_argument("numbers", type=int, nargs="*", metavar="number")
        release.add_argument("--all", action="store_true", help="everything that waits")
        actions.add_parser("discard", help="give records up").add_argument(
            "numbers", type=int, nargs="+", metavar="number"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            match options.get("action") or options["topic"]:
                case "positions":
                    self._positions(positions.read_positions())
                case "begin":
                    self._begin(options["group"])
                case "list":
                    self._list(list(quarantine.waiting()))
                case "show":
                    self._show(quarantine.find([options["number"]])[0])
                case "release":
                    self._release(_chosen(options))
                case "discard":
                    number = rows.discard(quarantine.find(options["numbers"]))
                    self.stdout.write(f"{number} records given up.")
        except (NotQuarantined, NothingToBegin) as error:
            raise CommandError(str(error)) from error
        except (LogUnavailable, StoreUnavailable, *UNAVAILABLE) as error:
            raise CommandError(f"{error}; check EVENT_LOG_URL and REDIS_URL, and that both run") from error

    def _positions(self, found: Sequence[ReaderPosition]) -> None:
        for one in found:
            where = one.position or "the beginning"
            self.stdout.write(f"partition {one.partition}, {one.group}: at {where}, {one.records} records to read")
            if one.problem:
                self.stdout.write(f"  waits: {one.problem}")
        foreign = sum(bool(one.problem) for one in found)
        self.stdout.write(f"{foreign} of {len(found)} positions are not of this log.")
        if foreign:
            self.stdout.write(WAYS_ON)

    def _begin(self, group: positions.Group | None) -> None:
        for one in positions.begin_again((group,) if group else ("features", "archive")):
            self.stdout.write(
                f"partition {one.partition}, {one.group}: begins at the log's beginning, {one.records} records to read"
            )
        self.stdout.write("Workers notice within seconds; nothing has to be restarted.")

    def _list(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            self.stdout.write(f"{_name_of(letter)}  {letter.detail}")
        self.stdout.write(f"{len(letters)} records in quarantine.")
        if letters:
            self.stdout.write("Next: report the error; after an upgrade, `manage.py stream quarantine release --all`.")

    def _show(self, letter: DeadLetter) -> None:
        self.stdout.write(f"{_name_of(letter)}\nerror: {letter.detail}\nkey: {letter.key}")
        self.stdout.write(bytes(letter.raw).decode(errors="backslashreplace"))

    def _release(self, letters: Sequence[DeadLetter]) -> None:
        failures = rows.resend(letters)
        for number, why in failures.items():
            self.stderr.write(f"{number}: {why}")
        self.stdout.write(f"{len(letters) - len(failures)} records sent again, {len(failures)} could not be sent.")


def _chosen(options: dict[str, Any]) -> list[DeadLetter]:
    if options["all"]:
        return list(quarantine.waiting())
    if not options["numbers"]:
        raise CommandError("name the numbers of records, or --all; `manage.py stream quarantine list` shows them")
    return quarantine.find(options["numbers"])


def _name_of(letter: DeadLetter) -> str:
    site = letter.site.slug if letter.site is not None else "-"
    return f"{letter.pk}  {letter.occurred_at:%Y-%m-%d %H:%M:%S}Z  {site}  {letter.partition}/{letter.position}"
