"""What is kept of a tenant as a person, and its removal; the books stay as they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, text
from sqlmodel import Session, col, select

from rentpay_cli.core.attempt import ENDED
from rentpay_cli.core.phone import NO_DIGITS
from rentpay_cli.store.migrations.triggers import FORGETTING
from rentpay_cli.store.tables import Access, Attempt, InboxItem, Payment, Tenant


def phones_of(session: Session, tenant: Tenant) -> dict[str, bool]:
    """Every telephone number that the tenant had, and whether another tenant has it, too."""
    asked = select(Payment.phone).where(Payment.tenant_id == tenant.id).distinct()
    phones = {phone for phone in (tenant.phone, *session.exec(asked)) if phone}
    others = select(Tenant.phone).where(col(Tenant.phone).in_(phones), Tenant.id != tenant.id)
    shared = set(session.exec(others))
    return {phone: phone in shared for phone in sorted(phones)}


def payments_of(session: Session, tenant: Tenant, phones: Iterable[str]) -> list[Payment]:
    """The tenant's payments, and those of nobody in the register that were asked of one of these numbers."""
    nobodys = col(Payment.tenant_id).is_(None) & col(Payment.phone).in_(list(phones))
    query = select(Payment).where(or_(col(Payment.tenant_id) == tenant.id, nobodys)).order_by(col(Payment.id))
    return list(session.exec(query))


def attempts_of(session: Session, payments: Iterable[Payment]) -> list[Attempt]:
    """Every attempt to collect the payments, locked until the transaction ends."""
    numbers = [payment.id for payment in payments]
    query = select(Attempt).where(col(Attempt.payment_id).in_(numbers)).order_by(col(Attempt.id))
    return list(session.exec(query.with_for_update(key_share=True)))


def open_ones(attempts: Iterable[Attempt]) -> list[int]:
    """Numbers of the payments whose outcome M-Pesa has still to tell."""
    ended = {state.value for state in ENDED}
    return [attempt.payment_id for attempt in attempts if attempt.state not in ended and attempt.payment_id]


def callbacks_with(session: Session, digits: str, only: Iterable[Attempt] | None) -> list[InboxItem]:
    """Callbacks in whose body these digits stand; only those to the addresses of some attempts, if they are given."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    place = func.instr if is_sqlite else func.pg_catalog.position
    query = select(InboxItem).where(place(col(InboxItem.body), digits.encode()) > 0)
    if only is not None:
        query = query.where(col(InboxItem.token_sha256).in_([attempt.token_sha256 for attempt in only]))
    return list(session.exec(query.order_by(col(InboxItem.id)).with_for_update(key_share=True)))


def take_out(session: Session, digits: str, items: Iterable[InboxItem], attempts: Iterable[Attempt]) -> None:
    """Take the digits out of callbacks' bodies and of checkout ids, which stay unique and otherwise as they are."""
    values = {"name": FORGETTING, "digits": digits}
    session.execute(text("INSERT INTO setting (name, value) VALUES (:name, :digits)"), values)  # or a trigger refuses
    for item in items:
        item.body = bytes(item.body).replace(digits.encode(), NO_DIGITS.encode())
        session.add(item)
    for attempt in attempts:
        if attempt.checkout_request_id is not None and digits in attempt.checkout_request_id:
            mark = str(attempt.id).zfill(len(NO_DIGITS))[-len(NO_DIGITS) :]
            attempt.checkout_request_id = attempt.checkout_request_id.replace(digits, mark)
            session.add(attempt)
    session.flush()
    session.execute(text("DELETE FROM setting WHERE name = :name"), values)


def remove_person(session: Session, tenant: Tenant, payments: Iterable[Payment], name: str) -> None:
    """Take the person out of the register and of the payments."""
    tenant.name, tenant.phone = name, ""
    session.add(tenant)
    for payment in payments:
        payment.phone, payment.note = None, None
        session.add(payment)
    session.flush()


def revoke_access(session: Session, tenant: Tenant, by: str, at: datetime) -> None:
    """Take away every access that the tenant still has."""
    query = select(Access).where(Access.tenant_id == tenant.id, col(Access.revoked_at).is_(None))
    for access in session.exec(query):
        access.revoked_by, access.revoked_at = by, at
        session.add(access)
    session.flush()
