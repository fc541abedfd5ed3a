"""Tables of rates as banks, spreadsheets and programs write them, and what is refused of them by line and field."""

from __future__ import annotations

import contextlib
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.exchange import reading
from features.exchange.reading import BadTable, read_csv, read_rows
from features.money import Quote

TODAY = dt.date(2026, 11, 29)
DAY = (dt.date(2026, 11, 27) - dt.date(1970, 1, 1)).days


def read(text: str) -> list[Quote]:
    return read_csv(text, site_currency="EUR", today=TODAY).quotes


@pytest.mark.parametrize(
    "text",
    [
        "day,currency,rate\n2026-11-27,USD,0.8625\n",
        "Date;Currency;Rate\n27.11.2026;usd;0,8625\n",
        "\ufeffday\tcurrency\trate\tworth in\r\n20261127\tUSD\t0.8625\tEUR\r\n",
        '"From","To","Rate","Date"\n"USD","EUR","0.8625","27 November 2026"\n\n',
        "\nday,currency,rate,note\n2026-11-27 00:00:00,USD,8.625e-1,bank\n",
    ],
)
def test_a_row_a_rate_in_whatever_dress(text: str) -> None:
    assert read(text) == [Quote(DAY, "USD", "EUR", Decimal("0.8625"))]


def test_a_column_a_currency_as_the_european_central_bank_publishes() -> None:
    table = read_csv(
        "Date,USD,JPY,CYP,KRW,\n2026-11-27,1.1594,180.42,N/A,1699.8,\n2026-11-26,1.1580,N/A,0.5853,,\n",
        site_currency="GBP", today=TODAY,
    )  # fmt: skip
    assert table.quotes == [
        Quote(DAY - 1, "EUR", "USD", Decimal("1.1580")),
        Quote(DAY, "EUR", "JPY", Decimal("180.42")),
        Quote(DAY, "EUR", "KRW", Decimal("1699.8")),
        Quote(DAY, "EUR", "USD", Decimal("1.1594")),
    ]
    assert table.ignored == ["CYP"]  # withdrawn


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("", "file", "is empty"),
        ("a,b,c\n1,2,3\n", "header", "name day, currency and rate"),
        ("day,currency,rate\n", "rates", "are missing"),
        ("day,currency,rate\n2026-11-27,EURO,1\n", "currency", "no currency of ISO 4217"),
        ("day,currency,rate\n2026-11-27,BTC,90000\n", "currency", "no currency of ISO 4217"),
        ("day,currency,rate\n2026-11-27,XXX,1\n", "currency", "no currency of ISO 4217"),
        ("day,currency,rate\n2026-11-27,EUR,1\n", "currency", "worth one of itself"),
        ("day,currency,rate\n2026-11-27,USD,0\n", "rate", "must lie between"),
        ("day,currency,rate\n2026-11-27,USD,1,15\n", "row", "more cells than the header"),
        ("Date,USD,JPY\n2026-11-27,1,15,180,4\n", "row", "more cells than the header"),
        ("day,currency,rate\n2026-11-27,USD,-1\n", "rate", "is not a rate"),
        ("day,currency,rate\n2026-11-27,USD,NaN\n", "rate", "is not a rate"),
        ("day,currency,rate\n2026-11-27,USD,9e9\n", "rate", "must lie between"),
        ("day,currency,rate\n2026-11-27,USD,\n", "rate", "is not a rate"),
        ('day,currency,rate\n2026-11-27,KRW,"1,699"\n', "rate", "has a comma"),
        ("day;currency;rate\n2026-11-27;KRW;0,59\n2026-11-27;USD;1.699\n", "rate", "mixes commas and points"),
        ("day;currency;rate\n2026-11-27;KRW;1.699,80\n", "rate", "mixes commas and points"),
        ("day,currency,rate\n11/27/2026,USD,1\n", "day", "is not a day"),
        ("day,currency,rate\n2026-02-30,USD,1\n", "day", "is not a day"),
        ("day,currency,rate\n1989-12-31,USD,1\n", "day", "must lie between"),
        ("day,currency,rate\n2027-11-27,USD,1\n", "day", "must lie between"),
        ("day,currency,rate\n2026-11-27,USD,1\n2026-11-27,USD,2\n", "rate", "differs from 1"),
    ],
)
def test_what_cannot_be_taken_names_line_field_value_and_remedy(text: str, field: str, words: str) -> None:
    with pytest.raises(BadTable) as caught:
        read(text)
    fault = caught.value.faults[0]
    assert fault.field == field
    assert words in fault.reason
    assert str(fault) in str(caught.value)


def test_all_faults_are_counted_and_the_first_are_named() -> None:
    rows = "".join(f"2026-11-27,USD,{'x' if number % 2 else 1}\n" for number in range(100))
    with pytest.raises(BadTable) as caught:
        read("day,currency,rate\n" + rows)
    assert caught.value.n_faults == 50
    assert [fault.line for fault in caught.value.faults] == list(range(3, 43, 2))


def test_a_table_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_ROWS", 2)
    rows = "".join(f"2026-11-{day},USD,1\n" for day in (25, 26, 27))
    with pytest.raises(BadTable, match="more than 2"):
        read("day,currency,rate\n" + rows)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({}, "currency"),
        ({"day": "2026-11-27", "currency": 7, "rate": 1}, "currency"),
        ({"day": 20261127, "currency": "USD", "rate": 1}, "day"),
        ({"day": "2026-11-27", "currency": "USD", "rate": True}, "rate"),
        ({"day": "2026-11-27", "currency": "USD", "rate": float("inf")}, "rate"),
        ({"day": "2026-11-27", "currency": "USD", "rate": [1]}, "rate"),
        ({"day": "2026-11-27", "currency": "USD", "rate": 1, "worth_in": "euro"}, "worth_in"),
    ],
)
def test_rows_of_a_program_are_held_to_the_same(row: dict[str, Any], field: str) -> None:
    good = {"day": "2026-11-27", "currency": "JPY", "rate": 0.00554}
    with pytest.raises(BadTable) as caught:
        read_rows([good, row], site_currency="EUR", today=TODAY)
    assert (caught.value.faults[0].line, caught.value.faults[0].field) == (1, field)


def test_a_small_float_is_taken_as_it_was_written() -> None:
    (quote,) = read_rows(
        [{"day": "2026-11-27", "currency": "IDR", "rate": 5.27e-05}], site_currency="EUR", today=TODAY
    ).quotes
    assert quote.rate == Decimal("0.0000527")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadTable):  # anything else is a mistake of ours
        read("day,currency,rate\n" + text)
    with contextlib.suppress(BadTable):
        read(text)
