"""Payments: rent asked of a tenant."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select, update

from rentpay_cli.core.attempt import Direction, State
from rentpay_cli.core.collect import EarlierPush
from rentpay_cli.core.disburse import PaymentStatus
from rentpay_cli.errors import NotFound
from rentpay_cli.store import chain
from rentpay_cli.store.attempts import FOR_WRITING, StaleWrite
from rentpay_cli.store.tables import Attempt, Payment


def get(session: Session, payment_id: int) -> Payment:
    """The payment with this number, locked until the transaction ends; raises `NotFound`."""
    payment = session.get(Payment, payment_id, with_for_update=FOR_WRITING)
    if payment is None:
        raise NotFound(f"There is no payment {payment_id}.", "See them with: rentpay payments")
    return payment


def move(session: Session, payment: Payment, to: PaymentStatus, **changes: Any) -> None:
    """Move the payment from the status we saw to another; raises `StaleWrite` if it is no longer there."""
    statement = (
        update(Payment)
        .where(col(Payment.id) == payment.id, col(Payment.status) == payment.status)
        .values(status=to.value, **changes)
    )
    if session.execute(statement).rowcount != 1:  # type: ignore[attr-defined]
        raise StaleWrite(f"payment {payment.id} is no longer {payment.status}")
    chain.changed(session, "payment", payment.id, {"status": to.value, **changes})
    session.refresh(payment)


def earlier_pushes(session: Session, phone: str, since: datetime) -> list[EarlierPush]:
    """Prompts to the phone that are recent, or whose outcome is open at any age."""
    rows = session.exec(
        select(Payment.id, Payment.property_id, Attempt.state, Attempt.created_at)
        .join(
            Attempt,
            (col(Attempt.payment_id) == Payment.id) & (col(Attempt.direction) == Direction.COLLECTION.value),
        )
        .where(
            Payment.phone == phone,
            (col(Payment.status) == PaymentStatus.PENDING.value) | (col(Payment.created_at) > since),
        )
        .order_by(col(Payment.id).desc())
        .limit(200)
    ).all()
    return [EarlierPush(payment or 0, prop, State(state), asked_at) for payment, prop, state, asked_at in rows]
