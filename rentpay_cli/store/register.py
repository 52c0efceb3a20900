"""Owners, properties and tenants: find them by number or name, add them, change them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from rentpay_cli.core.nearest import MOST_NAMES, no_such, several
from rentpay_cli.core.paybill import ChangeState
from rentpay_cli.store.engine import lock_while_deciding
from rentpay_cli.store.predicates import who_is_meant
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import DestinationChange, Owner, Property, Tenant

Entry = TypeVar("Entry", Owner, Property, Tenant)


def find(session: Session, kind: type[Entry], reference: str) -> Entry:
    """Find whom the reference means: by number, name or phone; raises `NotFound`, or `WrongUse` if it is ambiguous."""
    word = kind.__name__.lower()
    for condition, meant in who_is_meant(word, reference):
        matches = session.exec(select(kind).where(text(condition)).params(meant).limit(MOST_NAMES + 1)).all()
        if len(matches) > 1:
            raise several(word, reference, [number_of(match) for match in matches])
        if matches:
            return matches[0]
    raise no_such(word, reference, session.exec(select(kind.name)).all())


def namesakes(session: Session, kind: type[Entry], name: str) -> list[int]:
    """The numbers of those who have this name, in any case."""
    same = select(kind.id).where(func.lower(kind.name) == func.lower(name)).order_by(col(kind.id)).limit(MOST_NAMES + 1)
    return [number for number in session.exec(same) if number is not None]


def add(session: Session, entry: Owner | Property | Tenant) -> None:
    """Add an entry."""
    session.add(entry)
    session.flush()


def change(session: Session, entry: Owner | Property | Tenant, changes: dict[str, Any]) -> None:
    """Change some fields of an entry."""
    for name, value in changes.items():
        setattr(entry, name, value)
    session.add(entry)
    session.flush()


def held_change(session: Session, property_id: int) -> DestinationChange | None:
    """The change of the property's destination that waits to be confirmed, or None; decided by one at a time."""
    lock_while_deciding(session, "paybill change")
    query = select(DestinationChange).where(
        DestinationChange.property_id == property_id, DestinationChange.state == ChangeState.HELD.value
    )
    return session.exec(query).first()


def hold_change(session: Session, change: DestinationChange) -> None:
    """Add a change of a property's destination, which waits to be confirmed."""
    session.add(change)
    session.flush()


def decide_change(session: Session, change: DestinationChange, state: ChangeState, by: str, at: datetime) -> None:
    """Write down that a held change was confirmed, or cancelled."""
    change.state, change.decided_by, change.decided_at = state.value, by, at
    session.add(change)
    session.flush()


def confirmed_name(session: Session, property_id: int, paybill: str) -> str | None:
    """What a person confirmed that the paybill is called, as far as the property ever paid to it; or None."""
    place = session.get(Property, property_id)
    if place is not None and place.paybill == paybill:
        return place.paybill_name
    query = (
        select(DestinationChange.organisation_name)
        .where(DestinationChange.property_id == property_id, DestinationChange.state == ChangeState.CONFIRMED.value)
        .where(DestinationChange.paybill == paybill)
        .order_by(col(DestinationChange.id).desc())
    )
    return session.exec(query).first()


def tenants_of(session: Session, phone: str, property_id: int) -> Tenant | None:
    """The tenant of the property with this phone, or the only tenant anywhere with it."""
    tenants = session.exec(select(Tenant).where(Tenant.phone == phone).order_by(col(Tenant.id)).limit(20)).all()
    at_home = [tenant for tenant in tenants if tenant.property_id == property_id]
    if at_home:
        return at_home[0]
    return tenants[0] if len(tenants) == 1 else None
