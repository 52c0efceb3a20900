"""Holds: why a payable, or all of a property or of an owner, is not paid now; each is a row that somebody ends."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, text
from sqlalchemy import select as select_columns
from sqlmodel import Session, SQLModel, select

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.payout import RELEASED_ONCE, HoldKind
from rentpay_cli.store import guard
from rentpay_cli.store.tables import Hold

_TABLE = SQLModel.metadata.tables["hold"]
_OPEN = (
    select(Hold)
    .where(
        _TABLE.c.ended_at.is_(None),
        _TABLE.c.payable_id.is_not_distinct_from(bindparam("payable_id")),
        _TABLE.c.property_id.is_not_distinct_from(bindparam("property_id")),
        _TABLE.c.owner_id.is_not_distinct_from(bindparam("owner_id")),
    )
    .order_by(_TABLE.c.id)
)


def place(
    session: Session,
    kind: HoldKind,
    reason: str,
    by: str,
    at: datetime,
    *,
    payable_id: int | None = None,
    property_id: int | None = None,
    owner_id: int | None = None,
    until: datetime | None = None,
) -> int | None:
    """Hold a payable, or all of a property or an owner; its number, or None if there is such a hold in force.

    Lock what is held before. One whose time is over is ended first. What a person released once is not held again for
    the same reason by itself.
    """
    scope = {"payable_id": payable_id, "property_id": property_id, "owner_id": owner_id}
    for found in session.execute(_OPEN, scope).scalars():
        if found.kind != kind:
            continue
        if found.until is None or found.until > at:
            return None
        end(session, found, "rentpay", at, "its time was over")
    if payable_id is not None and kind in RELEASED_ONCE and was_released(session, payable_id, kind):
        return None
    made = Hold(
        payable_id=payable_id,
        property_id=property_id,
        owner_id=owner_id,
        kind=kind.value,
        reason=reason,
        placed_by=by,
        placed_at=at,
        until=until,
    )
    session.add(made)
    session.flush()
    return made.id


_RELEASED = (
    select_columns(_TABLE.c.id)
    .where(_TABLE.c.payable_id == bindparam("payable"), _TABLE.c.kind == bindparam("kind"))
    .where(_TABLE.c.ended_at.is_not(None))
    .limit(1)
)


def was_released(session: Session, payable_id: int, kind: HoldKind) -> bool:
    """Whether a person has ended a hold of this kind on the payable."""
    return session.execute(_RELEASED, {"payable": payable_id, "kind": kind.value}).first() is not None


_REASON = text(guard.HOLD_REASON)


def reason(session: Session, payable_id: int, at: datetime) -> str | None:
    """Why the payable is held, by the hold that the guard finds."""
    return session.execute(_REASON, {"payable": payable_id, "now": to_milliseconds(at)}).scalar()


def on_payable(session: Session, payable_id: int) -> list[Hold]:
    """The holds on the payable that nobody has ended."""
    scope = {"payable_id": payable_id, "property_id": None, "owner_id": None}
    return list(session.execute(_OPEN, scope).scalars())


def end(session: Session, hold: Hold, by: str, at: datetime, reason: str) -> None:
    """End a hold: a person has looked, or its time is over."""
    hold.ended_by, hold.ended_at, hold.ended_reason = by, at, reason
    session.add(hold)
    session.flush()


def end_evidence(session: Session, payable_id: int, by: str, at: datetime, reason: str) -> None:
    """End the hold that evidence placed on the payable: a person has ruled."""
    for found in on_payable(session, payable_id):
        if found.kind == HoldKind.EVIDENCE:
            end(session, found, by, at, reason)
