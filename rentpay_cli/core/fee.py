"""The one place where rent is divided between the platform and the owner."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from rentpay_cli.core.money import CENTS


@dataclass(frozen=True, slots=True)
class Division:
    """A payment divided: `amount_cents == fee_cents + share_cents`, always."""

    amount_cents: int
    fee_cents: int
    share_cents: int


def parse_percentage(text: str) -> Decimal:
    """Read a fee percentage from 0 to 100; raises `ValueError`."""
    try:
        percentage = Decimal(text.strip().removesuffix("%").strip())
    except InvalidOperation:
        raise ValueError(f"'{text}' is not a percentage such as 5 or 7.5") from None
    if not (percentage.is_finite() and 0 <= percentage <= 100):
        raise ValueError(f"'{text}' is not a percentage from 0 to 100")
    exponent = percentage.normalize().as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -6:
        raise ValueError(f"'{text}' has more than six decimals")
    return percentage


def divide(amount_cents: int, fee_percentage: Decimal) -> Division:
    """Divide a payment: the fee is a whole shilling, rounded half up, and never more than was paid."""
    fee_shillings = (amount_cents * fee_percentage / 100 / CENTS).to_integral_value(ROUND_HALF_UP)
    fee_cents = min(int(fee_shillings), amount_cents // CENTS) * CENTS
    return Division(amount_cents, fee_cents, amount_cents - fee_cents)
