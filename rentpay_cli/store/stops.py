"""The stops: while one is in force, no payout leaves; or none to the owner whom it names.

Several may be in force at once, one of each kind: what one is about is not mended when another is.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam
from sqlmodel import Session, col, func, select

from rentpay_cli.core.payout import StopKind
from rentpay_cli.store.engine import lock_payouts
from rentpay_cli.store.tables import PayoutStop

_IN_FORCE = (
    select(PayoutStop)
    .where(PayoutStop.in_force == 1, col(PayoutStop.owner_id).is_not_distinct_from(bindparam("owner")))
    .order_by(col(PayoutStop.id))
)


def in_force(session: Session, owner_id: int | None = None) -> PayoutStop | None:
    """The first stop of all payouts that is in force, or of the owner's alone; or None."""
    found: PayoutStop | None = session.execute(_IN_FORCE, {"owner": owner_id}).scalars().first()
    return found


_AGAINST = (
    select(PayoutStop)
    .where(PayoutStop.in_force == 1, col(PayoutStop.owner_id).is_(None) | (PayoutStop.owner_id == bindparam("owner")))
    .order_by(col(PayoutStop.owner_id).is_not(None), col(PayoutStop.id))
    .limit(1)
)


def against(session: Session, owner_id: int) -> PayoutStop | None:
    """The stop that keeps payouts to this owner from leaving: that of all payouts, or the owner's own; or None."""
    found: PayoutStop | None = session.execute(_AGAINST, {"owner": owner_id}).scalar()
    return found


def stop(
    session: Session, kind: StopKind, reason: str, by: str, at: datetime, *, owner_id: int | None = None
) -> int | None:
    """Put a stop in force, of all payouts or of one owner's; its number, or None if there is one of its kind already.

    A payout that is claimed at the same moment is either written down before, or sees the stop.
    """
    lock_payouts(session, alone=True)
    if any(found.kind == kind for found in session.execute(_IN_FORCE, {"owner": owner_id}).scalars()):
        return None
    made = PayoutStop(owner_id=owner_id, kind=kind.value, reason=reason, stopped_by=by, stopped_at=at)
    session.add(made)
    session.flush()
    return made.id


def lift(
    session: Session, by: str, at: datetime, *, owner_id: int | None = None, reason: str | None = None
) -> list[PayoutStop]:
    """Lift all stops that are in force, of all payouts or of one owner's, and return them, the first one first."""
    lifted = list(session.execute(_IN_FORCE, {"owner": owner_id}).scalars())
    for found in lifted:
        found.in_force = None
        found.lifted_by = by
        found.lifted_at = at
        found.lifted_reason = reason
        session.add(found)
    return lifted


_LAST_LIFTED = select(func.max(PayoutStop.lifted_at)).where(col(PayoutStop.owner_id).is_(None))


def last_lifted_at(session: Session) -> datetime | None:
    """When a stop of all payouts was lifted for the last time."""
    lifted_at: datetime | None = session.execute(_LAST_LIFTED).scalar()
    return lifted_at
