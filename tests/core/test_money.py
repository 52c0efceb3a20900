"""Whole cents: what a person writes, what M-Pesa writes, and what is shown."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.money import (
    MAX_CENTS,
    cents_from_mpesa,
    is_whole_shillings,
    parse_cents,
    shillings,
    show_kes,
)


@pytest.mark.parametrize(
    ("written", "cents"),
    [
        ("10000", 1_000_000),
        ("10,000", 1_000_000),
        ("1,234,567.89", 123_456_789),
        ("99.50", 9_950),
        ("99.5", 9_950),
        ("99.500", 9_950),
        ("0.01", 1),
        ("0", 0),
        (" 10000 ", 1_000_000),
        ("KES 10,000", 1_000_000),
        ("KES10000", 1_000_000),
        ("007", 700),
    ],
)
def test_an_amount_is_read_as_a_person_writes_it(written: str, cents: int) -> None:
    assert parse_cents(written) == cents


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "KES",
        "ten",
        "-5",
        "+5",
        "1e3",
        "1_000",
        "10,00",
        "1,0000",
        ",100",
        "100,",
        "5.",
        ".5",
        "1.005",
        "NaN",
        "Infinity",
        "inf",
        "1.2.3",
        "10 000",
        "\u0661\u0660\u0660",
        "1234567890123",
        "$5",
        "0x10",
        "5\n6",
    ],
)
def test_what_is_no_amount_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not an amount in shillings"):
        parse_cents(written)


@pytest.mark.parametrize(
    ("value", "cents"),
    [
        (22000, 2_200_000),
        (22000.0, 2_200_000),
        (1, 100),
        (1.0, 100),
        (0.1, 10),
        (0.07, 7),
        (1.15, 115),
        (4.35, 435),
        ("190.00", 19_000),
        ("190", 19_000),
        (" 190.00 ", 19_000),
        (Decimal("1.00"), 100),
        (Decimal("6186.83"), 618_683),
        (Decimal("1E+3"), 100_000),
        (Decimal("22.40"), 2_240),
        ("67.00", 6_700),
        ("-220.00", -22_000),
        (0, 0),
        ("12.500", 1_250),
    ],
)
def test_an_amount_is_read_as_mpesa_writes_it(value: object, cents: int) -> None:
    assert cents_from_mpesa(value) == cents


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        "",
        " ",
        "abc",
        "KES 5",
        "1,000",
        "{Amount={CurrencyCode=KES}}",
        [1],
        {"Amount": 1},
        b"5",
        float("nan"),
        float("inf"),
        float("-inf"),
        1e400,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        "NaN",
        "-Infinity",
        "1e400",
        "1e999999",
        Decimal("1e9999999"),
        "-1e999999",
        10**400,
        pytest.param(10**5000, id="an integer of 5001 digits"),
        MAX_CENTS,
        0.001,
        "0.005",
        "190.001",
        Decimal("1.999"),
    ],
)
def test_what_is_no_amount_of_mpesas_is_none_and_never_a_guess(value: object) -> None:
    assert cents_from_mpesa(value) is None


def test_the_largest_amount_is_still_read_and_one_cent_more_is_not() -> None:
    assert cents_from_mpesa(MAX_CENTS // 100) == MAX_CENTS
    assert cents_from_mpesa(f"{MAX_CENTS // 100}.01") is None


def test_scripts_see_whole_shillings_as_integers_and_cents_only_where_there_are_any() -> None:
    assert (shillings(950_000), type(shillings(950_000))) == (9500, int)
    assert shillings(950_050) == 9500.5
    assert (shillings(0), type(shillings(0))) == (0, int)
    assert shillings(-22_000) == -220


@pytest.mark.parametrize(
    ("cents", "shown"),
    [
        (950_000, "KES 9,500"),
        (950_050, "KES 9,500.50"),
        (5, "KES 0.05"),
        (0, "KES 0"),
        (-22_050, "-KES 220.50"),
        (-1, "-KES 0.01"),
        (100_000_000_00, "KES 100,000,000"),
    ],
)
def test_people_see_shillings_with_thousands_and_cents_only_where_there_are_any(cents: int, shown: str) -> None:
    assert show_kes(cents) == shown


def test_only_whole_shillings_can_be_carried() -> None:
    assert is_whole_shillings(100)
    assert is_whole_shillings(0)
    assert not is_whole_shillings(150)
    assert not is_whole_shillings(1)


some_cents = st.integers(min_value=0, max_value=MAX_CENTS)


@given(some_cents)
def test_what_is_shown_can_be_typed_in_again(cents: int) -> None:
    assert parse_cents(show_kes(cents)) == cents


@given(some_cents)
def test_every_way_of_mpesas_to_write_an_amount_is_the_same_amount(cents: int) -> None:
    written = f"{cents // 100}.{cents % 100:02d}"
    assert cents_from_mpesa(written) == cents
    assert cents_from_mpesa(Decimal(written)) == cents
    if cents % 100 == 0:
        assert cents_from_mpesa(cents // 100) == cents


@given(st.integers(min_value=0, max_value=10**12))
def test_an_amount_for_scripts_is_the_amount_that_was_stored(cents: int) -> None:
    assert cents_from_mpesa(shillings(cents)) == cents


@given(st.one_of(st.text(), st.floats(), st.integers(), st.decimals(), st.none(), st.booleans(), st.binary()))
def test_no_value_trips_the_reading_of_an_amount(value: object) -> None:
    cents = cents_from_mpesa(value)
    assert cents is None or (type(cents) is int and abs(cents) <= MAX_CENTS)
