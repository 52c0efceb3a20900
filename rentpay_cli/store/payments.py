"""Payments: rent asked of a tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam
from sqlmodel import Session, col, select

from rentpay_cli.core.attempt import Direction, State
from rentpay_cli.core.collect import EarlierPush
from rentpay_cli.core.payout import PaymentStatus
from rentpay_cli.errors import NotFound
from rentpay_cli.store.rows import Rows
from rentpay_cli.store.tables import Attempt, Payment

_PAYMENTS = Rows(Payment, "status")


def get(session: Session, payment_id: int) -> Payment:
    """The payment with this number, locked until the transaction ends; raises `NotFound`."""
    payment = _PAYMENTS.get(session, payment_id)
    if payment is None:
        raise NotFound(f"There is no payment {payment_id}.", "See them with: rentpay payments")
    return payment


_OF_MONEY = select(Payment.id).where(col(Payment.money_in_id) == bindparam("money")).order_by(col(Payment.id))


def of_money(session: Session, money_in_id: int) -> list[int]:
    """The numbers of the payments that were made of this money; none while nobody knows what it is for."""
    return list(session.execute(_OF_MONEY, {"money": money_in_id}).scalars())


def make(session: Session, **columns: Any) -> int:
    """Make a payment of money that has come in; its number. The database refuses more than is left of the money."""
    return _PAYMENTS.add(session, columns | {"status": PaymentStatus.SUCCESS.value})


def lock(session: Session, numbers: Sequence[int]) -> None:
    """Lock payments that will be read, all at once, until the transaction ends."""
    _PAYMENTS.lock(session, numbers)


def add(session: Session, payment: Payment) -> None:
    """Add a payment: rent that is asked for, or that came by itself."""
    session.add(payment)
    session.flush()


def move(session: Session, payment: Payment, to: PaymentStatus, **changes: Any) -> None:
    """Move the payment from the status we saw to another; raises `StaleWrite` if it is no longer there."""
    changes["status"] = to.value
    _PAYMENTS.move(session, payment, changes)


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
    return [
        EarlierPush(payment_id, property_id, State(state), asked_at)
        for payment_id, property_id, state, asked_at in rows
        if payment_id is not None
    ]
