from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracking.contract.mending.amounts import UnreadableAmount, read_amount, read_currency


@pytest.mark.parametrize(
    ("written", "value", "currency"),
    [
        (19.99, "19.99", None),
        ("19.99", "19.99", None),
        ("7,50 EUR", "7.50", "EUR"),
        ("7,50 €", "7.50", "EUR"),
        ("£7.50", "7.50", "GBP"),
        ("2.450,00", "2450.00", None),
        ("2,450.00 CAD", "2450.00", "CAD"),
        ("7.50usd", "7.50", "USD"),
        ("usd 7.50", "7.50", "USD"),
        ("2 450,00 kr", "2450.00", None),
        ("2\u202f450,00\u00a0€", "2450.00", "EUR"),
        ("CHF 2'450.-", "2450", "CHF"),
        ("2.450,-", "2450", None),
        ("Rs. 350", "350", None),
        ("12,34,567.80 INR", "1234567.80", "INR"),
        ("1.234.567", "1234567", None),
        ("1.234.50", "1234.50", None),
        ("7.", "7", None),
        (".5", "0.5", None),
        ("3e2", "300", None),
        ("18,000 JPY", "18000", "JPY"),
        ("2.450 KWD", "2.450", "KWD"),
        ("(4.50)", "-4.50", None),
        ("\u22124,50 €", "-4.50", "EUR"),
        ("free", "0", None),
        (" 8 ", "8", None),
    ],
)
def test_an_amount_with_one_reading_is_read(written: object, value: str, currency: str | None) -> None:
    amount = read_amount(written)

    assert amount is not None
    assert (amount.value, amount.currency) == (Decimal(value), currency)


@pytest.mark.parametrize("written", [None, "", "  ", float("nan"), "NaN", "null", "(not set)", "-"])
def test_what_says_nothing_is_no_amount(written: object) -> None:
    assert read_amount(written) is None


@pytest.mark.parametrize(
    "written",
    [True, [1], {}, float("inf"), "abc", "12abc", "10 % off", "5 - 10", "12 34", "1,2,3", "12.34.56", "..", "9" * 70,
     "1 EUR or 2 USD", "EUR"],
)  # fmt: skip
def test_what_has_no_reading_is_refused_with_the_remedy(written: object) -> None:
    with pytest.raises(UnreadableAmount, match=r"write (it as|one)"):
        read_amount(written)


@pytest.mark.parametrize(("decimal", "value"), [(".", "1.299"), (",", "1299")])
def test_two_readings_are_settled_by_the_decimal_separator(decimal: str, value: str) -> None:
    with pytest.raises(UnreadableAmount, match=r"two readings; write 1299\.00 or 1\.299"):
        read_amount("1.299 EUR")

    amount = read_amount("1.299 EUR", decimal=decimal)  # type: ignore[arg-type]

    assert amount is not None
    assert amount.value == Decimal(value)


def test_a_symbol_that_several_currencies_share_means_the_one_that_is_expected() -> None:
    assert [read_currency("$"), read_currency("$", expected="CAD"), read_currency("$", expected="EUR")] == [
        None, "CAD", None,
    ]  # fmt: skip
    amount = read_amount("$5", currency="AUD")
    assert amount is not None
    assert amount.currency == "AUD"


WRITTEN = {
    "plain": lambda whole, cents: f"{whole}.{cents:02}",
    "comma": lambda whole, cents: f"{whole},{cents:02}",
    "english": lambda whole, cents: f"{whole:,}.{cents:02}",
    "german": lambda whole, cents: f"{whole:,}".replace(",", ".") + f",{cents:02}",
    "french": lambda whole, cents: f"{whole:,}".replace(",", "\u202f") + f",{cents:02}",
    "swiss": lambda whole, cents: f"{whole:,}".replace(",", "'") + f".{cents:02}",
}


@given(st.integers(0, 10**9), st.integers(0, 99), st.sampled_from(sorted(WRITTEN)), st.sampled_from(["", " EUR", " €"]))
def test_every_way_of_writing_two_decimals_gives_the_same_money(whole: int, cents: int, way: str, unit: str) -> None:
    amount = read_amount(WRITTEN[way](whole, cents) + unit)

    assert amount is not None
    assert amount.value * 100 == whole * 100 + cents


AROUND = (
    "{}",
    "<span>{}</span>",
    "&euro;{}",
    "{} &euro;",
    "<b>&#8364;</b>\u00a0{}",
    "{} incl. VAT",
    "{} € (inkl. 19% MwSt.)",
)
DIGITS = ("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669",
          "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")  # fmt: skip


@given(st.integers(0, 10**6), st.integers(0, 99), st.sampled_from(AROUND), st.sampled_from(DIGITS))
def test_markup_notes_on_tax_and_other_digits_change_no_money(whole: int, cents: int, around: str, digits: str) -> None:
    written = f"{whole}.{cents:02}".translate(str.maketrans("0123456789", digits))

    amount = read_amount(around.format(written))

    assert amount is not None
    assert amount.value * 100 == whole * 100 + cents


@pytest.mark.parametrize("word", ["Fr", "kr", "Rs", "R", "Kc"])
def test_the_full_stop_of_a_word_is_no_decimal_point(word: str) -> None:
    amount = read_amount(f"{word}. 12.50")
    assert amount is not None
    assert amount.value == Decimal("12.50")


@given(st.text(alphabet="0123456789.,'- €$ERU()e\u00a0", max_size=20))
def test_any_text_is_read_or_refused_and_never_anything_else(written: str) -> None:
    try:
        amount = read_amount(written)
    except UnreadableAmount:
        return
    assert amount is None or amount.value.is_finite()
