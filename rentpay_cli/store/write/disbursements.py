"""Transfers to owners, and all that follows from what becomes of one.

The database refuses what must not be; what follows is done here, one function for each step, in the order that the
triggers want: to send, the disbursement, its members, the payables, the attempt; to learn, the attempt, the
disbursement, its members, the payables, the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text, update
from sqlalchemy import select as select_columns
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col, select

from rentpay_cli.core.clock import eat_day
from rentpay_cli.core.payout import DisbursementStatus, PayableKind, PayableStatus, RunStatus, Way
from rentpay_cli.core.transfers import Transfer
from rentpay_cli.store import chain
from rentpay_cli.store.guard import Candidate
from rentpay_cli.store.rows import Rows, number_of
from rentpay_cli.store.tables import Disbursement, DisbursementMember, Payable, Payment
from rentpay_cli.store.write import payables

_DISBURSEMENTS = Rows(Disbursement, "status")
_MEMBERS = Rows(DisbursementMember)
_MEMBER = SQLModel.metadata.tables["disbursement_member"]
_FREE = (PayableStatus.PENDING, PayableStatus.FAILED)


def get(session: Session, disbursement_id: int) -> Disbursement:
    """The disbursement, locked until the transaction ends."""
    disbursement = _DISBURSEMENTS.get(session, disbursement_id)
    if disbursement is None:
        raise LookupError(f"no disbursement {disbursement_id}")
    return disbursement


def propose(
    session: Session,
    transfer: Transfer,
    members: Sequence[Candidate],
    at: datetime,
    *,
    run: tuple[int, int] | None = None,
    owner_id: int | None = None,
    errors_cents: int = 0,
) -> int:
    """Write down a transfer that is to be made, with its members; its number.

    `run` is its run and its number there. `errors_cents` is what the owner, who is named then, gets in error by it.
    """
    shares = [each for each in members if each.is_share]
    shares_cents = sum(each.amount_cents for each in shares)
    destination = transfer.destination or (None, None)
    columns = {
        "run_id": run[0] if run else None,
        "number": run[1] if run else None,
        "way": transfer.way.value,
        "owner_id": members[0].owner_id if owner_id is None else owner_id,
        "paybill": destination[0],
        "account_number": destination[1],
        "payment_count": len(shares),
        "collected_cents": sum(each.collected_cents for each in shares),
        "fee_cents": sum(each.fee_cents for each in shares),
        "shares_cents": shares_cents,
        "entries_cents": sum(each.amount_cents for each in members) - shares_cents + errors_cents,
        "carried_cents": transfer.carried_cents,
        "amount_cents": transfer.amount_cents,
        "status": DisbursementStatus.PROPOSED.value,
        "created_at": at,
    }
    number = _DISBURSEMENTS.add(session, columns)
    for each in members:
        _MEMBERS.add(session, {"disbursement_id": number, "payable_id": each.payable_id, "live": 1})
    return number


def send(session: Session, disbursement_id: int, members: Sequence[Candidate]) -> None:
    """Let a proposed transfer leave: it and its members are on their way; its attempt is written next."""
    _advance(session, disbursement_id, DisbursementStatus.PROPOSED, DisbursementStatus.PROCESSING)
    payables.move(session, [each.payable_id for each in members], _FREE, PayableStatus.PROCESSING)


def settle(session: Session, disbursement_id: int, at: datetime, by: str) -> int | None:
    """Let a proposed transfer without money settle its members; the entry that carries the rest on, if there is one."""
    ended = {"completed_at": at, "completed_day": eat_day(at)}
    _advance(session, disbursement_id, DisbursementStatus.PROPOSED, DisbursementStatus.SETTLED, **ended)
    payables.move(session, members_of(session, disbursement_id), _FREE, PayableStatus.COMPLETED)
    return _carry(session, get(session, disbursement_id), at, by)


def complete_by_hand(
    session: Session, disbursement_id: int, at: datetime, by: str, *, receipt: str | None, moved_at: datetime
) -> None:
    """Let a proposed transfer be one that a person made in M-Pesa's portal, and that is known to have moved."""
    ended = {"receipt": receipt, "completed_at": moved_at, "completed_day": eat_day(moved_at)}
    _advance(session, disbursement_id, DisbursementStatus.PROPOSED, DisbursementStatus.COMPLETED, **ended)
    payables.move(session, members_of(session, disbursement_id), _FREE, PayableStatus.COMPLETED)
    _carry(session, get(session, disbursement_id), at, by)


def complete(session: Session, disbursement: Disbursement, at: datetime, by: str, **facts: Any) -> None:
    """Let a transfer that was sent, and whose attempt moved money, have settled its members."""
    _DISBURSEMENTS.move(session, disbursement, {"status": DisbursementStatus.COMPLETED.value, **facts})
    numbers = members_of(session, number_of(disbursement))
    payables.move(session, numbers, (PayableStatus.PROCESSING,), PayableStatus.COMPLETED)
    _carry(session, disbursement, at, by)


def fail(session: Session, disbursement: Disbursement, at: datetime, by: str, **facts: Any) -> None:
    """Let a transfer that was sent, and whose attempt moved nothing, free its members.

    A share that was taken back meanwhile and the entry that takes it back settle each other, if that is free, too.
    """
    _DISBURSEMENTS.move(session, disbursement, {"status": DisbursementStatus.FAILED.value, **facts})
    numbers = _free_members(session, number_of(disbursement))
    payables.move(session, numbers, (PayableStatus.PROCESSING,), PayableStatus.FAILED)
    for share, entry in session.execute(_TAKEN_BACK, {"payables": numbers}).all():
        pair = payables.candidates(session, [share, entry], at)
        destination = next(each.destination for each in pair if each.is_share)
        settled = propose(session, Transfer(Way.NONE, destination, (share, entry), 0, 0, 0), pair, at)
        settle(session, settled, at, by)


_TAKEN_BACK = text(
    """
    SELECT y.id, e.id FROM payable y JOIN payment p ON p.id = y.payment_id AND p.status = 'reversed'
      JOIN payable e ON e.payment_id = p.id AND e.kind = 'reversal' AND e.status IN ('pending','failed')
     WHERE y.id IN :payables AND y.kind = 'share'
       AND NOT EXISTS (SELECT 1 FROM disbursement_member m WHERE m.payable_id = e.id AND m.live = 1)
     ORDER BY y.id
    """
).bindparams(bindparam("payables", expanding=True))


def cancel(session: Session, disbursement: Disbursement) -> None:
    """Let a transfer that was only proposed never be made; its members are free."""
    _DISBURSEMENTS.move(session, disbursement, {"status": DisbursementStatus.CANCELLED.value})
    _free_members(session, number_of(disbursement))


def cancel_proposed(session: Session, payable_ids: Sequence[int]) -> None:
    """Cancel what is proposed for the payables, and void its run: something else is true of them now."""
    for run_id, number in session.execute(_PROPOSED_FOR, {"payables": list(payable_ids)}).all():
        if run_id is not None:
            void_run(session, run_id)
        else:
            cancel(session, get(session, number))


def void_run(session: Session, run_id: int) -> None:
    """Let a run never be carried out: what is only proposed is cancelled, and its members are free."""
    if session.execute(_VOID, {"run": run_id}).first() is not None:
        chain.changed(session, "payout_run", run_id, {"status": RunStatus.VOID.value})
    for number in session.execute(_PROPOSED_IN, {"run": run_id}).scalars().all():
        cancel(session, get(session, number))


_PROPOSED_FOR = text(
    """
    SELECT DISTINCT d.run_id, CASE WHEN d.run_id IS NULL THEN d.id END AS number
      FROM disbursement_member m JOIN disbursement d ON d.id = m.disbursement_id
     WHERE m.payable_id IN :payables AND m.live = 1 AND d.status = 'proposed' ORDER BY 1, 2
    """
).bindparams(bindparam("payables", expanding=True))
_PROPOSED_IN = text("SELECT id FROM disbursement WHERE run_id = :run AND status = 'proposed' ORDER BY id")
_VOID = text("UPDATE payout_run SET status = 'void' WHERE id = :run AND status IN ('proposed','approved') RETURNING id")


def pay_by_hand(
    session: Session, payable_ids: Sequence[int], at: datetime, by: str, *, receipt: str, moved_at: datetime
) -> int:
    """Book a transfer that a person made in M-Pesa's portal, of one owner's payables; its number.

    What is free is settled by it; what another transfer has, the owner was paid in error.
    """
    cancel_proposed(session, payable_ids)
    was = payables.lock(session, payable_ids)
    among = payables.candidates(session, [number_of(each) for each in was], at)
    free = [each for each in among if each.facts.status in _FREE and each.facts.live is None]
    total_cents = sum(each.amount_cents for each in among)
    destination = next((each.destination for each in among if each.destination is not None), None)
    free_ids = [each.payable_id for each in free]
    again = [payable for payable in was if number_of(payable) not in free_ids]
    transfer = Transfer(Way.PORTAL, destination, tuple(free_ids), 0, total_cents, 0)
    again_cents = sum(payable.amount_cents for payable in again)
    number = propose(session, transfer, free, at, owner_id=was[0].owner_id, errors_cents=again_cents)
    for payable in again:
        _paid_in_error(session, number, payable, at, by)
    complete_by_hand(session, number, at, by, receipt=receipt, moved_at=moved_at)
    return number


def rule_moved(session: Session, disbursement: Disbursement, at: datetime, by: str, **facts: Any) -> None:
    """Let a failed transfer, whose attempt moved money after all, have settled what it was for.

    A member that is free is settled by it. For each that is settled or on its way by another transfer, the owner was
    paid in error: that amount is a member in its place, and stands against him as what is to be recovered.
    """
    number = number_of(disbursement)
    numbers = list(session.execute(_DEAD_MEMBERS, {"disbursement": number}).scalars())
    cancel_proposed(session, numbers)
    was = payables.lock(session, numbers)
    free = [each for each in was if each.status in _FREE and not _is_live(session, number_of(each))]
    _revive(session, number, [number_of(each) for each in free])
    errors = [_paid_in_error(session, number, each, at, by) for each in was if each not in free]
    shares = [each for each in free if each.kind == PayableKind.SHARE]
    paid = [session.get_one(Payment, each.payment_id) for each in shares]
    sums = {
        "payment_count": len(paid),
        "collected_cents": sum(each.amount_cents for each in paid),
        "fee_cents": sum(each.fee_cents for each in paid),
        "shares_cents": sum(each.amount_cents for each in shares),
        "entries_cents": sum(each.amount_cents for each in free if each not in shares)
        + sum(each.amount_cents for each in was if each not in free),
    }
    _DISBURSEMENTS.move(session, disbursement, {"status": DisbursementStatus.COMPLETED.value, **sums, **facts})
    settled = [number_of(each) for each in free] + errors
    payables.move(session, settled, _FREE, PayableStatus.COMPLETED)
    _carry(session, disbursement, at, by)


def _paid_in_error(session: Session, disbursement_id: int, payable: Payable, at: datetime, by: str) -> int:
    """Put in what the owner got twice, as a member, and what he owes for it; the number of the member."""
    origin: dict[str, Any] = {
        "disbursement_id": disbursement_id,
        "payment_id": payable.payment_id,
        "property_id": payable.property_id,
    }

    def book(kind: PayableKind, amount_cents: int) -> int:
        return payables.book_entry(
            session, kind, owner_id=payable.owner_id, amount_cents=amount_cents, at=at, by=by, **origin
        )

    error = book(PayableKind.PAID_IN_ERROR, payable.amount_cents)
    book(PayableKind.TO_RECOVER, -payable.amount_cents)
    _MEMBERS.add(session, {"disbursement_id": disbursement_id, "payable_id": error, "live": 1})
    return error


def _advance(
    session: Session, disbursement_id: int, seen: DisbursementStatus, to: DisbursementStatus, **columns: Any
) -> None:
    _DISBURSEMENTS.advance(session, disbursement_id, seen.value, {"status": to.value, **columns})


def _carry(session: Session, disbursement: Disbursement, at: datetime, by: str) -> int | None:
    """Book what a transfer that was made leaves to the next one; the number of the entry, if there is any."""
    if disbursement.carried_cents == 0:
        return None
    return payables.book_entry(
        session,
        PayableKind.CARRIED,
        owner_id=disbursement.owner_id,
        amount_cents=disbursement.carried_cents,
        at=at,
        by=by,
        disbursement_id=disbursement.id,
    )


_LIVE_MEMBERS = (
    select_columns(_MEMBER.c.payable_id)
    .where(_MEMBER.c.disbursement_id == bindparam("disbursement"), _MEMBER.c.live == 1)
    .order_by(_MEMBER.c.payable_id)
)
_DEAD_MEMBERS = (
    select_columns(_MEMBER.c.payable_id)
    .where(_MEMBER.c.disbursement_id == bindparam("disbursement"), _MEMBER.c.live.is_(None))
    .order_by(_MEMBER.c.payable_id)
)
_ALL_MEMBERS = (
    select_columns(_MEMBER.c.payable_id)
    .where(_MEMBER.c.disbursement_id == bindparam("disbursement"))
    .order_by(_MEMBER.c.payable_id)
)


def members_of(session: Session, disbursement_id: int) -> list[int]:
    """The numbers of the payables that the transfer settles, or is to settle."""
    return list(session.execute(_LIVE_MEMBERS, {"disbursement": disbursement_id}).scalars())


def every_member_of(session: Session, disbursement_id: int) -> list[int]:
    """The numbers of all payables that the transfer was ever to settle."""
    return list(session.execute(_ALL_MEMBERS, {"disbursement": disbursement_id}).scalars())


_IS_LIVE = select_columns(_MEMBER.c.id).where(_MEMBER.c.payable_id == bindparam("payable"), _MEMBER.c.live == 1)


def _is_live(session: Session, payable_id: int) -> bool:
    return session.execute(_IS_LIVE, {"payable": payable_id}).first() is not None


def _free_members(session: Session, disbursement_id: int) -> list[int]:
    """Let the transfer no longer have its members, and return their numbers."""
    numbers = members_of(session, disbursement_id)
    _set_live(session, disbursement_id, numbers, None)
    return numbers


def _revive(session: Session, disbursement_id: int, numbers: Iterable[int]) -> None:
    _set_live(session, disbursement_id, numbers, 1)


_SET_LIVE = (
    update(_MEMBER)
    .where(
        _MEMBER.c.disbursement_id == bindparam("of_disbursement"),
        _MEMBER.c.payable_id.in_(bindparam("among", expanding=True)),
    )
    .returning(_MEMBER.c.id)
    .execution_options(synchronize_session=False)
)


def _set_live(session: Session, disbursement_id: int, numbers: Iterable[int], live: int | None) -> None:
    values = {"of_disbursement": disbursement_id, "among": list(numbers), "live": live}
    session.flush()
    for number in sorted(session.execute(_SET_LIVE, values).scalars()):
        chain.changed(session, "disbursement_member", number, {"live": live})


def payments_of(session: Session, disbursement_id: int) -> list[Payment]:
    """The payments whose shares the transfer settles, or was to settle."""
    query = (
        select(Payment)
        .join(Payable, col(Payable.payment_id) == col(Payment.id))
        .join(DisbursementMember, col(DisbursementMember.payable_id) == col(Payable.id))
        .where(DisbursementMember.disbursement_id == disbursement_id, Payable.kind == PayableKind.SHARE.value)
        .order_by(col(Payment.id))
    )
    return list(session.exec(query))


_PAYMENT_NUMBERS = text(
    """
    SELECT y.payment_id FROM disbursement_member m JOIN payable y ON y.id = m.payable_id
     WHERE m.disbursement_id = :disbursement AND y.kind = 'share' ORDER BY y.payment_id
    """
)


def payment_numbers(session: Session, disbursement_id: int) -> list[int]:
    """The numbers of the payments whose shares the transfer carries, or was to carry; none if it is entries alone."""
    return list(session.execute(_PAYMENT_NUMBERS, {"disbursement": disbursement_id}).scalars())


_NUMBER_OF_TRY = text(
    """
    SELECT count(DISTINCT a.id) FROM disbursement_member m JOIN attempt a ON a.disbursement_id = m.disbursement_id
     WHERE m.disbursement_id <= :disbursement AND m.payable_id =
           (SELECT min(own.payable_id) FROM disbursement_member own WHERE own.disbursement_id = :disbursement)
    """
)


def number_of_try(session: Session, disbursement_id: int) -> int:
    """How many requests were written down for its first payable up to this transfer."""
    return int(session.execute(_NUMBER_OF_TRY, {"disbursement": disbursement_id}).scalar_one())


_TAKEN = (
    *("one_live_disbursement", "disbursement_member.payable_id"),  # as PostgreSQL and as SQLite name the index
    *("one_payout", "attempt.disbursement_id"),
    *("only what is free joins", "a member is not free", "this change of payable.status is not allowed"),
)


def is_taken(error: IntegrityError) -> bool:
    """Whether the database refuses a transfer because another one has a member of it."""
    return any(mark in str(error.orig) for mark in _TAKEN)


def note_receipt(session: Session, disbursement: Disbursement, receipt: str) -> None:
    """Note the receipt of a transfer whose receipt was not known."""
    disbursement.receipt = receipt
    session.add(disbursement)
    session.flush()


def note_receiver(session: Session, disbursement: Disbursement, name: str) -> None:
    """Note whom M-Pesa says that it paid."""
    disbursement.receiver_name = name
    session.add(disbursement)
    session.flush()


def advise(session: Session, disbursement: Disbursement, advice: str) -> None:
    """Note what is now advised after a failure."""
    disbursement.advice = advice
    session.add(disbursement)
    session.flush()
