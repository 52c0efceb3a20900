"""Kenyan numbers, in every form that people type them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rentpay_cli.core.phone import mask_phone, parse_phone


@pytest.mark.parametrize(
    "written",
    [
        "0712345678",
        "712345678",
        "254712345678",
        "+254712345678",
        "0712 345 678",
        "0712-345-678",
        "0712.345.678",
        "(0712) 345678",
        "+254 712 345 678",
        "+254 (712) 345-678",
        " 0712345678 ",
        "\t0712345678\n",
        "+254-712-345-678",
        "254 712 345 678",
    ],
)
def test_every_way_to_write_a_number_is_the_same_number(written: str) -> None:
    assert parse_phone(written) == "254712345678"


@pytest.mark.parametrize("written", ["0110345678", "110345678", "254110345678", "+254 110 345 678", "0110-345-678"])
def test_the_newer_numbers_that_begin_with_01_are_taken(written: str) -> None:
    assert parse_phone(written) == "254110345678"


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "+",
        "0712",
        "071234567",
        "07123456789",
        "2547123456789",
        "25471234567",
        "+255712345678",
        "256712345678",
        "+447123456789",
        "0812345678",
        "0212345678",
        "0512345678",
        "2540712345678",
        "++254712345678",
        "+0712345678",
        "254+712345678",
        "0712E45678",
        "O712345678",
        "phone",
        "0712345678 ext 2",
        "0712/345678",
        "0712,345,678",
        "\u0660\u0667\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
        "0712\u00a0345678",
        "\uff10\uff17\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18",
        "0712345678x",
    ],
)
def test_what_is_no_kenyan_mobile_number_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a Kenyan mobile number"):
        parse_phone(written)


@given(st.sampled_from("17"), st.integers(min_value=0, max_value=99_999_999))
def test_a_number_that_was_read_reads_as_itself(first: str, rest: int) -> None:
    national = f"{first}{rest:08d}"
    for prefix in ("0", "", "254", "+254"):
        assert parse_phone(prefix + national) == "254" + national


@given(st.text())
def test_any_text_is_a_number_or_is_refused(text: str) -> None:
    try:
        phone = parse_phone(text)
    except ValueError:
        return
    assert len(phone) == 12
    assert phone.isascii()
    assert phone.isdigit()
    assert phone.startswith(("2547", "2541"))


def test_a_masked_number_can_be_recognised_and_not_called() -> None:
    assert mask_phone("254712345678") == "254712***678"


@pytest.mark.parametrize("short", ["", "254", "712345678"])
def test_too_short_a_number_shows_nothing_at_all(short: str) -> None:
    assert mask_phone(short) == "***"
