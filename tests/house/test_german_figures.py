"""No page that speaks German writes a number, an amount or a day as English does."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from features.models import Feed, FeedRun, Item
from recommendations.models import (
    Experiment,
    HoldOut,
    ModelVersion,
    Placement,
    ReportHour,
    ReportItemDay,
    Rule,
    SavedView,
    TrainingRun,
)
from recsite.demo.experiments import ensure_experiments
from recsite.demo.merchandising import ensure_merchandising
from tests.house.test_marked_texts import OF_OTHERS, SCREENS, Texts
from tests.recommendations.conftest import Shop, shop  # noqa: F401  # a fixture
from tests.security.test_csp import every_page
from tracking.models import DeadLetter
from tracking.redis_client import connect

MONTHS = "Jan|Feb|Mar|Mär|Apr|May|Mai|Jun|Jul|Aug|Sep|Oct|Okt|Nov|Dec|Dez"
ENGLISH = {
    "a day": re.compile(rf"\b\d{{1,2}} (?:{MONTHS})[a-zä]*\b|\b(?:{MONTHS})[a-z]* \d{{1,2}}\b"),
    "a weekday": re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b|\b(?:Mo|Di|Mi|Do|Fr|Sa|So) \d{1,2}\b"),
    "a date": re.compile(r"\b20\d\d-\d\d-\d\d\b"),
    "thousands": re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?(?![\d,])"),
    "decimals": re.compile(r"(?<![\d.,v/-])\d+\.\d{1,2}(?![\d.])(?= ?(?:%|EUR|€)|\s*$)"),
    "a plural": re.compile(r"\b1 (?:records|items|rows|lists|orders|events|days|hours|shoppers|rules|pages|minutes)\b"),
}
CODE = re.compile(r"recsite_\w+|https?://\S+|etwa 1,299")
"""What is no figure: names, addresses, and the price of which a help text says that it can be read in two ways."""


def english_in(html: str) -> list[str]:
    """Return what of a page is written as English does, with some text around it."""
    texts = Texts()
    texts.feed(html[html.index("<body") :])
    found = []
    for text in (*texts.read, *texts.text.splitlines()):
        for kind, pattern in ENGLISH.items():
            found += [f"{kind}: {text.strip()[:90]}" for _ in pattern.finditer(CODE.sub("", text))]
    return sorted(set(found))


@pytest.mark.parametrize(
    ("text", "is_english"),
    [
        ("EUR 4,781.25", True), ("EUR 4.781,25", False), ("12.5 %", True), ("12,5 %", False), ("24 Nov", True),
        ("24. Nov.", False), ("24. November 2026", False), ("Tue 24 Nov", True), ("Di, 24. Nov.", False),
        ("2026-11-24", True), ("24.11.2026 14:05", False), ("1 records", True), ("1 Artikel", False), ("0,123", False),
        ("Version 1.1.0", False),
    ],
)  # fmt: skip
def test_what_is_english_is_found(text: str, is_english: bool) -> None:
    assert bool(english_in(f"<body><p>{text}</p></body>")) is is_english


def _history(shop: Shop) -> None:  # noqa: F811  # what the fixture made
    """Fill every table whose rows show numbers or days."""
    now = timezone.now()
    for number in range(3):
        shop.add(f"S{number}", title="§", price_minor=478_125, currency="EUR", first_seen_at=now)
    for back in range(14):
        at = now - dt.timedelta(days=back, hours=1)
        hour = int(at.timestamp()) // 3_600 * 3_600
        common = {"site": shop.site, "utc_day": hour // 86_400, "hour": hour, "placement": "home_for_you"}
        ReportHour.objects.create(**common, lists=12_345, impressions=98_765, clicks=4_321)
        ReportHour.objects.create(
            **common,
            attribution="last_click_1d",
            carts=1_234.5,
            orders=1_203,
            revenue=4_781_250,
            apart={"USD": 123_456},
        )
        ReportItemDay.objects.create(
            site=shop.site, utc_day=hour // 86_400, day=at.date(), item_id="S1", clicks=1_500, revenue=1_478_125
        )
    feed = Feed.objects.create(site=shop.site, name="§", url="https://shop.example/feed.xml")
    FeedRun.objects.create(feed=feed, site=shop.site, status=FeedRun.Status.DONE, rejected_rows=1_234)
    TrainingRun.objects.create(
        site=shop.site, status=TrainingRun.Status.FAILED, step="§", step_done=1_000, step_total=12_000, finished_at=now
    )
    ModelVersion.objects.create(
        site=shop.site, version="v1", status=ModelVersion.Status.CANDIDATE, created_at=now,
        metrics={"ranker": {"hr@20": 0.1234, "mrr@20": 0.0567}, "n_users": 12_345},
    )  # fmt: skip
    DeadLetter.objects.create(site=shop.site, status=DeadLetter.Status.NEW, occurred_at=now)
    user = get_user_model().objects.get(username="root")
    SavedView.objects.create(site=shop.site, name="§", owner=user, sent_at=now, query={"span": "7"})


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.filterwarnings("ignore:No directory at")
def test_no_page_in_german_writes_as_english_does(shop: Shop) -> None:  # noqa: F811
    client = Client()
    user = get_user_model().objects.create_superuser("root")
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    _history(shop)
    with connect(shop.redis_url, timeout_s=2) as store:
        ensure_experiments(shop.site, store)
    ensure_merchandising(shop.site)
    pages = [page for page in every_page(client, shop.site) if not page.startswith(OF_OTHERS)]
    for model in (Placement, Rule, Experiment, HoldOut, ModelVersion, TrainingRun, FeedRun, SavedView):
        row = model._default_manager.first()
        assert row is not None, model
        pages.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk]))
    pages.append(reverse("admin:features_item_change", args=[Item.objects.filter(site=shop.site)[0].pk]))
    pages += [reverse("admin:recommendations_experiment_results", args=[one.pk]) for one in Experiment.objects.all()]
    pages += [reverse("admin:recommendations_holdout_results", args=[one.pk]) for one in HoldOut.objects.all()]
    pages += [f"{reverse(f'admin:{name}')}?site={shop.site.slug}" for name in SCREENS]
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    left = {}
    try:
        for page in pages:
            answer = client.get(page)
            assert answer.status_code == 200, page
            if found := english_in(answer.content.decode()):
                left[page] = found
    finally:
        translation.activate("en")
    assert left == {}
