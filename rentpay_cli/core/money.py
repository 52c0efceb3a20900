"""Money: whole cents of Kenyan shillings, as `int`, never a float.

M-Pesa moves whole shillings by STK Push and B2B, and writes amounts in many ways: `22000`, `22000.0`, `"190.00"`.
"""

from __future__ import annotations

import re
from decimal import Decimal

CENTS = 100
MAX_CENTS = 100_000_000_000 * CENTS
"""More than any ledger here will see; it keeps sums inside 64 bits."""

_WRITTEN = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2}0*)?")
_GROUPED = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{1,2})?")


def parse_cents(text: str) -> int:
    """Read an amount as a person writes it (`10000`, `10,000`, `99.50`) into cents; raises `ValueError`."""
    text = text.strip().removeprefix("KES").strip()
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    if not _WRITTEN.fullmatch(text):
        raise ValueError(f"'{text}' is not an amount in shillings")
    return int(Decimal(text) * CENTS)


def cents_from_mpesa(value: object) -> int | None:
    """Read an amount as M-Pesa writes it (number or text) into cents; None if it is none, or has parts of a cent."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        amount = Decimal(str(value).strip()) * CENTS
    except (ArithmeticError, ValueError):  # no number, or one with an exponent beyond reason
        return None
    if not amount.is_finite() or abs(amount) > MAX_CENTS or amount != amount.to_integral_value():
        return None
    return int(amount)


def shillings(cents: int) -> int | float:
    """The amount as scripts see it: a whole number of shillings, with cents only where there are any."""
    return cents // CENTS if cents % CENTS == 0 else cents / CENTS


def show_kes(cents: int) -> str:
    """The amount as people see it: `KES 9,500` or `KES 9,500.50`."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), CENTS)
    return f"{sign}KES {whole:,}" + (f".{rest:02d}" if rest else "")


def is_whole_shillings(cents: int) -> bool:
    """Whether STK Push and B2B can carry the amount."""
    return cents % CENTS == 0
