"""Kenyan mobile numbers: read in any form, kept in one (`254712345678`), shown masked.

M-Pesa takes `2547` or `2541` and eight digits (Daraja, STK Push, field `PhoneNumber`).
"""

from __future__ import annotations

import re

_KENYAN = re.compile(r"(?:\+?254|0)?([17][0-9]{8})")
_BLANKS = re.compile(r"[\s().-]+")


def parse_phone(text: str) -> str:
    """Read a Kenyan mobile number (`0712…`, `0110…`, `+254 712-…`) as twelve digits; raises `ValueError`."""
    match = _KENYAN.fullmatch(_BLANKS.sub("", text))
    if not match or not text.isascii():
        raise ValueError(f"'{text}' is not a Kenyan mobile number such as 0712 345 678 or +254 110 345 678")
    return "254" + match.group(1)


def mask_phone(phone: str) -> str:
    """Show only what a person needs to recognise the number: `254712***678`."""
    return phone[:6] + "***" + phone[-3:] if len(phone) > 9 else "***"


NO_DIGITS = "0" * 9
"""What stands in the place of the digits of a telephone number that was forgotten."""


def own_digits(phone: str) -> str:
    """The nine digits of a number that stand in each of its forms, also in M-Pesa's checkout ids."""
    return phone[-len(NO_DIGITS) :]
