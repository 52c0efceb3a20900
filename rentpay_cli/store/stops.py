"""The stop: while it is in force, no payout leaves."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, select

from rentpay_cli.store.engine import lock_while_deciding
from rentpay_cli.store.tables import PayoutStop


def in_force(session: Session) -> PayoutStop | None:
    """The stop that is in force, or None."""
    return session.exec(select(PayoutStop).where(PayoutStop.in_force == 1)).first()


def stop(session: Session, reason: str, by: str, at: datetime) -> int | None:
    """Put a stop in force and return its number; None if there is one already."""
    lock_while_deciding(session, "payout stop")
    if in_force(session) is not None:
        return None
    made = PayoutStop(reason=reason, stopped_by=by, stopped_at=at)
    session.add(made)
    session.flush()
    return made.id


def lift(session: Session, by: str, at: datetime) -> PayoutStop | None:
    """Lift the stop that is in force and return it; None if there is none."""
    found = in_force(session)
    if found is not None:
        found.in_force = None
        found.lifted_by = by
        found.lifted_at = at
        session.add(found)
    return found
