"""Give somebody access, and take it away; only the hash of a token is kept."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, func, select

from rentpay_cli.core.access import Role
from rentpay_cli.store.tables import Access


def in_force(session: Session, name: str) -> Access | None:
    """The access of this name, in any case, that was not revoked."""
    return session.exec(
        select(Access).where(func.lower(Access.name) == name.lower(), col(Access.revoked_at).is_(None))
    ).first()


def admins(session: Session) -> int:
    """How many admins there are."""
    query = select(func.count()).where(Access.role == Role.ADMIN.value, col(Access.revoked_at).is_(None))
    return session.exec(query).one()


def next_number(session: Session) -> int:
    """The number that the next access gets; the caller holds the lock under which accesses are added."""
    return (session.exec(select(func.max(Access.id))).one() or 0) + 1


def add(session: Session, entry: Access) -> None:
    """Add an access."""
    session.add(entry)
    session.flush()


def revoke(session: Session, entry: Access, by: str, at: datetime) -> None:
    """Take an access away; its entry stays."""
    entry.revoked_by = by
    entry.revoked_at = at
    session.add(entry)
    session.flush()
