"""Disbursements: an owner's share on its way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, exists, text
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, func, select

from rentpay_cli.core.attempt import State
from rentpay_cli.core.codes import FLOAT_TOO_LOW, Advice
from rentpay_cli.core.disburse import DisbursementStatus, PaymentStatus, Share
from rentpay_cli.core.fee import owner_is_due
from rentpay_cli.store.rows import Rows, locking
from rentpay_cli.store.tables import Disbursement, Moment, Payment, PayoutStop

_DISBURSEMENTS = Rows(Disbursement, "status")
_TABLE, _PAYMENT, _ATTEMPT, _STOP = (
    SQLModel.metadata.tables[name] for name in ("disbursement", "payment", "attempt", "payout_stop")
)


def create_for(session: Session, payment: Payment, at: datetime, *, moved_by_mpesa: bool = True) -> int:
    """Add the share of one paid payment, pending, or not required where no M-Pesa money can move; its number."""
    due = moved_by_mpesa and owner_is_due(payment.share_cents)
    columns = {
        "owner_id": payment.owner_id,
        "paybill": payment.owner_paybill,
        "account_number": payment.owner_account_number,
        "payment_count": 1,
        "collected_cents": payment.amount_cents,
        "fee_cents": payment.fee_cents,
        "amount_cents": payment.share_cents,
        "status": (DisbursementStatus.PENDING if due else DisbursementStatus.NOT_REQUIRED).value,
        "created_at": at,
    }
    return _DISBURSEMENTS.add(session, columns)


def get(session: Session, disbursement_id: int) -> Disbursement:
    """The disbursement, locked until the transaction ends."""
    disbursement = _DISBURSEMENTS.get(session, disbursement_id)
    if disbursement is None:
        raise LookupError(f"no disbursement {disbursement_id}")
    return disbursement


_TO_BE_SENT = (
    select(Disbursement)
    .where(
        col(Disbursement.id).in_(bindparam("among", expanding=True)),
        col(Disbursement.status).in_([DisbursementStatus.PENDING.value, DisbursementStatus.FAILED.value]),
    )
    .order_by(col(Disbursement.id))
    .limit(1)
)
_LOCK_ONE, _LOCK_FREE = locking(_TO_BE_SENT), locking(_TO_BE_SENT, skip_locked=True)


def lock_to_be_sent(session: Session, disbursement_id: int) -> Disbursement | None:
    """The disbursement, locked until the transaction ends; None if it is not pending or failed."""
    found: Disbursement | None = session.execute(_LOCK_ONE, {"among": [disbursement_id]}).scalar()
    return found


def lock_oldest_free(session: Session, among: Sequence[int]) -> Disbursement | None:
    """The oldest that is pending or failed and that nobody else has locked, locked until the transaction ends."""
    found: Disbursement | None = session.execute(_LOCK_FREE, {"among": list(among)}).scalar()
    return found


_STATES = (
    select(func.aggregate_strings(_ATTEMPT.c.state, " "))
    .where(_ATTEMPT.c.disbursement_id == _TABLE.c.id)
    .scalar_subquery()
)
_RAN_OUT = (
    exists()
    .where(text("direction = 'payout' AND state = 'not_moved'"))  # as the index has it, so that it is used
    .where(_ATTEMPT.c.code.in_(FLOAT_TOO_LOW), _ATTEMPT.c.created_at >= bindparam("since", type_=Moment))
)
_IS_STOPPED = exists().where(
    _STOP.c.in_force == 1, _STOP.c.owner_id.is_(None) | (_STOP.c.owner_id == _TABLE.c.owner_id)
)
_GUARD = (
    select_columns(
        _PAYMENT.c.id,
        _PAYMENT.c.status,
        _PAYMENT.c.receipt.is_not(None),
        _TABLE.c.status,
        _TABLE.c.advice,
        _TABLE.c.held_reason.is_not(None),
        _STATES,
        _IS_STOPPED,
        _RAN_OUT,
    )
    .join(_PAYMENT, _PAYMENT.c.disbursement_id == _TABLE.c.id)
    .where(_TABLE.c.id == bindparam("disbursement"))
    .order_by(_PAYMENT.c.id)
    .limit(1)
)


def share(session: Session, disbursement_id: int, since: datetime | None = None) -> tuple[int, Share]:
    """The first payment of the disbursement, and all that decides whether it may be sent, by one statement.

    `since` is when the run began, in which the float may have run out. To send, lock first: what is read by this must
    be as it is now.
    """
    row = session.execute(_GUARD, {"disbursement": disbursement_id, "since": since}).one()
    payment_id, payment_status, has_receipt, status, advice, is_held, states, is_stopped, ran_out = row
    return payment_id, Share(
        PaymentStatus(payment_status),
        DisbursementStatus(status),
        tuple(State(state) for state in (states or "").split()),
        Advice(advice) if advice else None,
        has_receipt=bool(has_receipt),
        is_held=bool(is_held),
        is_stopped=bool(is_stopped),
        float_ran_out=bool(ran_out),
    )


def payments_of(session: Session, disbursement_id: int) -> list[Payment]:
    """The payments whose share the disbursement carries."""
    return list(
        session.exec(select(Payment).where(Payment.disbursement_id == disbursement_id).order_by(col(Payment.id)))
    )


_FIRST_PAYMENT = select(func.min(_PAYMENT.c.id)).where(_PAYMENT.c.disbursement_id == bindparam("disbursement"))


def first_payment(session: Session, disbursement_id: int) -> int:
    """The number of the payment whose share the disbursement carries; of the first, if there are several."""
    return int(session.execute(_FIRST_PAYMENT, {"disbursement": disbursement_id}).scalar_one())


_LEARNED_BY = select(
    exists().where(
        _ATTEMPT.c.disbursement_id == bindparam("disbursement"), _ATTEMPT.c.learned_by == bindparam("source")
    )
    | exists().where(
        _PAYMENT.c.disbursement_id == bindparam("disbursement"),
        _ATTEMPT.c.payment_id == _PAYMENT.c.id,
        _ATTEMPT.c.learned_by == bindparam("source"),
    )
)


def was_learned_by(session: Session, disbursement_id: int, source: str) -> bool:
    """Whether the fate of a payout of this share, or that the rent in it came in, became known by the source."""
    return bool(session.execute(_LEARNED_BY, {"disbursement": disbursement_id, "source": source}).scalar())


def move(session: Session, disbursement: Disbursement, to: DisbursementStatus, **changes: Any) -> None:
    """Move it from the status we saw to another; raises `StaleWrite` if it is no longer there."""
    changes["status"] = to.value
    _DISBURSEMENTS.move(session, disbursement, changes)


def hold(session: Session, disbursement: Disbursement, reason: str) -> None:
    """Let the share wait until a person releases it."""
    disbursement.held_reason = reason
    session.add(disbursement)
    session.flush()


def release(session: Session, disbursement: Disbursement, by: str, at: datetime) -> None:
    """Let a held share go its way: a person has looked at it, and no limit holds it again."""
    disbursement.held_reason, disbursement.released_by, disbursement.released_at = None, by, at
    session.add(disbursement)
    session.flush()


def note_receiver(session: Session, disbursement: Disbursement, name: str) -> None:
    """Note whom M-Pesa says that it paid."""
    disbursement.receiver_name = name
    session.add(disbursement)
    session.flush()


def not_before(session: Session, disbursement: Disbursement, moment: datetime) -> None:
    """Let the share wait until the moment before it is sent by itself."""
    disbursement.not_before = moment
    session.add(disbursement)
    session.flush()


def looks_repeated(session: Session, disbursement: Disbursement, since: datetime) -> bool:
    """Whether the same amount went to the same owner since the moment, or is on its way there."""
    query = (
        select(Disbursement.id)
        .where(Disbursement.owner_id == disbursement.owner_id, Disbursement.id != disbursement.id)
        .where(Disbursement.amount_cents == disbursement.amount_cents)
        .where(
            (col(Disbursement.status) == DisbursementStatus.PROCESSING.value)
            | (col(Disbursement.completed_at) >= since)
        )
        .limit(1)
    )
    return session.exec(query).first() is not None


_OPEN = text("disbursement.status IN ('pending','processing','failed')")
"""As the index of what is open has it, so that it is used: the completed ones are many."""
_AN_OWNERS_STOP = (col(PayoutStop.in_force) == 1) & col(PayoutStop.owner_id).is_not(None)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A share that waits to be sent."""

    disbursement_id: int
    payment_id: int
    amount_cents: int


def waiting(
    session: Session,
    status: DisbursementStatus,
    *,
    advices: Iterable[Advice] | None = None,
    owner_id: int | None = None,
    due_at: datetime | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Waiting]:
    """The shares in the status that may leave, oldest first; only those with one of the advices, where given.

    What cannot be sent now (it is held, the rent has no receipt yet, payouts to its owner are stopped) is left out, so
    that it is in nobody's way; `after` is the number of the last one that was seen.
    """
    query = (
        select(Disbursement.id, func.min(Payment.id), Disbursement.amount_cents)
        .join(Payment, col(Payment.disbursement_id) == col(Disbursement.id))
        .where(_OPEN, Disbursement.status == status.value, col(Disbursement.held_reason).is_(None))
        .where(Payment.status == PaymentStatus.SUCCESS.value, col(Payment.receipt).is_not(None))
        .where(col(Disbursement.owner_id).not_in(select(PayoutStop.owner_id).where(_AN_OWNERS_STOP)))
        .where(col(Disbursement.id) > after)
        .group_by(col(Disbursement.id), col(Disbursement.amount_cents))
        .order_by(col(Disbursement.id))
        .limit(limit)
    )
    if due_at is not None:
        query = query.where(col(Disbursement.not_before).is_(None) | (col(Disbursement.not_before) <= due_at))
    if advices is not None:
        query = query.where(col(Disbursement.advice).in_([advice.value for advice in advices]))
    if owner_id is not None:
        query = query.where(Disbursement.owner_id == owner_id)
    return [Waiting(number or 0, payment or 0, cents) for number, payment, cents in session.exec(query)]


def count_failed(session: Session, *, owner_id: int | None = None) -> int:
    """How many disbursements have failed."""
    failed = Disbursement.status == DisbursementStatus.FAILED.value
    query = select(func.count()).select_from(Disbursement).where(_OPEN, failed)
    if owner_id is not None:
        query = query.where(Disbursement.owner_id == owner_id)
    return session.exec(query).one()
