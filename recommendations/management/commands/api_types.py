"""Write the API's document as TypeScript, or check that it is up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from recommendations.http.rest import api
from recommendations.http.typescript import api_types
from tracking.contract.schema import json_schema


class Command(BaseCommand):
    help = "Write sdk/api.d.ts, the types of the API for TypeScript, from its OpenAPI document."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail when the file is out of date.")
        parser.add_argument("--root", type=Path, default=settings.BASE_DIR, help="Where sdk/ is.")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["root"] / "sdk" / "api.d.ts"
        text = api_types(json.loads(json.dumps(api.get_openapi_schema())), json_schema())
        if path.exists() and path.read_text("utf-8") == text:
            self.stdout.write("sdk/api.d.ts is up to date. Next: `npm run check` in sdk/ compiles what uses it.")
            return
        if options["check"]:
            raise CommandError("sdk/api.d.ts is out of date; run `python manage.py api_types` and commit it")
        path.write_text(text, "utf-8")
        self.stdout.write("Written: sdk/api.d.ts. Next: `npm run check` in sdk/ compiles what uses it.")
