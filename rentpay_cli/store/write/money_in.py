"""Money in: what came, by which way, with which receipt; what it is for is said by payments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from rentpay_cli.core.collect import ReceivedBy, WayIn
from rentpay_cli.core.evidence import Source
from rentpay_cli.store.rows import Rows
from rentpay_cli.store.tables import MoneyIn

_MONEY = Rows(MoneyIn)


def book(
    session: Session,
    *,
    way: WayIn,
    amount_cents: int,
    paid_at: datetime,
    at: datetime,
    learned_by: Source,
    received_by: ReceivedBy = ReceivedBy.PLATFORM,
    **known: Any,
) -> int:
    """Book money that came in; its number. `known` is what else is known of it, such as its receipt."""
    columns = {
        "way": way.value,
        "received_by": received_by.value,
        "amount_cents": amount_cents,
        "paid_at": paid_at,
        "booked_at": at,
        "learned_by": learned_by.value,
        "allocated_cents": 0,
        **known,
    }
    return _MONEY.add(session, columns)


def get(session: Session, number: int) -> MoneyIn:
    """The money with this number, locked until the transaction ends."""
    found = _MONEY.get(session, number)
    if found is None:
        raise LookupError(f"no money in {number}")
    return found


def with_receipt(session: Session, receipt: str) -> MoneyIn | None:
    """The money that came with this receipt of M-Pesa's."""
    return session.exec(select(MoneyIn).where(col(MoneyIn.receipt) == receipt)).first()


def note_receipt(session: Session, money: MoneyIn, receipt: str) -> None:
    """Note the receipt of money whose receipt was not known."""
    money.receipt = receipt
    session.add(money)
    session.flush()


def note_returned(session: Session, money: MoneyIn, at: datetime) -> None:
    """Note that the money is no longer with us, or never was; nothing may be allocated of it any more."""
    money.returned_at = at
    session.add(money)
    session.flush()


def prove(session: Session, money: MoneyIn, by: str, at: datetime) -> None:
    """Note that something besides its confirmation shows that the money came."""
    money.proved_by, money.proved_at = by, at
    session.add(money)
    session.flush()
