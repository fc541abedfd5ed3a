"""Staff: passwords, throttled logins, the second factor, and what is written down of what they change."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp import models as totp_models
from django_otp.plugins.otp_totp.models import TOTPDevice
from limits.storage import MemoryStorage

from recsite.backoffice.login_limits import failures
from tracking.models import Site

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
PASSWORD = "correct horse battery"
LOGIN = "/admin/login/"
NOW_S = 1_800_000_010.0


@pytest.fixture(autouse=True)
def _one_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the clock of authenticator codes still: a code must not grow old between two lines of a test."""
    monkeypatch.setattr(totp_models, "time", SimpleNamespace(time=lambda: NOW_S))


@pytest.fixture(autouse=True)
def _no_failures_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "_shared", MemoryStorage())


@pytest.fixture
def anna() -> Any:
    return get_user_model().objects.create_superuser("anna", password=PASSWORD)


def log_in(client: Client, password: str = PASSWORD, **extra: str) -> Any:
    return client.post(LOGIN, {"username": "anna", "password": password}, **extra)


def code_of(device: TOTPDevice, *, steps: int = 0) -> str:
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = NOW_S + steps * device.step
    return f"{totp.token():06d}"


def test_passwords_are_kept_with_argon2(anna: Any) -> None:
    assert anna.password.startswith("argon2$argon2id$")


def test_ten_failures_lock_the_name_from_that_address(anna: Any) -> None:
    client = Client()
    for _ in range(10):
        answer = log_in(client, "wrong")
    assert answer.status_code == 429
    assert log_in(client).status_code == 429, "the right password does not help, either"
    assert "sessionid" not in client.cookies
    assert log_in(Client(), REMOTE_ADDR="198.51.100.7").status_code == 302, "others are not locked out"


def test_failures_count_by_the_client_s_address_behind_our_proxy(anna: Any, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    for _ in range(10):
        log_in(Client(), "wrong", HTTP_X_FORWARDED_FOR="spoofed, 203.0.113.5")
    assert set(AccessAttempt.objects.values_list("ip_address", flat=True)) == {"203.0.113.5"}
    assert log_in(Client(), HTTP_X_FORWARDED_FOR="203.0.113.5").status_code == 429
    assert log_in(Client(), HTTP_X_FORWARDED_FOR="203.0.113.6").status_code == 302


def test_a_password_alone_opens_nothing_once_a_second_factor_is_required(anna: Any, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = Client()
    assert log_in(client).status_code == 302
    for page in ("/admin/", "/admin/tracking/apikey/", "/admin/auth/user/add/"):
        answer = client.get(page)
        assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/admin/second-factor/")
    assert client.post("/admin/tracking/site/add/", {"name": "x"}).status_code == 302
    assert not Site.objects.exists()


def test_an_app_is_set_up_once_and_asked_for_at_every_login(anna: Any, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = Client()
    log_in(client)
    page = client.get("/admin/second-factor/?next=/admin/tracking/site/").content.decode()
    assert "data:image/svg+xml;base64," in page
    device = TOTPDevice.objects.get(user=anna)
    assert not device.confirmed

    wrong = client.post("/admin/second-factor/", {"code": "000000" if code_of(device) != "000000" else "111111"})
    assert "is not the one" in wrong.content.decode()
    assert client.get("/admin/").status_code == 302
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    right = client.post("/admin/second-factor/", {"code": code_of(device), "next": "/admin/tracking/site/"})
    assert right["Location"] == "/admin/tracking/site/"
    assert client.get("/admin/").status_code == 200
    assert LogEntry.objects.filter(user=anna, change_message="Set up a second factor.").exists()

    again = Client()
    log_in(again)
    page = again.get("/admin/second-factor/").content.decode()
    assert "data:image" not in page, "a confirmed secret is never shown again"
    used = again.post("/admin/second-factor/", {"code": code_of(device)})
    assert used.status_code == 200, "a code counts once"
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert again.post("/admin/second-factor/", {"code": code_of(device, steps=1)}).status_code == 302
    assert again.get("/admin/").status_code == 200


def test_guessing_codes_is_slowed_down(anna: Any, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    client = Client()
    log_in(client)
    client.get("/admin/second-factor/")
    device = TOTPDevice.objects.get()
    guess = f"{(int(code_of(device)) + 500_000) % 1_000_000:06d}"
    for _ in range(2):
        TOTPDevice.objects.update(throttling_failure_timestamp=None)
        client.post("/admin/second-factor/", {"code": guess})
    device.refresh_from_db()
    assert device.throttling_failure_count == 2
    # Each failure doubles the wait: a second, then two; as after ten of them, so that it outlasts a slow machine.
    TOTPDevice.objects.update(throttling_failure_count=10)
    answer = client.post("/admin/second-factor/", {"code": guess})
    assert "wrong too often" in answer.content.decode()
    assert client.post("/admin/second-factor/", {"code": code_of(device)}).status_code == 200


def test_the_page_leads_to_no_other_host_and_is_for_staff(anna: Any, settings: Any) -> None:
    settings.REQUIRE_SECOND_FACTOR = True
    assert Client().get("/admin/second-factor/")["Location"].startswith(LOGIN)
    client = Client()
    log_in(client)
    client.get("/admin/second-factor/")
    said = {"code": code_of(TOTPDevice.objects.get()), "next": "https://evil.example/"}
    assert client.post("/admin/second-factor/", said)["Location"] == reverse("admin:index")


def test_without_the_setting_a_password_is_enough(anna: Any) -> None:
    client = Client()
    log_in(client)
    assert client.get("/admin/").status_code == 200


def test_what_staff_change_is_written_down_and_nobody_rewrites_it(anna: Any) -> None:
    client = Client()
    client.force_login(anna)
    site = Site.objects.create(slug="shop", name="Shop")
    data = {
        "name": "Renamed", "currency": "EUR", "locale": "en", "time_zone": "UTC", "is_active": "on",
        "url": "", "origins": "",
        "events_per_minute": 1, "requests_per_minute": 1, "address_requests_per_minute": 1,
    }  # fmt: skip
    assert client.post(reverse("admin:tracking_site_change", args=[site.pk]), data).status_code == 302
    page = client.get("/admin/admin/logentry/")
    assert page.status_code == 200
    assert "anna" in page.content.decode()
    assert "Renamed" in page.content.decode()
    entry = LogEntry.objects.get()
    assert client.get("/admin/admin/logentry/add/").status_code == 403
    assert client.post(f"/admin/admin/logentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post("/admin/admin/logentry/", {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
    assert LogEntry.objects.count() == 1


def test_the_secret_of_an_app_is_shown_by_no_page_of_the_admin(anna: Any) -> None:
    device = TOTPDevice.objects.create(user=anna, name="phone", confirmed=True)
    client = Client()
    client.force_login(anna)
    for name in ("config", "qrcode"):
        for number in (device.pk, device.pk + 1):
            answer = client.get(reverse(f"admin:otp_totp_totpdevice_{name}", args=[number]))
            assert answer.status_code == 403, "of a device that does not exist, too"
    page = client.get(reverse("admin:otp_totp_totpdevice_change", args=[device.pk])).content.decode()
    assert device.key not in page
    assert reverse("second-factor") in page, "the menu of the account leads to the page for it"
