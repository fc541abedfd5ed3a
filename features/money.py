"""Money is a whole number of its currency's smallest unit: amounts, how much of them counts, and exchange rates. Pure.

How many decimals a currency has is what ISO 4217 says, by way of ``tracking.contract.mending.currencies``. A code that
the standard does not know, or gives no minor unit, is taken with two decimals: its amounts are never converted, and so
never added to others.

The event contract takes prices up to 1e12 and 100,000 pieces a line. One such line would not fit 64 bits, and one
anonymous purchase would stop every store that counts it; so an order, and each of its lines, counts for at most
``MAX_ORDER_MINOR``, and a sum stops at ``MAX_SUM``. Both are far beyond any shop, and fit int64 and float64 exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from tracking.contract.mending.currencies import CURRENCIES

OTHER_EXPONENT: Final = 2
"""Decimals of a code without a minor unit in ISO 4217, such as ``XXX``."""

MAX_ORDER_MINOR: Final = 10**14
"""The most that an order, or a line of one, counts for: 1e12 units of two decimals, the contract's largest amount."""

MAX_SUM: Final = 2**53 - 1
"""Where sums stop: the largest whole number that float64, JSON and int64 all hold exactly."""

MAX_RATE_AGE_DAYS: Final = 31
"""A rate holds for its day and this many days after: weekends, holidays, and tables that are made once a month."""

FACTOR_DIGITS: Final = 15
"""Significant digits of a conversion: as many as a float gives back as they were written."""

_DAY_MS: Final = 86_400_000


def bounded(minor: int) -> int:
    """Return what an order, or a line of one, counts for."""
    return max(-MAX_ORDER_MINOR, min(minor, MAX_ORDER_MINOR))


def saturated(total: int) -> int:
    """Return a sum that stops at ``MAX_SUM`` on either side of 0."""
    return max(-MAX_SUM, min(total, MAX_SUM))


def exponent_of(currency: str) -> int:
    """Return how many decimals the currency has: 2 for EUR, 0 for JPY, 3 for KWD, 4 for CLF."""
    return CURRENCIES.get(currency, OTHER_EXPONENT)


def decimal_of(amount: float | Decimal) -> Decimal:
    """Return the amount that was written: of a float, the shortest text that reads as it, so that 1.005 is 1.005."""
    return amount if isinstance(amount, Decimal) else Decimal(repr(amount))


def to_minor(amount: float | Decimal, currency: str) -> int:
    """Return ``amount`` in the smallest unit of ``currency``, such as cents; half a unit goes to even."""
    return int(_scaled(amount, currency).to_integral_value(rounding=ROUND_HALF_EVEN))


def line_minor(price: float | Decimal, quantity: int, currency: str) -> int:
    """Return ``price`` times ``quantity``, rounded once: three pieces of 0.333 are 1.00, not .99."""
    return to_minor(decimal_of(price) * quantity, currency)


def to_major(minor: int, currency: str) -> float:
    """Return an amount of smallest units as shops write it: 1299 cents are 12.99."""
    return minor / float(10 ** exponent_of(currency))


def written(minor: int, currency: str, *, grouped: bool = True) -> str:
    """Return an amount in its currency's own decimals: ``1,299.00`` of EUR, ``6,000`` of JPY."""
    exact = Decimal(minor).scaleb(-exponent_of(currency))
    return f"{exact:,f}" if grouped else f"{exact:f}"


class Quote(NamedTuple):
    """What one unit of a currency was worth on a day.

    Attributes
    ----------
    day : int
        UTC days since 1970.
    currency : str
    worth_in : str
        The currency that ``rate`` counts in: 1 ``currency`` = ``rate`` ``worth_in``.
    rate : Decimal
        Above 0.
    """

    day: int
    currency: str
    worth_in: str
    rate: Decimal


class _Series(NamedTuple):
    """The quotes of one pair, by day."""

    days: tuple[int, ...]
    rates: tuple[Decimal, ...]

    def on(self, day: int) -> Decimal | None:
        """Return the newest rate on or before ``day``; None where there is none, or only one that is too old."""
        index = bisect_right(self.days, day) - 1
        if index < 0 or day - self.days[index] > MAX_RATE_AGE_DAYS:
            return None
        return self.rates[index]


class Rates:
    """A table of exchange rates as it stood at one moment; never changed, so that threads and batches may share it.

    Parameters
    ----------
    quotes : iterable of Quote
        Of one day and pair, the last one holds.

    Notes
    -----
    A rate is that of the event's day, else the newest before it that is at most ``MAX_RATE_AGE_DAYS`` old. It is the
    quote of the pair; else one over the quote of the reversed pair; else the product over a third currency that both
    are quoted with, the alphabetically first of several. All of it is exact until ``factor`` rounds to what a float
    holds. The same table gives the same amounts whenever it is asked, so that a replay agrees with the stream.
    """

    __slots__ = ("_partners", "_series")

    def __init__(self, quotes: Iterable[Quote] = ()) -> None:
        found: defaultdict[tuple[str, str], dict[int, Decimal]] = defaultdict(dict)
        for quote in quotes:
            found[quote.currency, quote.worth_in][quote.day] = quote.rate
        self._series: Mapping[tuple[str, str], _Series] = {
            pair: _Series(tuple(days), tuple(by_day[day] for day in days))
            for pair, by_day in found.items()
            for days in (sorted(by_day),)
        }
        partners: defaultdict[str, set[str]] = defaultdict(set)
        for currency, worth_in in self._series:
            partners[currency].add(worth_in)
            partners[worth_in].add(currency)
        self._partners: Mapping[str, tuple[str, ...]] = {
            name: tuple(sorted(others)) for name, others in partners.items()
        }

    def __len__(self) -> int:
        return sum(len(series.days) for series in self._series.values())

    def pairs(self) -> Iterator[tuple[str, str, tuple[int, ...], Decimal]]:
        """Yield each pair that is quoted, with its days in ascending order and its newest rate."""
        for (currency, worth_in), series in sorted(self._series.items()):
            yield currency, worth_in, series.days, series.rates[-1]

    def rate(self, currency: str, worth_in: str, day: int) -> Fraction | None:
        """Return what one ``currency`` is worth in ``worth_in`` on a UTC day since 1970; None where nothing says."""
        if currency == worth_in:
            return Fraction(1)
        known = self._quoted(currency, worth_in, day)
        if known is not None:
            return known
        others = self._partners.get(worth_in, ())
        for third in self._partners.get(currency, ()):
            if third in others:
                first, second = self._quoted(currency, third, day), self._quoted(third, worth_in, day)
                if first is not None and second is not None:
                    return first * second
        return None

    def factor(self, currency: str, worth_in: str, *, day: int) -> float | None:
        """Return what one minor unit of ``currency`` is worth in those of ``worth_in``; None without a rate.

        It has at most ``FACTOR_DIGITS`` significant digits, which a float gives back as they are written: a state can
        remember by what an amount was converted, and take exactly that back.
        """
        if currency == worth_in:
            return 1.0
        rate = self.rate(currency, worth_in, day)
        if rate is None:
            return None
        shift = exponent_of(worth_in) - exponent_of(currency)
        context = Context(prec=FACTOR_DIGITS)
        return float(context.divide(Decimal(rate.numerator), Decimal(rate.denominator)).scaleb(shift))

    def _quoted(self, currency: str, worth_in: str, day: int) -> Fraction | None:
        for pair, is_reversed in (((currency, worth_in), False), ((worth_in, currency), True)):
            series = self._series.get(pair)
            rate = None if series is None else series.on(day)
            if rate is not None:
                return 1 / Fraction(rate) if is_reversed else Fraction(rate)
        return None


NO_RATES: Final = Rates()


def times(minor: int, factor: float) -> int:
    """Return an amount of minor units times a factor of ``Rates``, at most ``MAX_ORDER_MINOR``; half a unit to even."""
    return minor if factor == 1.0 else bounded(round(minor * Fraction(repr(factor))))


@dataclass(frozen=True, slots=True)
class SiteMoney:
    """What a site's amounts are counted in, and what other currencies are worth.

    Attributes
    ----------
    currency : str
        The site's: amounts without a currency are in it, and sums are.
    rates : Rates
    """

    currency: str
    rates: Rates = field(default=NO_RATES, repr=False, compare=False)

    def currency_of(self, currency: str | None) -> str:
        """Return the currency of an amount: its own, else the site's."""
        return currency or self.currency

    def convert(self, minor: int, currency: str | None, at_ms: int) -> int | None:
        """Return an amount in the site's minor units, at most ``MAX_ORDER_MINOR``; None where no rate says.

        Parameters
        ----------
        minor : int
            In minor units of ``currency``.
        currency : str or None
            None for the site's own.
        at_ms : int
            Event time; the rate is that of its UTC day.
        """
        factor = self.factor(currency, at_ms)
        return None if factor is None else bounded(times(minor, factor))

    def factor(self, currency: str | None, at_ms: int) -> float | None:
        """Return what one minor unit of ``currency`` is worth in the site's, as ``Rates.factor`` says it."""
        if currency is None or currency == self.currency:
            return 1.0
        return self.rates.factor(currency, self.currency, day=at_ms // _DAY_MS)


MoneyOfSite = Callable[[str], SiteMoney]
"""From a site to its money. It raises where that was never loaded: what is counted without it would be wrong."""


def in_euros(site: str) -> SiteMoney:
    """Return the money of a site that counts in EUR and has no rates."""
    return SiteMoney("EUR")


def _scaled(amount: float | Decimal, currency: str) -> Decimal:
    return decimal_of(amount).scaleb(exponent_of(currency))
