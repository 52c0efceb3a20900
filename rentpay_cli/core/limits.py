"""How much may leave without a person's look: over a limit a payout waits, held, and is not failed."""

from __future__ import annotations

from dataclasses import dataclass

from rentpay_cli.core.money import show_kes


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """In cents; None is no limit."""

    transfer_cents: int = 250_000 * 100
    day_cents: int | None = None
    owner_day_cents: int | None = None


@dataclass(frozen=True, slots=True)
class SentToday:
    """What has left, or may have left, since the East African day began, in cents."""

    cents: int = 0
    to_owner_cents: int = 0


def why_held(amount_cents: int, limits: Limits, sent: SentToday) -> str:
    """Why a payout of so many cents must wait for a person, or an empty text."""
    if amount_cents > limits.transfer_cents:
        return f"{show_kes(amount_cents)} is over the limit of one transfer, {show_kes(limits.transfer_cents)}"
    if limits.day_cents is not None and sent.cents + amount_cents > limits.day_cents:
        return (
            f"with {show_kes(amount_cents)} more, {show_kes(sent.cents + amount_cents)} would have left today, "
            f"and the limit of a day is {show_kes(limits.day_cents)}"
        )
    if limits.owner_day_cents is not None and sent.to_owner_cents + amount_cents > limits.owner_day_cents:
        return (
            f"with {show_kes(amount_cents)} more, this owner would have been sent "
            f"{show_kes(sent.to_owner_cents + amount_cents)} today, and the limit of an owner and day is "
            f"{show_kes(limits.owner_day_cents)}"
        )
    return ""


REPEATED = "the same amount went to the same owner within 24 hours, and this payout rests on a person's ruling"
"""Why a payout that M-Pesa's own word does not carry is held when it looks like one that was made."""
