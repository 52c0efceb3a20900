"""Owners, properties and tenants: find them by number or name, add them, change them."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, func, select

from rentpay_cli.core.phone import parse_phone
from rentpay_cli.errors import NotFound, RuleRefused, WrongUse
from rentpay_cli.store.tables import Owner, Property, Tenant

Entry = TypeVar("Entry", Owner, Property, Tenant)


def find(session: Session, kind: type[Entry], reference: str) -> Entry:
    """Find an entry by its number or its name, in any case; raises `NotFound`, or `WrongUse` if a name is ambiguous."""
    word = kind.__name__.lower()
    if reference.isascii() and reference.isdigit() and len(reference) < 10:
        entry = session.get(kind, int(reference))
        if entry is not None:
            return entry
    matches = session.exec(select(kind).where(func.lower(kind.name) == reference.strip().lower()).limit(2)).all()
    if not matches and kind is Tenant:
        matches = _tenants_by_phone(session, reference)
    if not matches:
        raise NotFound(f"There is no {word} '{reference}'.", f"See them with: rentpay {word} list")
    if len(matches) > 1:
        raise WrongUse(f"More than one {word} matches '{reference}'.", "Use the number that the list shows.")
    return matches[0]


def _tenants_by_phone(session: Session, reference: str) -> Any:
    try:
        phone = parse_phone(reference)
    except ValueError:
        return []
    return session.exec(select(Tenant).where(Tenant.phone == phone).limit(2)).all()


def add(session: Session, entry: Owner | Property | Tenant) -> None:
    """Add an entry; raises `RuleRefused` if its name is taken."""
    session.add(entry)
    _flush(session, entry)


def change(session: Session, entry: Owner | Property | Tenant, changes: dict[str, Any]) -> None:
    """Change some fields of an entry; raises `RuleRefused` if its new name is taken."""
    for name, value in changes.items():
        setattr(entry, name, value)
    session.add(entry)
    _flush(session, entry)


def _flush(session: Session, entry: Owner | Property | Tenant) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        if "unique" not in str(error.orig).lower():
            raise
        word = type(entry).__name__.lower()
        raise RuleRefused(
            f"There is already {'an' if word[0] in 'aeiou' else 'a'} {word} named '{entry.name}'.",
            f"Choose another name, or change the one there is with: rentpay {word} edit",
            code="name_taken",
        ) from error


def tenants_of(session: Session, phone: str, property_id: int) -> Tenant | None:
    """The tenant of the property with this phone, or the only tenant anywhere with it."""
    tenants = session.exec(select(Tenant).where(Tenant.phone == phone).order_by(col(Tenant.id)).limit(20)).all()
    at_home = [tenant for tenant in tenants if tenant.property_id == property_id]
    if at_home:
        return at_home[0]
    return tenants[0] if len(tenants) == 1 else None
