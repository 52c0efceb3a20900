"""Whether rent may be asked for by STK Push now.

M-Pesa allows one prompt per phone and minute, and has no idempotency key: after a lost answer the tenant may still see
the prompt and pay (Daraja, STK Push). A second prompt while the first is unanswered can collect the rent twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rentpay_cli.core.attempt import ENDED, State

PROMPT_PAUSE = timedelta(minutes=1)
MAX_PUSH_CENTS = 250_000 * 100
"""M-Pesa's most for one STK Push (Daraja, limits)."""


class Method(StrEnum):
    """How a tenant pays; `mpesa` is asked for by a prompt."""

    MPESA = "mpesa"
    PAYBILL = "paybill"
    CASH = "cash"
    BANK = "bank"
    CHEQUE = "cheque"
    OTHER = "other"


OUTSIDE_MPESA = (Method.CASH, Method.BANK, Method.CHEQUE, Method.OTHER)


class WayIn(StrEnum):
    """By what way money came in."""

    STK = "stk"
    PAYBILL = "paybill"
    CASH = "cash"
    BANK = "bank"
    CHEQUE = "cheque"
    OTHER = "other"


class ReceivedBy(StrEnum):
    """Who has the money that a tenant paid."""

    PLATFORM = "platform"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class EarlierPush:
    """An earlier prompt to the same phone."""

    payment_id: int
    property_id: int
    state: State
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class TooSoon:
    """The phone was prompted less than a minute ago."""

    payment_id: int
    wait_seconds: int


@dataclass(frozen=True, slots=True)
class StillOpen:
    """Rent of the same property was asked of the same phone, and nobody knows yet whether it was paid."""

    payment_id: int
    state: State


def may_push(earlier: list[EarlierPush], property_id: int, now: datetime) -> TooSoon | StillOpen | None:
    """Why the phone must not be prompted now, or None."""
    for push in earlier:
        if push.property_id == property_id and push.state not in ENDED:
            return StillOpen(push.payment_id, push.state)
    for push in earlier:
        rest = PROMPT_PAUSE - (now - push.asked_at)
        if rest > timedelta():
            return TooSoon(push.payment_id, max(1, -(-rest // timedelta(seconds=1))))
    return None
