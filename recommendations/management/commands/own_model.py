"""``manage.py own_model``: hold a shop's own ONNX model to the contract, and install it as a candidate source."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from recommendations.exceptions import OwnModelRefused
from recommendations.inference.own_model import ITEMS, LONGEST, MODEL, OwnModel
from recommendations.models.own_sources import NAME
from recommendations.retrieval.sources import NAMES_TAKEN
from recommendations.state.own_models import announce_own_models
from recommendations.state.own_sources import read_own_sources
from recommendations.versions.own_models import (
    OwnModelOptions,
    installed_models,
    options_of,
    put_model,
    remove_model,
)
from tracking.management.sites import site_named

MAX_BUDGET_MS: Final = 50.0


class Command(BaseCommand):
    help = (
        "Check a shop's own ONNX model against the contract (docs/models.md), install it as a candidate source of a "
        "site, list what is installed, or remove one. Nothing that fails a check is installed; every web process "
        "loads what was within ten seconds, without a restart."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("do", choices=("check", "install", "list", "remove"), help="What to do.")
        parser.add_argument("--model", type=Path, help="The graph, an ONNX file.")
        parser.add_argument("--items", type=Path, help="Ids of its items, one a line; the first is item 1.")
        parser.add_argument("--site", help="Slug of the site; not for check.")
        parser.add_argument("--name", help="What placements call the source: small letters, digits, underscores.")
        parser.add_argument("--label", default="", help="Why an item of it is listed, in words; the name without it.")
        parser.add_argument(
            "--budget-ms", type=float, default=5.0, help=f"How long a list waits for it, up to {MAX_BUDGET_MS:g}; 5."
        )
        parser.add_argument("--weight", type=float, default=1.0, help="Beside the sources of a strategy (+name); 1.")

    def handle(self, *args: Any, **options: Any) -> None:
        budget_ms: float = options["budget_ms"]
        if not 0.0 < budget_ms <= MAX_BUDGET_MS:
            raise CommandError(f"--budget-ms {budget_ms:g} is not above 0 and at most {MAX_BUDGET_MS:g}")
        if options["do"] == "check":
            self._check(options["model"], options["items"], budget_ms)
            return
        if not options["site"]:
            raise CommandError(f"{options['do']} needs --site, the slug of the site")
        site = site_named(options["site"])
        if options["do"] == "list":
            self._list(site.slug)
            return
        name: str = options["name"] or ""
        if re.fullmatch(NAME, name) is None:
            raise CommandError(
                f"--name {name!r} is no name: up to 40 small letters, digits and underscores, a letter first"
            )
        if options["do"] == "remove":
            if not remove_model(site.slug, name):
                known = ", ".join(installed_models(site.slug)) or "none"
                raise CommandError(f"{site.slug} has no model {name!r}; there are: {known}")
            self.stdout.write(f"{name} was removed from {site.slug}; lists are made without it.")
        else:
            self._install(site.slug, name, options)
        announce_own_models(site.slug)

    def _install(self, site: str, name: str, options: dict[str, Any]) -> None:
        declared = read_own_sources(site)
        if name in NAMES_TAKEN or name in declared.http or name in declared.formulas:
            raise CommandError(f"--name {name!r} is that of another source or reason; choose another")
        self._check(options["model"], options["items"], options["budget_ms"])
        how = OwnModelOptions(label=options["label"], budget_ms=options["budget_ms"], weight=options["weight"])
        folder = put_model(site, name, {MODEL: options["model"], ITEMS: options["items"]}, how)
        self.stdout.write(f"Installed as {name} of {site} ({folder.name}). Name it under “Sources” of a placement.")

    def _check(self, model: Path | None, items: Path | None, budget_ms: float) -> None:
        """Hold a model to the contract, in a folder of its own as it would be installed.

        Raises
        ------
        CommandError
            It does not keep it; the message names the file, what is wrong and the remedy.
        """
        if model is None or items is None:
            raise CommandError("give --model and --items, the graph and the ids of its items")
        for option, path in (("--model", model), ("--items", items)):
            if not path.is_file():
                raise CommandError(f"{option} {path} is no file")
        with tempfile.TemporaryDirectory() as folder:
            shutil.copyfile(model, Path(folder) / MODEL)
            shutil.copyfile(items, Path(folder) / ITEMS)
            try:
                loaded = OwnModel(Path(folder))
                took_ms = loaded.median_ms()
            except OwnModelRefused as error:
                raise CommandError(str(error).replace(f"{folder}/", "")) from error
        if took_ms > budget_ms:
            raise CommandError(
                f"{model} takes {took_ms:.1f} ms for a session of {LONGEST} items, median of a core; its budget is "
                f"{budget_ms:g} ms. Quantise it, look at fewer items, or give it more (--budget-ms)"
            )
        table = Table("checked", "found", title=f"{model.name} keeps the contract")
        table.add_row("size", f"{model.stat().st_size:,} bytes")
        table.add_row("items", f"{len(loaded.item_ids):,}")
        table.add_row("shapes, types, order, bounds", "as they are to be")
        table.add_row("the same session twice", "the same answer")
        table.add_row(f"a session of {LONGEST} items", f"{took_ms:.2f} ms of {budget_ms:g}")
        Console().print(table)

    def _list(self, site: str) -> None:
        table = Table("name", "reason in words", "budget", "weight", "version", title=f"Models of {site}'s own")
        for name, folder in installed_models(site).items():
            how = options_of(folder)
            table.add_row(name, how.label, f"{how.budget_ms:g} ms", f"{how.weight:g}", folder.name)
        Console().print(table)
