"""Each site's currency and exchange rates in memory: ``money_of(site)`` returns them without asking the database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Final

from django.db import close_old_connections
from django.db.models import Count, Max

from features.exceptions import MoneyUnavailable
from features.money import NO_RATES, Quote, Rates, SiteMoney
from tracking.snapshots.by_site import SiteSnapshots
from tracking.snapshots.snapshot import Snapshot

REFRESH_S: Final = 10.0
_EPOCH: Final = dt.date(1970, 1, 1)


class MoneyLoader:
    """Loads a site's money; rates only where some were written or deleted since.

    Parameters
    ----------
    site : str
        Slug. A site that does not exist has no currency, and its amounts are in whatever they say.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._stamp: tuple[object, ...] | None = None
        self._rates: Rates = NO_RATES

    def load(self) -> SiteMoney:
        """Return the currency and the rates as they stand now; one query, three where rates changed."""
        from features.models import ExchangeRate  # models are not ready while apps are imported
        from tracking.models import Site

        currency = Site.objects.filter(slug=self._site).values_list("currency", flat=True).first() or ""
        rows = ExchangeRate.objects.filter(site__slug=self._site)
        found = rows.aggregate(n=Count("pk"), newest=Max("changed_at"), last=Max("pk"))
        stamp = tuple(found.values())
        if stamp != self._stamp:
            self._rates = Rates(
                Quote((day - _EPOCH).days, name, worth_in, rate)
                for day, name, worth_in, rate in rows.values_list("day", "currency", "worth_in", "rate").iterator()
            )
            self._stamp = stamp
        return SiteMoney(currency, self._rates)


def _loader(site: str) -> Callable[[], SiteMoney]:
    return MoneyLoader(site).load


_money: Final = SiteSnapshots("money", _loader, refresh_s=REFRESH_S)


def watch_money(site: str) -> Snapshot[SiteMoney]:
    """Return the site's snapshot, kept fresh in the background from the first call on."""
    return _money.of(site)


def money_of(site: str) -> SiteMoney:
    """Return the currency and rates in memory; never touches the database.

    Raises
    ------
    SnapshotMissing
        They have not been loaded yet; ``watch_money(site).ensure_loaded()`` loads them in the caller's thread.
    """
    return watch_money(site).current()


def loaded_money_of(site: str) -> SiteMoney:
    """Return the money in memory, and load it in this thread the first time.

    Raises
    ------
    MoneyUnavailable
        It was never loaded, and the database is unavailable.
    """
    watched = watch_money(site)
    if watched.is_loaded:
        return watched.current()
    try:
        return watched.ensure_loaded()
    except Exception as error:  # whatever the load raises, the order that needs it is not to blame
        raise MoneyUnavailable(f"currency and rates of {site!r} cannot be loaded: {error}") from error
    finally:
        close_old_connections()


def announce_money(site: str) -> None:
    """Tell every process, once the transaction is committed, that the site's currency or rates changed."""
    _money.announce(site)
