"""The one place where rent is divided."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.fee import Division, divide, parse_percentage

amounts = st.integers(min_value=0, max_value=10**13)
percentages = st.decimals(min_value=0, max_value=100, places=6, allow_nan=False, allow_infinity=False)


def test_five_percent_of_ten_thousand_shillings_is_five_hundred() -> None:
    assert divide(1_000_000, Decimal(5)) == Division(1_000_000, 50_000, 950_000)


@pytest.mark.parametrize(
    ("amount_shillings", "percentage", "fee_shillings"),
    [
        (10, "5", 1),  # half a shilling goes up
        (30, "5", 2),  # and so does one and a half: half up, not half to even
        (50, "5", 3),
        (9, "5", 0),  # 0.45
        (11, "5", 1),  # 0.55
        (1_001, "7.5", 75),  # 75.075
        (1_007, "7.5", 76),  # 75.525
        (33, "50", 17),  # 16.5
        (12_345, "0.000001", 0),
    ],
)
def test_the_fee_is_a_whole_shilling_rounded_half_up(
    amount_shillings: int, percentage: str, fee_shillings: int
) -> None:
    assert divide(amount_shillings * 100, Decimal(percentage)).fee_cents == fee_shillings * 100


def test_a_fee_of_half_a_shilling_is_rounded_up_and_just_less_is_not() -> None:
    assert divide(1_000, Decimal("5")).fee_cents == 100
    assert divide(1_000, Decimal("4.999999")).fee_cents == 0


def test_no_fee_leaves_everything_to_the_owner() -> None:
    assert divide(1_000_050, Decimal(0)) == Division(1_000_050, 0, 1_000_050)


def test_a_fee_of_everything_leaves_the_owner_nothing_but_odd_cents() -> None:
    assert divide(1_000_000, Decimal(100)) == Division(1_000_000, 1_000_000, 0)
    assert divide(199, Decimal(100)) == Division(199, 100, 99)
    assert divide(99, Decimal(100)) == Division(99, 0, 99)


@given(amounts, percentages)
def test_the_fee_and_the_share_are_the_amount_to_the_cent(amount_cents: int, percentage: Decimal) -> None:
    division = divide(amount_cents, percentage)
    assert division.amount_cents == amount_cents
    assert division.fee_cents + division.share_cents == amount_cents
    assert type(division.fee_cents) is int
    assert type(division.share_cents) is int


@given(amounts, percentages)
def test_the_fee_is_whole_shillings_and_never_more_than_was_paid(amount_cents: int, percentage: Decimal) -> None:
    division = divide(amount_cents, percentage)
    assert division.fee_cents % 100 == 0
    assert 0 <= division.fee_cents <= amount_cents
    assert division.share_cents >= 0


@given(amounts, percentages)
def test_the_fee_is_the_exact_percentage_rounded_half_up(amount_cents: int, percentage: Decimal) -> None:
    millionths = int(percentage * 1_000_000)
    exact = 100 * 100 * 1_000_000  # cents of a shilling, percent, millionths
    half_up = (2 * amount_cents * millionths + exact) // (2 * exact)
    assert divide(amount_cents, percentage).fee_cents == min(half_up, amount_cents // 100) * 100


@given(st.integers(min_value=0, max_value=10**9), percentages)
def test_the_share_of_whole_shillings_is_whole_shillings_so_that_booked_is_sent(
    amount_shillings: int, percentage: Decimal
) -> None:
    assert divide(amount_shillings * 100, percentage).share_cents % 100 == 0


@pytest.mark.parametrize(
    ("written", "percentage"),
    [
        ("5", "5"),
        ("7.5", "7.5"),
        ("0", "0"),
        ("100", "100"),
        ("100.000000", "100"),
        (" 5 % ", "5"),
        ("5%", "5"),
        ("0.000001", "0.000001"),
        ("5.0000000", "5"),
    ],
)
def test_a_percentage_is_read(written: str, percentage: str) -> None:
    assert parse_percentage(written) == Decimal(percentage)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "%",
        "five",
        "-1",
        "-0.000001",
        "100.000001",
        "101",
        "NaN",
        "sNaN",
        "Infinity",
        "1e400",
        "5%%",
        "5,5",
        "0.0000001",
    ],
)
def test_a_bad_percentage_is_refused_and_named(written: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the message differs, what it names does not
        parse_percentage(written)
    assert f"'{written}'" in str(refused.value)
