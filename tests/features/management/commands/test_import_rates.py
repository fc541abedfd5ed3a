"""A table of rates from the command line: taken whole, or refused by line."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from features.models import ExchangeRate
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def site(settings: Any) -> Site:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


def run(path: Path, *options: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("import_rates", str(path), *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_table_is_written_and_replaced(tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("Date,USD,JPY,CYP\n2026-11-27,1.1594,180.42,N/A\n")
    second.write_text("day,currency,rate\n2026-11-27,USD,0.8625\n")
    out, _ = run(first)
    assert "shop, which counts in EUR: 2 new" in out
    assert "CYP" in out
    run(second, "--site", "shop", "--replace")
    assert [(row.currency, row.worth_in) for row in ExchangeRate.objects.all()] == [("USD", "EUR")]


@pytest.mark.parametrize("option", [(), ("--replace",)])
def test_a_bad_table_changes_nothing(tmp_path: Path, option: tuple[str, ...]) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("day,currency,rate\n2026-11-27,USD,0.8625\n")
    bad.write_text("day,currency,rate\n2026-11-28,USD,0.9\n2026-11-28,EURO,1\n2026-11-28,JPY,x\n")
    run(good)
    with pytest.raises(CommandError, match="2 values cannot be taken; nothing was written"):
        run(bad, *option)
    assert ExchangeRate.objects.count() == 1


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name, words in (("nowhere.csv", "cannot be read"), ("bytes.csv", "is not UTF-8")):
        with pytest.raises(CommandError, match=words):
            run(tmp_path / name)
