"""Write the event contract as JSON Schema, TypeScript, Python and a table, or check that they are up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tracking.contract import events, refusals
from tracking.contract.events import SCHEMA_MAJOR
from tracking.contract.python_client import client_contract, client_refusals
from tracking.contract.schema import as_text, complaint, json_schema, typescript, with_kinds

CLIENT_CONTRACT: Final = "clients/python/src/recsite_client/contract.py"
CLIENT_REFUSALS: Final = "clients/python/src/recsite_client/refusals.py"


class Command(BaseCommand):
    help = "Write what is derived from tracking/contract/events.py: JSON Schema, TypeScript, Python, docs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail when a file is out of date.")
        parser.add_argument("--root", type=Path, default=settings.BASE_DIR, help="Where docs/, sdk/ and clients/ are.")

    def handle(self, *args: Any, **options: Any) -> None:
        schema = json_schema()
        root: Path = options["root"]
        schema_file = root / "docs" / "schema" / f"events-v{SCHEMA_MAJOR}.json"
        files = {
            schema_file: as_text(schema),
            root / "sdk" / "events.d.ts": typescript(schema),
            root / CLIENT_CONTRACT: client_contract(Path(events.__file__).read_text("utf-8")),
            root / CLIENT_REFUSALS: client_refusals(Path(refusals.__file__).read_text("utf-8")),
        }
        page = root / "docs" / "events.md"
        if page.exists():
            files[page] = with_kinds(page.read_text("utf-8"))
        if schema_file.exists() and (reason := complaint(json.loads(schema_file.read_text("utf-8")), schema)):
            raise CommandError(reason)
        for path, text in files.items():
            if path.exists() and path.read_text("utf-8") == text:
                continue
            if options["check"]:
                raise CommandError(f"{path.name} is out of date; run `python manage.py schema` and commit it")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            self.stdout.write(f"written: {path.relative_to(root)}")
