"""The outbox of notices: written in the transaction that makes the news, told afterwards, each once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session, SQLModel, col, delete, select, update

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.health import Trouble
from rentpay_cli.core.members import payments_in_words
from rentpay_cli.core.notices import Audience, NoticeKind, NoticeState
from rentpay_cli.core.payout import PayableKind
from rentpay_cli.core.redact import redact
from rentpay_cli.store.engine import lock_while_deciding
from rentpay_cli.store.tables import Disbursement, DisbursementMember, Notice, Owner, Payable, Payment, Property
from rentpay_cli.store.write import disbursements

LOST_AFTER = timedelta(minutes=10)
"""A notice that has been `sending` for so long was in the hands of a process that died."""


_PUT = insert(SQLModel.metadata.tables["notice"])


def put(
    session: Session,
    kind: NoticeKind | Trouble,
    subject: int,
    audience: Audience,
    at: datetime,
    words: str | None = None,
) -> None:
    """Add news that has not been told; what it is about (`kind` and `subject`) may be news once."""
    session.execute(
        _PUT,
        {
            "kind": kind.value,
            "subject": subject,
            "audience": audience.value,
            "words": redact(words) if words else None,
            "state": NoticeState.NEW.value,
            "created_at": at,
            "next_try_at": at,
        },
    )


_OVERDUE = text(
    """
    SELECT a.id, a.payment_id, a.disbursement_id FROM attempt a
     WHERE a.state IN ('sending','waiting','unclear')
       AND a.created_at < CASE a.direction WHEN 'payout' THEN :payout_before ELSE :collection_before END
       AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.kind = 'stuck' AND n.subject = a.id)
     ORDER BY a.id LIMIT :limit
    """
)


def put_stuck(session: Session, at: datetime, payout_age: timedelta, collection_age: timedelta, limit: int) -> int:
    """Add news of requests whose outcome has been open for longer than their age allows; how many."""
    lock_while_deciding(session, "notices")
    rows = session.execute(
        _OVERDUE,
        {
            "payout_before": to_milliseconds(at - payout_age),
            "collection_before": to_milliseconds(at - collection_age),
            "limit": limit,
        },
    ).all()
    for row in rows:
        words = _stuck(session, row.payment_id, row.disbursement_id)
        put(session, NoticeKind.STUCK, row.id, Audience.OPERATOR, at, words)
    return len(rows)


def _stuck(session: Session, payment_id: int | None, disbursement_id: int | None) -> str:
    if payment_id is not None:
        return f"Payment {payment_id}: M-Pesa has not said what became of the rent. rentpay status {payment_id}"
    if disbursement_id is None:
        return "M-Pesa has not said what became of a refund. rentpay health"
    about = disbursements.payment_numbers(session, disbursement_id)
    if not about:
        return f"M-Pesa has not said what became of disbursement {disbursement_id}. rentpay health"
    whose = payments_in_words(about).capitalize()
    owner = "its owner" if len(about) == 1 else "their owner"
    return f"{whose}: M-Pesa has not said what became of the payout to {owner}. rentpay status {about[0]}"


def put_once(session: Session, kind: Trouble, subject: int, at: datetime, words: str) -> None:
    """Add news for the operator unless it was news before."""
    lock_while_deciding(session, "notices")
    if session.exec(select(Notice.id).where(Notice.kind == kind.value, Notice.subject == subject)).first() is None:
        put(session, kind, subject, Audience.OPERATOR, at, words)


def claim(session: Session, audience: Audience, created_before: datetime, now: datetime, limit: int) -> list[Notice]:
    """News that is due to be told, ours from now on: nobody else tells it, even if we die over it."""
    query = (
        select(Notice)
        .where(Notice.state == NoticeState.NEW.value, Notice.audience == audience.value)
        .where(col(Notice.next_try_at) <= now, col(Notice.created_at) <= created_before)
        .order_by(col(Notice.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = list(session.exec(query))
    for notice in found:
        notice.state, notice.tries, notice.changed_at = NoticeState.SENDING.value, notice.tries + 1, now
        session.add(notice)
    session.flush()
    return found


def drop(session: Session, notice: Notice) -> None:
    """Remove news of which nobody is to be told."""
    session.delete(notice)


def settle(
    session: Session,
    notice_ids: Sequence[int],
    state: NoticeState,
    at: datetime,
    *,
    problem: str | None = None,
    next_try_at: datetime | None = None,
) -> None:
    """Write down what became of notices; what is `new` again is tried again later."""
    changes: dict[str, Any] = {"state": state.value, "changed_at": at, "problem": problem}
    if next_try_at is not None:
        changes["next_try_at"] = next_try_at
    session.execute(update(Notice).where(col(Notice.id).in_(notice_ids)).values(**changes))


def give_up_lost(session: Session, now: datetime) -> None:
    """Mark what a process that died may or may not have sent; it is not sent again."""
    session.execute(
        update(Notice)
        .where(col(Notice.state) == NoticeState.SENDING.value, col(Notice.changed_at) < now - LOST_AFTER)
        .values(state=NoticeState.UNKNOWN.value, changed_at=now, problem="rentpay ended while it was being sent")
    )


def forget(session: Session, audience: Audience, created_before: datetime) -> None:
    """Remove what waits and was made before the moment: nobody wants to be told, or it is no news any more."""
    session.execute(
        delete(Notice).where(
            col(Notice.state) == NoticeState.NEW.value,
            col(Notice.audience) == audience.value,
            col(Notice.created_at) < created_before,
        )
    )


def about_disbursement(session: Session, disbursement_id: int) -> tuple[Owner, Disbursement, list[tuple[int, str]]]:
    """The owner, the disbursement, and the number and property of each payment in it."""
    disbursement = session.get_one(Disbursement, disbursement_id)
    paid = session.exec(
        select(Payment.id, Property.name)
        .join(Payable, col(Payable.payment_id) == col(Payment.id))
        .join(DisbursementMember, col(DisbursementMember.payable_id) == col(Payable.id))
        .where(DisbursementMember.disbursement_id == disbursement_id)
        .where(Payable.kind == PayableKind.SHARE.value, Payment.property_id == Property.id)
        .order_by(col(Payment.id))
    )
    return (
        session.get_one(Owner, disbursement.owner_id),
        disbursement,
        [(number, name) for number, name in paid if number is not None],
    )
