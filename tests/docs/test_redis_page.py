"""Every module that builds a connection to Redis stands on the page of Redis, with its reason; and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("recsite", "recommendations", "features", "tracking")
BUILDERS = {"from_url", "storage_from_string", "create_connection", "create_unix_connection", "send_packed_command"}
REDIS = re.compile(r"\b(redis|hiredis|limits)\b")


def builders() -> Iterator[str]:
    """Yield the modules that know Redis and build a client, open a socket or use one of a pool by themselves."""
    for path in (path for app in APPS for path in (ROOT / app).rglob("*.py")):
        tree = ast.parse(path.read_text())
        imported = {
            name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [*(alias.name for alias in node.names), getattr(node, "module", None) or ""]
        }
        called = {
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
        }
        if any(REDIS.search(name) for name in imported) and called & BUILDERS:
            yield str(path.relative_to(ROOT))


@pytest.mark.slow
def test_the_page_names_every_module_that_builds_a_connection_and_no_other() -> None:
    page = (ROOT / "docs/redis.md").read_text()
    column = [line.split("|")[2] for line in page.splitlines() if line.startswith("| ")]
    named = {name for cell in column for name in re.findall(r"`([\w/]+\.py)`", cell)}

    assert named == {*builders(), "recsite/settings.py"}


def test_there_is_no_channel_layer() -> None:
    from django.conf import settings

    assert not getattr(settings, "CHANNEL_LAYERS", None)
    assert "channels_redis" not in (ROOT / "requirements.txt").read_text()
