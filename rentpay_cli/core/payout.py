"""The table of why a payable may not be sent now, for every way out and every screen.

A payable is an owner's share of a payment, or another amount owed to the owner or by him. The facts about it are read
under a lock, in the transaction that writes the attempt; what they mean is said here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from rentpay_cli.core.codes import Advice
from rentpay_cli.core.statuses import PayableStatus as PayableStatus
from rentpay_cli.core.statuses import PaymentStatus as PaymentStatus
from rentpay_cli.core.statuses import State
from rentpay_cli.core.statuses import Way as Way


class PayableKind(StrEnum):
    """What an amount is owed for: a share of rent, or an entry for or against the owner."""

    SHARE = "share"
    REVERSAL = "reversal"
    REALLOCATED = "reallocated"
    RETURNED = "returned"
    PAID_IN_ERROR = "paid_in_error"
    TO_RECOVER = "to_recover"
    CARRIED = "carried"
    MPESA_CHARGE = "mpesa_charge"
    FEE_COLLECTED_BY_OWNER = "fee_collected_by_owner"
    DEPOSIT = "deposit"
    REPAIR = "repair"
    CORRECTION = "correction"
    OPENING = "opening"
    TAX = "tax"


class DisbursementStatus(StrEnum):
    """How far one transfer is."""

    PROPOSED = "proposed"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SETTLED = "settled"
    """Its members settle each other: no money moves."""


class RunStatus(StrEnum):
    """How far a payout run is."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DONE = "done"
    VOID = "void"


class RefundStatus(StrEnum):
    """How far a tenant's money is on its way back."""

    PROPOSED = "proposed"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RefundWay(StrEnum):
    """How money goes back: by a reversal of ours, or by hand in M-Pesa's portal."""

    REVERSAL = "reversal"
    PORTAL = "portal"


class Reversed(StrEnum):
    """Why the money of a payment was taken away."""

    REFUND = "refund"
    REALLOCATED = "reallocated"
    UNDO = "undo"


class HoldKind(StrEnum):
    """Why something waits for a person, or for a day."""

    LIMIT = "limit"
    REPEATED = "repeated"
    COLLECTION = "collection"
    EVIDENCE = "evidence"
    """Something says "paid" about a transfer that counts as not paid: only a ruling ends it."""
    PERSON = "person"


RELEASED_ONCE = (HoldKind.LIMIT, HoldKind.REPEATED, HoldKind.COLLECTION)
"""What is not placed on a payable again after a person ended it: a release releases."""


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


class Refusal(StrEnum):
    """Why a payable must not be sent; the value is the code that scripts see."""

    STOPPED = "payouts_stopped"
    NOT_PAID = "not_paid"
    PAYMENT_FAILED = "payment_failed"
    REVERSED = "payment_reversed"
    COMPLETED = "already_completed"
    NOT_REQUIRED = "not_required"
    UNCLEAR = "outcome_unclear"
    UNDER_WAY = "under_way"
    PROPOSED = "in_a_run"
    CONTRARY = "contrary_evidence"
    REFUND = "refund_under_way"
    NO_RECEIPT = "receipt_unknown"
    NOT_PROVED = "not_proved"
    HELD = "held"
    DESTINATION_WAITING = "destination_waiting"
    DESTINATION_UNKNOWN = "destination_not_confirmed"
    OWN_PAYBILL = "own_paybill"
    NEVER = "never_again"
    MEND_FIRST = "mend_first"
    ASK = "not_certain"
    NOT_YET = "not_payable_yet"
    TOO_LITTLE = "too_little"
    TOO_MUCH = "too_much"
    FLOAT_RAN_OUT = "float_ran_out"
    NOT_CONFIRMED = "not_confirmed"
    BUSY = "busy"


WORDS = {
    Refusal.STOPPED: "all payouts are stopped",
    Refusal.NOT_PAID: "the tenant has not paid yet",
    Refusal.PAYMENT_FAILED: "the tenant's payment failed",
    Refusal.REVERSED: "the tenant's payment was reversed",
    Refusal.COMPLETED: "the owner was already paid",
    Refusal.NOT_REQUIRED: "it moves no M-Pesa money to the owner",
    Refusal.UNCLEAR: (
        "it was sent and M-Pesa has not said whether the owner was paid; a second transfer could pay twice"
    ),
    Refusal.UNDER_WAY: "it is on its way: M-Pesa has not said yet whether the owner was paid",
    Refusal.PROPOSED: "it is in a payout run that is not sent yet",
    Refusal.CONTRARY: "something says that the owner was paid after all: a person must rule on it first",
    Refusal.REFUND: "the tenant's money is on its way back",
    Refusal.NO_RECEIPT: "M-Pesa confirmed the tenant's payment, but its receipt has not come yet",
    Refusal.NOT_PROVED: "nothing but the confirmation shows yet that the money came in",
    Refusal.HELD: "it is held for a person to look at",
    Refusal.DESTINATION_WAITING: "a change of where it goes waits to be confirmed",
    Refusal.DESTINATION_UNKNOWN: "nobody has confirmed where it goes",
    Refusal.OWN_PAYBILL: "it would go to the platform's own short code",
    Refusal.NEVER: "the last failure is of a kind that must not be sent again",
    Refusal.MEND_FIRST: "the cause of the last failure must be mended first",
    Refusal.ASK: "the last failure does not prove that nothing moved",
    Refusal.NOT_YET: "it is not payable yet",
    Refusal.TOO_LITTLE: "it is less than a shilling, the least that M-Pesa moves; it is kept for the next transfer",
    Refusal.TOO_MUCH: "it is more than M-Pesa moves in one transfer",
    Refusal.FLOAT_RAN_OUT: "the float ran out during the run",
    Refusal.NOT_CONFIRMED: "M-Pesa has not confirmed by query yet that the tenant paid",
    Refusal.BUSY: "another process works on it just now",
}
"""Why, as a person would say it after "it was not disbursed"."""


def because(reason: Refusal, detail: str | None = None, *, owner_name: str | None = None) -> str:
    """The words of a reason, with what it rests on here; `owner_name` if it is one owner's payouts that are stopped."""
    words = WORDS[reason] if owner_name is None else f"payouts to {owner_name} are stopped"
    return f"{words} ({detail})" if detail else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that decides whether a payable may be sent."""

    status: PayableStatus
    payment_status: PaymentStatus = PaymentStatus.SUCCESS
    """Of the payment whose share it is; of an entry `success`."""
    is_taken_back: bool = False
    """Whether an entry takes back the share of a payment that was reversed."""
    is_stopped: bool = False
    live: DisbursementStatus | None = None
    """How far the transfer is that has it now."""
    attempt: State | None = None
    """Of all requests to send it, what is known of the one that most likely moved money."""
    is_contradicted: bool = False
    """Whether something about an earlier transfer of it, or a refund of its money, is not read, held, or contrary."""
    is_refund_under_way: bool = False
    has_receipt: bool = True
    is_proved: bool = True
    hold: HoldKind | None = None
    destination: Refusal | None = None
    advice: Advice | None = None
    """What the last failure of a transfer of it advises."""
    is_payable: bool = True
    float_ran_out: bool = False


_ON_WIRE = frozenset({State.SENDING, State.WAITING})
_WHY: tuple[tuple[Refusal, Callable[[Facts], bool]], ...] = (
    (Refusal.STOPPED, lambda f: f.is_stopped),
    (Refusal.NOT_PAID, lambda f: f.payment_status is PaymentStatus.PENDING),
    (Refusal.PAYMENT_FAILED, lambda f: f.payment_status is PaymentStatus.FAILED),
    (Refusal.REVERSED, lambda f: f.payment_status is PaymentStatus.REVERSED and not f.is_taken_back),
    (Refusal.COMPLETED, lambda f: f.status is PayableStatus.COMPLETED or f.attempt is State.MOVED),
    (Refusal.NOT_REQUIRED, lambda f: f.status is PayableStatus.NOT_REQUIRED),
    (Refusal.UNCLEAR, lambda f: f.attempt is State.UNCLEAR),
    (Refusal.UNDER_WAY, lambda f: f.status is PayableStatus.PROCESSING or f.attempt in _ON_WIRE),
    (Refusal.PROPOSED, lambda f: f.live is not None),
    (Refusal.CONTRARY, lambda f: f.is_contradicted or f.hold is HoldKind.EVIDENCE),
    (Refusal.REFUND, lambda f: f.is_refund_under_way),
    (Refusal.NO_RECEIPT, lambda f: not f.has_receipt),
    (Refusal.NOT_PROVED, lambda f: not f.is_proved),
    (Refusal.HELD, lambda f: f.hold is not None),
    (Refusal.DESTINATION_WAITING, lambda f: f.destination is Refusal.DESTINATION_WAITING),
    (Refusal.DESTINATION_UNKNOWN, lambda f: f.destination is Refusal.DESTINATION_UNKNOWN),
    (Refusal.OWN_PAYBILL, lambda f: f.destination is Refusal.OWN_PAYBILL),
    (Refusal.NEVER, lambda f: f.advice is Advice.NEVER),
    (Refusal.MEND_FIRST, lambda f: f.advice is Advice.MEND_FIRST),
    (Refusal.ASK, lambda f: f.advice is Advice.ASK),
    (Refusal.NOT_YET, lambda f: not f.is_payable),
    (Refusal.FLOAT_RAN_OUT, lambda f: f.float_ran_out),
)
"""In the order in which a person is told."""
VOUCHED = {Advice.MEND_FIRST: Refusal.MEND_FIRST, Advice.NEVER: Refusal.NEVER, Advice.ASK: Refusal.ASK}
"""Which refusal goes away when a person vouches that the cause of the last failure is mended."""


def why_not(facts: Facts, *, mended: Iterable[Advice] = ()) -> Refusal | None:
    """Why the payable must not be sent now, or None; `mended` is what a person vouches for.

    Only attempts that certainly moved nothing may be followed by another, and no money goes out for money that came in
    without a receipt.
    """
    vouched = {VOUCHED[advice] for advice in mended if advice in VOUCHED}
    return next((refusal for refusal, holds in _WHY if refusal not in vouched and holds(facts)), None)
