"""The screens of dead letters."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from tests.tracking.admin.conftest import text
from tests.tracking.conftest import an_event
from tracking.contract.parsing import parse_record
from tracking.log.memory import MemoryLog
from tracking.models import DeadLetter, Site

pytestmark = pytest.mark.django_db


def a_letter(site: Site, *, quantity: int = 0, reason: str = "invalid_event", number: int = 0) -> DeadLetter:
    event = an_event(params={"items": [{"item_id": "SKU<b>1", "quantity": quantity}]})
    head = {
        "v": "1.0",
        "site": site.slug,
        "received_at_ms": 1_700_000_000_000,
        "anonymous_id": "a" * 32,
    }
    return DeadLetter.objects.create(
        site=site, reason=reason, field="events[0].params.items[0].quantity", detail="Expected int >= 1",
        raw=json.dumps({**head, "events": [event]}).encode(), key=f"{site.slug}/a:{'a' * 32}", origin="collect",
        fingerprint=f"{reason}{number}{quantity}",
    )  # fmt: skip


def test_letters_are_counted_by_reason(staff: Client, site: Site) -> None:
    for number in range(3):
        a_letter(site, number=number)
    a_letter(site, reason="unknown_event")
    page = text(staff.get(reverse("admin:tracking_deadletter_changelist")))
    assert "<span>invalid_event</span><strong>3</strong>" in page
    assert "<span>unknown_event</span><strong>1</strong>" in page


def test_a_letter_is_shown_as_data_and_never_as_markup(staff: Client, site: Site) -> None:
    page = text(staff.get(reverse("admin:tracking_deadletter_change", args=[a_letter(site).pk])))
    assert "SKU&lt;b&gt;1" in page
    assert "SKU<b>1" not in page


def test_a_corrected_letter_is_in_the_log_again(staff: Client, site: Site, settings) -> None:
    MemoryLog.forget_all()
    settings.EVENT_LOG_URL = "memory://letters"
    letter = a_letter(site)
    address = reverse("admin:tracking_deadletter_edit", args=[letter.pk])
    assert "SKU&lt;b&gt;1" in text(staff.get(address))
    assert "is not JSON" in text(staff.post(address, {"raw": "{"}))
    raw = bytes(letter.raw).decode()
    assert "quantity" in text(staff.post(address, {"raw": raw}))
    assert staff.post(address, {"raw": raw.replace('"quantity": 0', '"quantity": 2')}).status_code == 302
    letter.refresh_from_db()
    assert letter.status == DeadLetter.Status.RESENT
    log = MemoryLog(name="letters")
    [record] = [parse_record(one.value) for number in range(4) for one in log.read_range(number)]
    assert record.events[0].params.items[0].quantity == 2


def test_letters_are_sent_again_and_discarded_in_bulk(staff: Client, site: Site, settings) -> None:
    MemoryLog.forget_all()
    settings.EVENT_LOG_URL = "memory://letters"
    good, bad, useless = a_letter(site, quantity=1), a_letter(site), a_letter(site, reason="odd")
    address = reverse("admin:tracking_deadletter_changelist")
    chosen = {"_selected_action": [good.pk, bad.pk]}
    page = text(staff.post(address, {"action": "resend_selected", **chosen}, follow=True))
    assert "1 letter was sent again" in page
    assert "Not sent: " in page
    staff.post(address, {"action": "discard_selected", "_selected_action": [useless.pk]})
    assert list(DeadLetter.objects.order_by("pk").values_list("status", flat=True)) == ["resent", "new", "discarded"]
