"""Payables: what is owed to owners, or by them. The share of a payment is one, every other amount is an entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, text, update
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, col, select

from rentpay_cli.core.clock import eat_day, to_milliseconds
from rentpay_cli.core.codes import Advice
from rentpay_cli.core.evidence import Source
from rentpay_cli.core.money import CENTS
from rentpay_cli.core.payout import (
    PayableKind,
    PayableStatus,
)
from rentpay_cli.core.transfers import MOST_CENTS, Destination
from rentpay_cli.store import chain, guard, predicates
from rentpay_cli.store.guard import Candidate
from rentpay_cli.store.rows import Rows, StaleWrite, locking
from rentpay_cli.store.tables import Owner, Payable, Payment

_PAYABLES = Rows(Payable, "status")
_TABLE = SQLModel.metadata.tables["payable"]


def book_share(
    session: Session, payment: Payment, at: datetime, *, by: str, is_due: bool, payable_from: datetime | None = None
) -> int:
    """Book the owner's share of a payment that came in; `is_due` unless nothing is to be sent. Its number."""
    columns = {
        "owner_id": payment.owner_id,
        "kind": PayableKind.SHARE.value,
        "amount_cents": payment.share_cents,
        "payment_id": payment.id,
        "property_id": payment.property_id,
        "paybill": payment.owner_paybill,
        "account_number": payment.owner_account_number,
        "payable_from": payable_from or at,
        "status": (PayableStatus.PENDING if is_due else PayableStatus.NOT_REQUIRED).value,
        "made_by": by,
        "booked_at": at,
        "booked_day": eat_day(at),
    }
    return _PAYABLES.add(session, columns)


def book_entry(
    session: Session,
    kind: PayableKind,
    *,
    owner_id: int,
    amount_cents: int,
    at: datetime,
    by: str,
    reason: str | None = None,
    **origin: Any,
) -> int:
    """Book an amount for an owner, or against him where it is negative; `origin` is where it comes from. Its number."""
    columns = {
        "owner_id": owner_id,
        "kind": kind.value,
        "amount_cents": amount_cents,
        "payable_from": at,
        "status": PayableStatus.PENDING.value,
        "reason": reason,
        "made_by": by,
        "booked_at": at,
        "booked_day": eat_day(at),
        **origin,
    }
    return _PAYABLES.add(session, columns)


def get(session: Session, payable_id: int) -> Payable:
    """The payable, locked until the transaction ends."""
    found = _PAYABLES.get(session, payable_id)
    if found is None:
        raise LookupError(f"no payable {payable_id}")
    return found


_OF_PAYMENT = select(Payable).where(
    _TABLE.c.payment_id == bindparam("payment"), _TABLE.c.kind == PayableKind.SHARE.value
)


def share_of(session: Session, payment_id: int) -> Payable | None:
    """The owner's share of a payment; None while the tenant has not paid. It is not locked."""
    found: Payable | None = session.execute(_OF_PAYMENT, {"payment": payment_id}).scalar()
    return found


class OfPayment(Protocol):
    """A payable that may be the share of a payment."""

    @property
    def payment_id(self) -> int | None: ...


def payment_of(share: OfPayment) -> int:
    """The number of the payment whose share it is; only an entry may have none."""
    assert share.payment_id is not None
    return share.payment_id


def move(session: Session, payable_ids: Sequence[int], seen: Iterable[PayableStatus], to: PayableStatus) -> None:
    """Move payables on that are in one of the states `seen`; raises `StaleWrite` if one is not."""
    session.flush()
    values = {"among": list(payable_ids), "seen_in": [each.value for each in seen], "status": to.value}
    if session.execute(_MOVE, values).rowcount != len(payable_ids):  # type: ignore[attr-defined]
        raise StaleWrite(f"of payables {payable_ids} one is no longer as it was")
    for number in payable_ids:
        chain.changed(session, "payable", number, {"status": to.value})


_MOVE = (
    update(_TABLE)
    .where(
        _TABLE.c.id.in_(bindparam("among", expanding=True)), _TABLE.c.status.in_(bindparam("seen_in", expanding=True))
    )
    .execution_options(synchronize_session=False)
)


# --- what may be sent ------------------------------------------------------------------------------------------------

_TO_BE_SENT = (
    select(Payable)
    .join(Owner, _TABLE.c.owner_id == SQLModel.metadata.tables["owner"].c.id)
    .where(
        _TABLE.c.id.in_(bindparam("among", expanding=True)),
        _TABLE.c.status.in_([PayableStatus.PENDING.value, PayableStatus.FAILED.value]),
    )
    .order_by(_TABLE.c.id)
    .limit(1)
)
_OF = [SQLModel.metadata.tables["owner"], _TABLE]
_LOCK_ONE, _LOCK_FREE = locking(_TO_BE_SENT, of=_OF), locking(_TO_BE_SENT, of=_OF, skip_locked=True)


def lock_to_be_sent(session: Session, payable_id: int) -> Payable | None:
    """The payable and its owner, locked until the transaction ends; None if it is not pending or failed."""
    found: Payable | None = session.execute(_LOCK_ONE, {"among": [payable_id]}).scalar()
    return found


def lock_oldest_free(session: Session, among: Sequence[int]) -> Payable | None:
    """The oldest that is pending or failed, with its owner, locked until the transaction ends.

    One whose owner another process pays just now is passed over where there is another, and waited for otherwise.
    """
    found: Payable | None = session.execute(_LOCK_FREE, {"among": list(among)}).scalar()
    return found or lock_to_be_sent(session, among[0])


_DEBTS = locking(
    select(Payable)
    .where(text("payable.status IN ('pending','failed','processing')"))  # as the index has it, so that it is used
    .where(
        _TABLE.c.owner_id == bindparam("owner"),
        _TABLE.c.amount_cents < 0,
        _TABLE.c.status != PayableStatus.PROCESSING.value,
    )
    .order_by(_TABLE.c.id)
)
_ALL_FREE = locking(
    select(Payable)
    .where(text("payable.status IN ('pending','failed','processing')"))
    .where(_TABLE.c.owner_id == bindparam("owner"), _TABLE.c.status != PayableStatus.PROCESSING.value)
    .order_by(_TABLE.c.id)
)


def lock_debts(session: Session, owner_id: int) -> list[Payable]:
    """What the owner owes, locked until the transaction ends; the owner is locked already."""
    return list(session.execute(_DEBTS, {"owner": owner_id}).scalars())


def lock_all_free(session: Session, owner_id: int) -> list[Payable]:
    """All that is pending or failed of an owner, locked until the transaction ends; the owner is locked already."""
    return list(session.execute(_ALL_FREE, {"owner": owner_id}).scalars())


_CANDIDATES = text(guard.candidates_query(":payables")).bindparams(bindparam("payables", expanding=True))


def candidates(
    session: Session,
    payable_ids: Sequence[int],
    now: datetime,
    since: datetime | None = None,
    *,
    own: str = "",
    must_be_known: bool = False,
) -> list[Candidate]:
    """The payables with all that decides whether each may be sent, by one statement, in the order of their numbers.

    `since` is when the run began, in which the float may have run out. `own` is the platform's short code, to which
    nothing is sent; with `must_be_known` a destination must have been confirmed. To send, lock first: what is read by
    this must be as it is now.
    """
    values = guard.values(now, since, own=own, must_be_known=must_be_known) | {"payables": list(payable_ids)}
    session.flush()
    return [guard.candidate(row) for row in session.execute(_CANDIDATES, values).mappings()]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A share that waits to be sent."""

    payable_id: int
    payment_id: int
    amount_cents: int


_WAITING = f"""
    SELECT y.id, y.payment_id, y.amount_cents
      FROM payable y JOIN payment p ON p.id = y.payment_id JOIN money_in i ON i.id = p.money_in_id
      LEFT JOIN attempt c ON c.payment_id = p.id
     WHERE {predicates.FREE} AND y.status = :status AND y.kind = 'share' AND y.id > :after
       AND y.amount_cents BETWEEN {CENTS} AND {MOST_CENTS}
       AND p.status = 'success' AND {predicates.HAS_RECEIPT} AND {predicates.IS_PROVED}
       AND NOT EXISTS (SELECT 1 FROM disbursement_member m WHERE m.payable_id = y.id AND m.live = 1)
       AND NOT {predicates.IS_DESTINATION_WAITING} AND y.paybill <> :own
       AND NOT {predicates.IS_HELD} AND NOT {predicates.IS_CONTRADICTED} AND NOT {predicates.IS_REFUND_UNDER_WAY}
       AND NOT EXISTS (SELECT 1 FROM payout_stop s WHERE s.in_force = 1 AND s.owner_id = y.owner_id)
"""


def waiting(
    session: Session,
    status: PayableStatus,
    *,
    now: datetime,
    own: str = "",
    advices: Iterable[Advice] | None = None,
    owner_id: int | None = None,
    is_due: bool = False,
    after: int = 0,
    limit: int | None = None,
) -> list[Waiting]:
    """The shares in the status that may leave, oldest first; only those with one of the advices, where given.

    What cannot be sent now (it is held, the rent has no receipt yet, payouts to its owner are stopped) is left out, so
    that it is in nobody's way; `after` is the number of the last one that was seen.
    """
    query = _WAITING
    values: dict[str, Any] = {"status": status.value, "after": after, "now": to_milliseconds(now), "own": own}
    if is_due:
        query += " AND y.payable_from <= :now AND (c.next_check_at IS NULL OR c.next_check_at <= :now)"
    if owner_id is not None:
        query += " AND y.owner_id = :owner"
        values["owner"] = owner_id
    if advices is not None:
        query += f" AND {predicates.LAST_ADVICE} IN :advices"
    query += " ORDER BY y.id"
    if limit is not None:
        query += " LIMIT :limit"
        values["limit"] = limit
    statement = text(query)
    if advices is not None:
        statement = statement.bindparams(bindparam("advices", expanding=True))
        values["advices"] = [advice.value for advice in advices]
    return [Waiting(*row) for row in session.execute(statement, values)]


_COUNT_FAILED = text(
    f"SELECT count(*) FROM payable y WHERE {predicates.FREE} AND y.status = 'failed' AND y.kind = 'share'"
    " AND (:owner IS NULL OR y.owner_id = :owner)"
).bindparams(bindparam("owner", type_=_TABLE.c.owner_id.type))


def count_failed(session: Session, *, owner_id: int | None = None) -> int:
    """How many shares have failed."""
    return int(session.execute(_COUNT_FAILED, {"owner": owner_id}).scalar_one())


_RULED = text(
    """
    SELECT EXISTS (SELECT 1 FROM disbursement_member m JOIN attempt a ON a.disbursement_id = m.disbursement_id
                    WHERE m.payable_id = :payable AND a.learned_by = :source)
        OR EXISTS (SELECT 1 FROM payable y JOIN attempt a ON a.payment_id = y.payment_id
                    WHERE y.id = :payable AND a.learned_by = :source)
    """
)


def was_learned_by(session: Session, payable_id: int, source: Source) -> bool:
    """Whether the fate of a transfer of this share, or that the rent in it came in, became known by the source."""
    return bool(session.execute(_RULED, {"payable": payable_id, "source": source.value}).scalar())


_SAME = text(
    """
    SELECT 1 FROM disbursement d
     WHERE d.owner_id = :owner AND d.amount_cents = :amount AND d.way <> 'none'
       AND (d.status = 'processing' OR d.completed_at >= :since) LIMIT 1
    """
)


def looks_repeated(session: Session, owner_id: int, amount_cents: int, since: datetime) -> bool:
    """Whether the same amount went to the owner since the moment, or is on its way there."""
    values = {"owner": owner_id, "amount": amount_cents, "since": to_milliseconds(since)}
    return session.execute(_SAME, values).first() is not None


_SHARES_OF = (
    select_columns(_TABLE.c.id)
    .join(SQLModel.metadata.tables["payment"], SQLModel.metadata.tables["payment"].c.id == _TABLE.c.payment_id)
    .where(
        SQLModel.metadata.tables["payment"].c.money_in_id == bindparam("money"),
        _TABLE.c.kind == PayableKind.SHARE.value,
    )
    .order_by(_TABLE.c.id)
)


def shares_of_money(session: Session, money_in_id: int) -> list[int]:
    """The numbers of the shares of all payments that were made from this money."""
    return list(session.execute(_SHARES_OF, {"money": money_in_id}).scalars())


def lock(session: Session, payable_ids: Iterable[int]) -> list[Payable]:
    """The payables, locked until the transaction ends, in the order of their numbers."""
    return list(session.execute(_LOCK, {"among": list(payable_ids)}).scalars())


_LOCK = locking(select(Payable).where(_TABLE.c.id.in_(bindparam("among", expanding=True))).order_by(col(Payable.id)))


def redirect(session: Session, payable: Payable, destination: Destination) -> None:
    """Let a payable go to another destination; the database refuses it of what was sent."""
    payable.paybill, payable.account_number = destination
    session.add(payable)
    session.flush()


_OWED = text(f"SELECT coalesce(sum(y.amount_cents), 0) FROM payable y WHERE {predicates.OPEN} AND y.owner_id = :owner")


def owed_cents(session: Session, owner_id: int) -> int:
    """What the owner is owed, or owes where it is negative: all that is neither settled nor void."""
    return int(session.execute(_OWED, {"owner": owner_id}).scalar_one())
