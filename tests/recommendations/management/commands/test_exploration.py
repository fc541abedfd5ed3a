"""``manage.py exploration`` says what each share would bring, or what there has to be first."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from features.archive.rows import rows_of
from features.archive.writer import ArchiveFolder
from recommendations.core.chance import Chance, mask_of
from recommendations.serving.rec_ids import signer
from tracking.contract.parsing import parse_record
from tracking.models import Site

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(settings: object, tmp_path: Path) -> Site:
    settings.ARCHIVE_URL = str(tmp_path)  # type: ignore[attr-defined]
    return Site.objects.create(slug="explored", name="Explored")


def test_before_there_is_enough_it_says_what_to_do(site: Site) -> None:
    with pytest.raises(CommandError, match="give one a share for new items"):
        call_command("exploration", site=site.slug)
    with pytest.raises(CommandError, match="--days=0 is not"):
        call_command("exploration", site=site.slug, days=0)


def test_each_share_has_its_line(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now_ms = int(time.time() * 1000)
    rows: dict[int, list[object]] = {}
    for number in range(60):
        chance = Chance(permille=100, among=9, drawn=mask_of([number % 4]), fixed=mask_of([0]))
        rec_id = signer().make(
            site=site.slug, placement="home", model_version="", variant="live", now_s=now_ms // 1000, chance=chance
        )
        items = [{"item_id": f"s{slot}", "index": slot} for slot in range(4)]
        params = {"item_list_id": "home", "rec_id": rec_id, "items": items}
        events = [{"event": "view_item_list", "event_id": f"event-{number:04}", "ts": now_ms, "params": params}]
        raw = {"v": "1.0", "site": site.slug, "received_at_ms": now_ms, "user_id": "u", "source": "browser"}
        for day, row in rows_of(parse_record(json.dumps({**raw, "events": events}).encode())):
            rows.setdefault(day, []).append(row)
    for day, found in rows.items():
        ArchiveFolder(str(tmp_path)).write(site.slug, day, "p0.parquet", found)

    call_command("exploration", site=site.slug)

    said = capsys.readouterr().out
    assert "home: clicks a seen slot; 240 seen with a share of 10 %" in " ".join(said.split())
    for share in ("0 %", "2.5 %", "10 %", "50 %"):
        assert share in said
