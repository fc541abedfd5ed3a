"""The committed schema is the contract's, and the contract does not change without its version."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from django.core.management import CommandError, call_command

from tests.tracking.conftest import an_event
from tracking.contract.events import SCHEMA_VERSION
from tracking.contract.mending.event import mend_event
from tracking.contract.schema import breaking_changes, complaint, json_schema

ROOT = Path(__file__).resolve().parents[3]
OLD: dict[str, Any] = {
    "x-schema-version": "1.4",
    "$defs": {"Search": {"properties": {"term": {"type": "string"}, "n": {"type": "integer"}}, "required": ["term"]}},
}


def changed(version: str, **fields: Any) -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    new["x-schema-version"] = version
    new["$defs"]["Search"].update(fields)
    return new


def test_the_committed_files_are_the_contracts() -> None:
    """Fails when events.py changed: raise SCHEMA_VERSION, run `python manage.py schema`, commit both files."""
    call_command("schema", check=True)


def test_the_schema_tells_good_bodies_from_bad_ones() -> None:
    schema = jsonschema_rs.validator_for(json_schema())
    good = {"v": SCHEMA_VERSION, "anonymous_id": "a" * 32, "events": [an_event(), an_event("wheel_spun")]}
    assert schema.is_valid(good)
    assert not schema.is_valid({**good, "events": [{"event": "view_item"}]})
    assert not schema.is_valid({**good, "anonymous_id": "short"})


def test_the_schema_says_what_is_mended_and_how_it_is_answered() -> None:
    schema = json_schema()
    assert "strict=1" in schema["description"]
    mended = schema["x-mended"]
    untidy: dict[str, Any] = {"event": "purchase", "ts": 1_700_000_000_000, "params": {}}
    for name, value in (("ordernumber", "A-1"), ("revenue", "1.234,50 €"), ("currencycode", "eur"), ("sku", 7)):
        assert name in {**mended["param_names"], **mended["item_names"]}
        untidy["params"][name] = value
    answer = jsonschema_rs.validator_for(mended["answered_in_warnings"])
    mends = mend_event(untidy).mends
    assert {mend.done for mend in mends} <= set(mended["done"])
    for mend in mends:
        answer.validate(msgspec.to_builtins(mend))
    assert len(mends) >= 4


def test_a_new_optional_field_needs_a_minor_version() -> None:
    properties = {**OLD["$defs"]["Search"]["properties"], "page": {"type": "integer"}}
    assert "minor" in str(complaint(OLD, changed("1.4", properties=properties)))
    assert complaint(OLD, changed("1.5", properties=properties)) is None


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"properties": {"term": {"type": "string"}}}, "Search.n was removed"),
        ({"properties": {"term": {"type": "integer"}, "n": {"type": "integer"}}}, "Search.term changed"),
        ({"required": ["term", "n"]}, "Search.n became required"),
    ],
)
def test_a_change_that_breaks_readers_needs_a_major_version(fields: dict[str, Any], what: str) -> None:
    assert breaking_changes(OLD, changed("1.5", **fields)) == [what]
    assert "major" in str(complaint(OLD, changed("1.5", **fields)))
    assert complaint(OLD, changed("2.0", **fields)) is None


def test_words_may_change_freely() -> None:
    assert complaint(OLD, changed("1.4", description="Said better.")) is None


@pytest.mark.slow
def test_the_command_refuses_a_change_without_a_version(tmp_path: Path) -> None:
    call_command("schema", root=tmp_path)
    file = tmp_path / "docs" / "schema" / "events-v1.json"
    committed = json.loads(file.read_text())
    del committed["$defs"]["Search"]  # as if Search were new in the code
    file.write_text(json.dumps(committed))
    with pytest.raises(CommandError, match="minor"):
        call_command("schema", root=tmp_path)


@pytest.mark.slow
def test_the_types_compile() -> None:
    compiler = ROOT / "sdk" / "node_modules" / ".bin" / "tsc"
    if not compiler.exists() or not shutil.which("node"):
        pytest.skip("TypeScript is missing: npm ci in sdk/")
    subprocess.run(
        [compiler, "--noEmit", "--strict", ROOT / "sdk" / "events.d.ts"], check=True, timeout=60, capture_output=True
    )
