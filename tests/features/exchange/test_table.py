"""Rates are written whole or not at all, the newest of a day and pair holds, and memory follows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from functools import partial

import pytest
from django.db import InterfaceError, OperationalError

from features.exceptions import MoneyUnavailable
from features.exchange import table
from features.exchange.reading import BadTable
from features.exchange.site import MoneyLoader, loaded_money_of
from features.exchange.table import WrittenRates, delete_rates, rates_of, write_quotes
from features.models import ExchangeRate
from features.money import Quote, SiteMoney
from features.state.batch import StoredBatch, apply_batch, parse_batch, without_failing
from features.state.purchases import hash64
from tests.features.making import event, record, wire
from tracking.log import Record
from tracking.models import Site

pytestmark = pytest.mark.django_db
DAY = 20_000


@pytest.fixture
def site() -> Site:
    return Site.objects.create(slug="shop", name="Shop", currency="EUR")


def quote(day: int, rate: str, currency: str = "USD") -> Quote:
    return Quote(day, currency, "EUR", Decimal(rate))


def test_the_last_rate_of_a_day_and_pair_holds(site: Site) -> None:
    assert write_quotes(site, [quote(DAY, "0.9"), quote(DAY + 1, "0.8")]) == WrittenRates(
        created=2, changed=0, unchanged=0
    )
    assert write_quotes(site, [quote(DAY, "0.9"), quote(DAY + 1, "0.7"), quote(DAY + 2, "0.6")]) == WrittenRates(
        created=1, changed=1, unchanged=1
    )
    kept = [((row.day - dt.date(1970, 1, 1)).days, row.rate) for row in rates_of(site)]
    assert kept == [(DAY, Decimal("0.9")), (DAY + 1, Decimal("0.7")), (DAY + 2, Decimal("0.6"))]


@pytest.mark.parametrize("rate", ["0.000001", "1E+9", "0.862512345678", "0.0000123456789012", "123456789.012"])
def test_a_rate_comes_back_as_it_was_written(site: Site, rate: str) -> None:
    write_quotes(site, [quote(DAY, rate)])
    assert ExchangeRate.objects.get().rate == Decimal(rate)
    assert write_quotes(site, [quote(DAY, rate)]).unchanged == 1


def test_a_site_has_room_for_so_many_and_no_part_of_too_many_is_written(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_ROWS", 2)
    with pytest.raises(BadTable, match="more than 2"):
        write_quotes(site, [quote(day, "1") for day in range(3)])
    assert not ExchangeRate.objects.exists()


def test_rates_are_the_sites_own_and_deleted_by_span(site: Site) -> None:
    other = Site.objects.create(slug="other", name="Other", currency="EUR")
    for one in (site, other):
        write_quotes(one, [quote(day, "1", name) for day in range(3) for name in ("USD", "JPY")])
    assert delete_rates(site, currency="USD", first=dt.date(1970, 1, 2)) == 2
    assert delete_rates(site, last=dt.date(1970, 1, 1)) == 2
    assert rates_of(site).count() == 2
    assert rates_of(other).count() == 6


def test_what_is_in_memory_follows_rates_and_currency(site: Site) -> None:
    loader = MoneyLoader("shop")
    at_ms = DAY * 86_400_000
    assert loader.load() == SiteMoney("EUR")
    write_quotes(site, [quote(DAY, "0.9")])
    first = loader.load()
    assert first.convert(1_000, "USD", at_ms) == 900
    assert loader.load().rates is first.rates  # nothing was written: nothing is read again
    write_quotes(site, [quote(DAY, "0.8")])
    assert loader.load().convert(1_000, "USD", at_ms) == 800
    delete_rates(site)
    Site.objects.filter(pk=site.pk).update(currency="USD")
    money = loader.load()
    assert money.convert(1_000, "EUR", at_ms) is None
    assert money.convert(1_000, "USD", at_ms) == 1_000


def test_a_site_that_is_gone_has_no_currency() -> None:
    assert MoneyLoader("gone").load().currency == ""


@pytest.mark.parametrize("error", [OperationalError("down"), InterfaceError("closed"), RuntimeError("mistake")])
def test_an_order_is_not_to_blame_for_money_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(self: MoneyLoader) -> SiteMoney:
        raise error

    monkeypatch.setattr(MoneyLoader, "load", fails)
    bought = event("purchase", transaction_id="t1", value=5.0, items=["a"])
    parsed = parse_batch(0, [Record(0, "1", *wire(record(bought, site="unloaded")), 0)])
    (user,) = parsed.by_user
    stored = StoredBatch(
        progress=None, sessions={user: None}, profiles={user: None}, erased={}, orders={user: {hash64("t1"): None}}
    )
    apply = partial(apply_batch, stored=stored, lateness_ms=1, money_of=loaded_money_of)
    with pytest.raises(MoneyUnavailable, match="'unloaded' cannot be loaded"):
        without_failing(parsed, apply)  # which else puts aside what fails
