"""Every field has a name that a screen reader says, also those of widgets that Django and Unfold leave without one."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from recommendations.models import Placement
from tests.services.fixtures import leave_out
from tests.services.process import Missing
from tests.services.waiting import BROWSER_S
from tracking.models import Site

ROOT = Path(settings.BASE_DIR)
PAGES = (
    "auth_group_add", "otp_totp_totpdevice_add", "django_celery_beat_periodictask_add",
    "django_celery_beat_clockedschedule_add", "features_feed_file", "features_item_add",
    "recommendations_experiment_add", "recommendations_holdout_add",
)  # fmt: skip


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.filterwarnings("ignore:No directory at")
def test_axe_finds_nothing_on_forms_with_widgets_of_others(request: pytest.FixtureRequest, live_server: Any) -> None:
    chromium, node = shutil.which("chromium"), shutil.which("node")
    if chromium is None or node is None or not (ROOT / "sdk/node_modules/axe-core").exists():
        leave_out(request.config, Missing("Chromium and Node", "apt-get install chromium nodejs; npm ci in sdk/"))
    site = Site.objects.create(slug="shop", name="Shop")
    Placement.objects.create(site=site, name="home")
    user, client = get_user_model().objects.create_superuser("anna"), Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    pages = [reverse(f"admin:{name}") for name in PAGES] + [reverse("admin:auth_user_change", args=[user.pk])]
    done = subprocess.run(
        [str(node), str(ROOT / "benchmarks/console_pages/axe.mjs"), str(chromium),
         client.cookies["sessionid"].value, live_server.url, *pages],
        capture_output=True, text=True, timeout=BROWSER_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = [(one["path"], one["width"], one["id"], one["target"]) for one in json.loads(done.stdout)]
    assert found == []
