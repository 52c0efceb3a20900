"""What an owner's share needs next: whether it may be sent, and if not, why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from rentpay_cli.core.attempt import State
from rentpay_cli.core.codes import Advice


class PaymentStatus(StrEnum):
    """What is known about the tenant's money."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"
    REVERSED = "reversed"


class DisbursementStatus(StrEnum):
    """What is known about the owner's share."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    NOT_REQUIRED = "not_required"


class Refusal(StrEnum):
    """Why a share must not be sent; the value is the code that scripts see."""

    STOPPED = "payouts_stopped"
    FLOAT_RAN_OUT = "float_ran_out"
    HELD = "held"
    NOT_PAID = "not_paid"
    NO_RECEIPT = "receipt_unknown"
    PAYMENT_FAILED = "payment_failed"
    REVERSED = "payment_reversed"
    NOT_REQUIRED = "not_required"
    COMPLETED = "already_completed"
    UNCLEAR = "outcome_unclear"
    UNDER_WAY = "under_way"
    MEND_FIRST = "mend_first"
    NEVER = "never_again"
    ASK = "not_certain"
    NOT_CONFIRMED = "not_confirmed"
    BUSY = "busy"


WORDS = {
    Refusal.STOPPED: "all payouts are stopped",
    Refusal.FLOAT_RAN_OUT: "the float ran out during the run",
    Refusal.HELD: "it is held for a person to look at",
    Refusal.NOT_PAID: "the tenant has not paid yet",
    Refusal.NO_RECEIPT: "M-Pesa confirmed the tenant's payment, but its receipt has not come yet",
    Refusal.PAYMENT_FAILED: "the tenant's payment failed",
    Refusal.REVERSED: "the tenant's payment was reversed",
    Refusal.NOT_REQUIRED: "it moves no M-Pesa money to the owner",
    Refusal.COMPLETED: "the owner was already paid",
    Refusal.UNCLEAR: (
        "it was sent and M-Pesa has not said whether the owner was paid; a second transfer could pay twice"
    ),
    Refusal.UNDER_WAY: "it is on its way: M-Pesa has not said yet whether the owner was paid",
    Refusal.MEND_FIRST: "the cause of the last failure must be mended first",
    Refusal.NEVER: "the last failure is of a kind that must not be sent again",
    Refusal.ASK: "the last failure does not prove that nothing moved",
    Refusal.NOT_CONFIRMED: "M-Pesa has not confirmed by query yet that the tenant paid",
    Refusal.BUSY: "another process works on it just now",
}
"""Why, as a person would say it after "it was not disbursed"."""


@dataclass(frozen=True, slots=True)
class Share:
    """All that decides whether an owner's share may be sent."""

    payment_status: PaymentStatus
    status: DisbursementStatus
    attempts: tuple[State, ...]
    advice: Advice | None = None
    has_receipt: bool = True
    is_held: bool = False
    is_stopped: bool = False
    float_ran_out: bool = False


class StopKind(StrEnum):
    """What stopped payouts: it decides what follows, and the words beside it decide nothing."""

    RESTORE = "restore"
    """The database went back to a copy: what it takes for unsent may be paid."""
    CREDENTIAL = "credential"
    RECEIVER = "receiver"
    PERSON = "person"
    RATE = "rate"
    CLOCK = "clock"
    STATEMENT = "statement"


_BY_PAYMENT = {
    PaymentStatus.PENDING: Refusal.NOT_PAID,
    PaymentStatus.FAILED: Refusal.PAYMENT_FAILED,
    PaymentStatus.REVERSED: Refusal.REVERSED,
}
_BY_ADVICE = {Advice.MEND_FIRST: Refusal.MEND_FIRST, Advice.NEVER: Refusal.NEVER, Advice.ASK: Refusal.ASK}


def why_not(share: Share, *, mended: Iterable[Advice] = ()) -> Refusal | None:
    """Why the share must not be sent now, or None; `mended` is what a person vouches for.

    Only attempts that certainly moved nothing may be followed by another, and no money goes out for money that came in
    without a receipt.
    """
    if share.payment_status in _BY_PAYMENT and share.status is not DisbursementStatus.NOT_REQUIRED:
        return _BY_PAYMENT[share.payment_status]
    if share.status is DisbursementStatus.NOT_REQUIRED:
        return Refusal.NOT_REQUIRED
    if share.status is DisbursementStatus.COMPLETED or State.MOVED in share.attempts:
        return Refusal.COMPLETED
    if State.UNCLEAR in share.attempts:
        return Refusal.UNCLEAR
    if share.status is DisbursementStatus.PROCESSING or {State.SENDING, State.WAITING} & set(share.attempts):
        return Refusal.UNDER_WAY
    if not share.has_receipt:
        return Refusal.NO_RECEIPT
    if share.is_held:
        return Refusal.HELD
    if share.advice in _BY_ADVICE and share.advice not in set(mended):
        return _BY_ADVICE[share.advice]
    if share.is_stopped:
        return Refusal.STOPPED
    return Refusal.FLOAT_RAN_OUT if share.float_ran_out else None
