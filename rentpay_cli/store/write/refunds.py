"""Refunds: a tenant's money on its way back, whole; and what becomes of the owner's share when it is there.

Whoever gives money back, takes it away from its payments. A share that no transfer has is not required any more; for
one that a transfer has, an entry takes it back from the owner.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import Session, SQLModel, col, select

from rentpay_cli.core.clock import eat_day
from rentpay_cli.core.payout import PayableKind, PayableStatus, PaymentStatus, RefundStatus, RefundWay, Reversed
from rentpay_cli.store import attempts, payments
from rentpay_cli.store.rows import Rows, number_of
from rentpay_cli.store.tables import MoneyIn, Payable, Payment, Refund
from rentpay_cli.store.write import disbursements, money_in, payables

_REFUNDS = Rows(Refund, "status")
_PAYMENT = SQLModel.metadata.tables["payment"]


class OnItsWay(Exception):
    """The share of a payment is on its way to its owner: what became of it must be known before it is taken back."""


def propose(session: Session, money: MoneyIn, *, way: RefundWay, reason: str, by: str, at: datetime) -> int:
    """Write down that money is to go back, by a reversal of ours or by hand in the portal; the refund's number.

    Raises `OnItsWay`.
    """
    for payment in _live_payments(session, number_of(money)):
        _refuse_on_its_way(session, payment)
    columns = {
        "money_in_id": money.id,
        "way": way.value,
        "status": RefundStatus.PROPOSED.value,
        "reason": reason,
        "made_by": by,
        "created_at": at,
    }
    return _REFUNDS.add(session, columns)


def get(session: Session, refund_id: int) -> Refund:
    """The refund, locked until the transaction ends."""
    found = _REFUNDS.get(session, refund_id)
    if found is None:
        raise LookupError(f"no refund {refund_id}")
    return found


def send(session: Session, refund: Refund, token: str, at: datetime, short_code: str | None = None) -> int:
    """Let a proposed refund leave, and write down its attempt, whose number it returns."""
    _REFUNDS.move(session, refund, {"status": RefundStatus.PROCESSING.value})
    money = money_in.get(session, refund.money_in_id)
    return attempts.open_refund(session, number_of(refund), money.amount_cents, token, at, short_code)


def cancel(session: Session, refund: Refund) -> None:
    """Let a refund that was only proposed never be made."""
    _REFUNDS.move(session, refund, {"status": RefundStatus.CANCELLED.value})


def fail(session: Session, refund: Refund) -> None:
    """Let a refund whose attempt moved nothing have failed: the money is what it was for, as before."""
    _REFUNDS.move(session, refund, {"status": RefundStatus.FAILED.value})


def complete(
    session: Session, refund: Refund, at: datetime, by: str, *, receipt: str | None, moved_at: datetime
) -> None:
    """Let the money be back with the tenant: its payments are reversed, and their shares taken back."""
    _REFUNDS.move(
        session, refund, {"status": RefundStatus.COMPLETED.value, "receipt": receipt, "completed_at": moved_at}
    )
    money = money_in.get(session, refund.money_in_id)
    for payment in _live_payments(session, refund.money_in_id):
        reverse(session, payment, Reversed.REFUND, at, by)
    money_in.note_returned(session, money, moved_at)


def undo(session: Session, money: MoneyIn, at: datetime, by: str) -> None:
    """Take back the booking of money that M-Pesa did not move, such as cash; raises `OnItsWay`."""
    for payment in _live_payments(session, number_of(money)):
        _refuse_on_its_way(session, payment)
        reverse(session, payment, Reversed.UNDO, at, by)
        _take_back_fee(session, payment, at, by)
    money_in.note_returned(session, money, at)


def reallocate(session: Session, payment: Payment, at: datetime, by: str) -> None:
    """Take money away from a payment so that another can be made of it; raises `OnItsWay`."""
    _refuse_on_its_way(session, payment)
    reverse(session, payment, Reversed.REALLOCATED, at, by)


def reverse(session: Session, payment: Payment, because: Reversed, at: datetime, by: str) -> None:
    """Take the money of a payment away, and its share from its owner."""
    share = payables.share_of(session, number_of(payment))
    assert share is not None  # a payment that succeeded has one
    disbursements.cancel_proposed(session, [number_of(share)])
    (share,) = payables.lock(session, [number_of(share)])
    changes = {"reversed_because": because.value, "reversed_at": at, "reversed_day": eat_day(at)}
    payments.move(session, payment, PaymentStatus.REVERSED, **changes)
    if share.status in (PayableStatus.PENDING, PayableStatus.FAILED):
        payables.move(session, [number_of(share)], (PayableStatus(share.status),), PayableStatus.NOT_REQUIRED)
    elif share.status != PayableStatus.NOT_REQUIRED:
        kind = PayableKind.REALLOCATED if because is Reversed.REALLOCATED else PayableKind.REVERSAL
        _book(session, kind, share, -share.amount_cents, at, by)


def _take_back_fee(session: Session, payment: Payment, at: datetime, by: str) -> None:
    """What the owner owes as the fee of rent that he received is not owed any more."""
    fee = session.execute(_FEE, {"payment": payment.id}).scalar()
    if fee is None:
        return
    disbursements.cancel_proposed(session, [fee.id])
    (fee,) = payables.lock(session, [fee.id])
    if fee.status in (PayableStatus.PENDING, PayableStatus.FAILED):
        payables.move(session, [number_of(fee)], (PayableStatus(fee.status),), PayableStatus.NOT_REQUIRED)
    else:
        _book(session, PayableKind.CORRECTION, fee, -fee.amount_cents, at, by)


_FEE = select(Payable).where(
    col(Payable.payment_id) == bindparam("payment"),
    Payable.kind == PayableKind.FEE_COLLECTED_BY_OWNER.value,
)


def _book(session: Session, kind: PayableKind, of: Payable, amount_cents: int, at: datetime, by: str) -> int:
    return payables.book_entry(
        session,
        kind,
        owner_id=of.owner_id,
        amount_cents=amount_cents,
        at=at,
        by=by,
        payment_id=of.payment_id,
        property_id=of.property_id,
    )


_LIVE = (
    select(Payment)
    .where(_PAYMENT.c.money_in_id == bindparam("money"), _PAYMENT.c.status == PaymentStatus.SUCCESS.value)
    .order_by(_PAYMENT.c.id)
)


def _live_payments(session: Session, money_in_id: int) -> list[Payment]:
    return list(session.execute(_LIVE, {"money": money_in_id}).scalars())


def _refuse_on_its_way(session: Session, payment: Payment) -> None:
    share = payables.share_of(session, number_of(payment))
    if share is not None:
        (share,) = payables.lock(session, [number_of(share)])
        if share.status == PayableStatus.PROCESSING:
            raise OnItsWay(f"the share of payment {payment.id} is on its way")
