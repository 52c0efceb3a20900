"""Attempts: each request to M-Pesa to move money, written before it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, or_, text
from sqlmodel import Session, SQLModel, col, func, select

from rentpay_cli.core.attempt import ENDED, Direction, State
from rentpay_cli.core.chase import first_check
from rentpay_cli.core.evidence import Source
from rentpay_cli.store.rows import Rows, locking
from rentpay_cli.store.tables import Attempt, Disbursement, DisbursementMember

_ATTEMPTS = Rows(Attempt, "state")
_TABLE = SQLModel.metadata.tables["attempt"]


def token_sha256(token: str) -> str:
    """What the database keeps of a callback token."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_collection(
    session: Session, payment_id: int, amount_cents: int, token: str, at: datetime, short_code: str | None = None
) -> int:
    """Write down that a tenant is about to be asked; the attempt's id. The database refuses a second one."""
    columns = _new(Direction.COLLECTION, amount_cents, token, at, short_code)
    return _ATTEMPTS.add(session, columns | {"payment_id": payment_id})


def open_payout(
    session: Session, disbursement_id: int, amount_cents: int, token: str, at: datetime, short_code: str | None = None
) -> int:
    """Write down that a transfer is about to be sent; the attempt's id. The database refuses a second one, ever."""
    columns = _new(Direction.PAYOUT, amount_cents, token, at, short_code)
    return _ATTEMPTS.add(session, columns | {"disbursement_id": disbursement_id})


def open_refund(
    session: Session, refund_id: int, amount_cents: int, token: str, at: datetime, short_code: str | None = None
) -> int:
    """Write down that a tenant's money is about to go back; the attempt's id. The database refuses a second one."""
    columns = _new(Direction.REFUND, amount_cents, token, at, short_code)
    return _ATTEMPTS.add(session, columns | {"refund_id": refund_id})


def _new(direction: Direction, amount_cents: int, token: str, at: datetime, short_code: str | None) -> dict[str, Any]:
    return {
        "direction": direction.value,
        "next_check_at": first_check(direction, at),
        "state": State.SENDING.value,
        "token_sha256": token_sha256(token),
        "short_code": short_code,
        "amount_cents": amount_cents,
        "created_at": at,
        "changed_at": at,
    }


def get(session: Session, attempt_id: int) -> Attempt:
    """The attempt, locked until the transaction ends."""
    attempt = _ATTEMPTS.get(session, attempt_id)
    if attempt is None:
        raise LookupError(f"no attempt {attempt_id}")
    return attempt


_BY_TOKENS = locking(select(Attempt).where(_TABLE.c.token_sha256.in_(bindparam("digests", expanding=True))))


def by_tokens(session: Session, digests: Sequence[str]) -> dict[str, Attempt]:
    """The attempts whose callback addresses carry tokens with these SHA-256s, locked until the transaction ends."""
    found = session.execute(_BY_TOKENS, {"digests": digests}).scalars() if digests else ()
    return {attempt.token_sha256: attempt for attempt in found}


def of_payment(session: Session, payment_id: int) -> Attempt | None:
    """The attempt to collect a payment, locked until the transaction ends; None if it was not asked for by M-Pesa."""
    return session.exec(select(Attempt).where(Attempt.payment_id == payment_id).with_for_update(key_share=True)).first()


_OF_PAYABLE = locking(
    select(Attempt)
    .join(DisbursementMember, col(DisbursementMember.disbursement_id) == col(Attempt.disbursement_id))
    .where(DisbursementMember.payable_id == bindparam("payable"))
    .order_by(col(Attempt.id)),
    of=[_TABLE],
)


def of_payable(session: Session, payable_id: int) -> list[Attempt]:
    """Every attempt to send a payable, oldest first, locked until the transaction ends."""
    return list(session.execute(_OF_PAYABLE, {"payable": payable_id}).scalars())


_RECEIPT = text(
    """
    SELECT receipt FROM money_in WHERE receipt = :receipt
    UNION ALL SELECT receipt FROM disbursement WHERE receipt = :receipt
    UNION ALL SELECT receipt FROM refund WHERE receipt = :receipt
    UNION ALL SELECT receipt FROM payable WHERE receipt = :receipt
    """
)


def receipt_is_used(session: Session, receipt: str) -> bool:
    """Whether the receipt is already that of money in, of a transfer, of a refund or of a payout that came back."""
    return session.execute(_RECEIPT, {"receipt": receipt}).first() is not None


_KNOWN_RECEIPT = text(
    """
    SELECT i.receipt FROM payment p JOIN money_in i ON i.id = p.money_in_id WHERE p.id = :payment
    UNION ALL SELECT receipt FROM disbursement WHERE id = :disbursement
    UNION ALL SELECT receipt FROM refund WHERE id = :refund
    """
)


def receipt_of(session: Session, attempt: Attempt) -> str | None:
    """The receipt of the money that the attempt moved, as far as it is known: it stands with that money."""
    values = {"payment": attempt.payment_id, "disbursement": attempt.disbursement_id, "refund": attempt.refund_id}
    found: str | None = session.execute(_KNOWN_RECEIPT, values).scalar()
    return found


_UNIQUE_IDS = ("checkout_request_id", "conversation_id", "originator_conversation_id")
_OTHERS_WITH_IDS = select(*(_TABLE.c[name] for name in _UNIQUE_IDS)).where(
    _TABLE.c.id != bindparam("attempt"), or_(*(_TABLE.c[name] == bindparam(name) for name in _UNIQUE_IDS))
)


def ids_in_use(session: Session, ids: dict[str, object], attempt_id: int) -> list[str]:
    """Which of M-Pesa's ids, by name, already belong to another attempt."""
    named = {name: ids.get(name) for name in _UNIQUE_IDS}
    if not any(named.values()):
        return []
    others = session.execute(_OTHERS_WITH_IDS, named | {"attempt": attempt_id}).mappings().all()
    return [name for name, value in named.items() if value and any(other[name] == value for other in others)]


def move(session: Session, attempt: Attempt, to: State, at: datetime, **changes: Any) -> None:
    """Move the attempt from the state we saw to another; raises `StaleWrite` if it is no longer there."""
    if to in ENDED:
        changes["next_check_at"] = None
    changes |= {"state": to.value, "changed_at": at}
    _ATTEMPTS.move(session, attempt, changes)


def note_confirmed(session: Session, attempt_id: int, at: datetime) -> None:
    """Write down that M-Pesa confirmed by query what a callback had said."""
    attempt = get(session, attempt_id)
    attempt.confirmed_at = at
    session.add(attempt)
    session.flush()


_GONE_THROUGH = (
    select(_TABLE.c.id)
    .where(text("direction = 'payout' AND state <> 'not_moved'"))  # as the index has it, so that it is used
    .where(_TABLE.c.state == State.MOVED.value, _TABLE.c.learned_by != bindparam("not_by"))
    .where(_TABLE.c.created_at > bindparam("moment"))
    .order_by(_TABLE.c.created_at.desc())
    .limit(1)
)


def went_through_after(session: Session, moment: datetime, *, not_by: Source) -> bool:
    """Whether a payout that began after the moment is known to be paid, by something other than `not_by`."""
    return session.execute(_GONE_THROUGH, {"moment": moment, "not_by": not_by.value}).first() is not None


_FATE = select(_TABLE.c.state, _TABLE.c.code).where(_TABLE.c.id == bindparam("attempt"))


def fate(session: Session, attempt_id: int) -> tuple[State, str | None]:
    """The state of the attempt, and the code with which it failed."""
    state, code = session.execute(_FATE, {"attempt": attempt_id}).one()
    return State(state), code


def quiet(session: Session, now: datetime, limit: int) -> list[int]:
    """Numbers of open attempts that are due to be asked about, the longest due first."""
    query = (
        select(Attempt.id)
        .where(col(Attempt.state).in_([State.SENDING.value, State.WAITING.value, State.UNCLEAR.value]))
        .where(col(Attempt.next_check_at) <= now)
        .order_by(col(Attempt.next_check_at), col(Attempt.id))
        .limit(limit)
    )
    return [number for number in session.exec(query) if number is not None]


def all_open(session: Session, began_before: datetime, direction: Direction) -> list[int]:
    """Numbers of every open attempt in the direction that began before the moment, due or not."""
    query = (
        select(Attempt.id)
        .where(col(Attempt.state).in_([State.SENDING.value, State.WAITING.value, State.UNCLEAR.value]))
        .where(Attempt.direction == direction.value, col(Attempt.created_at) <= began_before)
        .order_by(col(Attempt.id))
    )
    return [number for number in session.exec(query) if number is not None]


def ask_again_at(session: Session, attempt: Attempt, moment: datetime) -> None:
    """Note when M-Pesa is to be asked again, also about an attempt that has ended: whether it was so."""
    attempt.next_check_at = moment
    session.add(attempt)
    session.flush()


def note_check(session: Session, attempt: Attempt, next_check_at: datetime) -> None:
    """Write down that the attempt is being asked about, before it is."""
    attempt.checks += 1
    attempt.next_check_at = next_check_at
    session.add(attempt)
    session.flush()


def note_no_record(session: Session, attempt: Attempt, asked_at: datetime, again_at: datetime) -> int:
    """Count an answer "no such transaction", to be asked again soon, and return how many there are now."""
    attempt.not_found_count += 1
    attempt.not_found_at = asked_at
    if attempt.first_not_found_at is None:
        attempt.first_not_found_at = asked_at
    if attempt.next_check_at is not None:
        attempt.next_check_at = min(attempt.next_check_at, again_at)
    session.add(attempt)
    session.flush()
    return attempt.not_found_count


def sent_since(session: Session, since: datetime, owner_id: int | None = None) -> int:
    """What has left as payouts since the moment, or may have left, in cents; to one owner, if one is given."""
    query = select(func.coalesce(func.sum(Attempt.amount_cents), 0)).where(
        Attempt.direction == Direction.PAYOUT.value,
        Attempt.state != State.NOT_MOVED.value,
        col(Attempt.created_at) >= since,
    )
    if owner_id is not None:
        query = query.join(Disbursement, col(Disbursement.id) == col(Attempt.disbursement_id)).where(
            Disbursement.owner_id == owner_id
        )
    return int(session.exec(query).one())
