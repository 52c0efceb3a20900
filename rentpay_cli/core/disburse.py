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


@dataclass(frozen=True, slots=True)
class Share:
    """All that decides whether an owner's share may be sent."""

    payment_status: PaymentStatus
    status: DisbursementStatus
    attempts: tuple[State, ...]
    advice: Advice | None = None
    has_receipt: bool = True
    is_held: bool = False


def follows_restore(stop_reason: str) -> bool:
    """Whether payouts are stopped because the database went back to a copy: what it takes for unsent may be paid."""
    return stop_reason.casefold().startswith("restored")


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
    return None
