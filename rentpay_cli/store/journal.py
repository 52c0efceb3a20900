"""What changed, why, and who did it: written in the transaction that changed it; and what does not fit."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from rentpay_cli.core.findings import CONTRARY, FindingKind, where_to_look
from rentpay_cli.core.journal import told
from rentpay_cli.core.notices import Audience, NoticeKind
from rentpay_cli.core.redact import redact
from rentpay_cli.store import chain, notices
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import Finding, Payment


def write(
    session: Session,
    at: datetime,
    actor: str,
    event: str,
    *,
    payment_id: int | None = None,
    attempt_id: int | None = None,
    **detail: Any,
) -> None:
    """Add an entry, with what was changed since the last one; it is kept without secrets and telephone numbers.

    It is written at the end of the transaction, where its number and its hash are known.
    """
    entry = {"at": at, "actor": told(actor), "event": event, "payment_id": payment_id, "attempt_id": attempt_id}
    chain.gather(session, entry, {name: told(value) for name, value in detail.items() if value is not None})


def raise_finding(
    session: Session,
    at: datetime,
    kind: FindingKind,
    text: str,
    *,
    payment_id: int | None = None,
    attempt_id: int | None = None,
) -> None:
    """Tell a person about something that does not fit; nothing else changes by it."""
    finding = Finding(found_at=at, kind=kind.value, text=redact(text), payment_id=payment_id, attempt_id=attempt_id)
    session.add(finding)
    session.flush()
    notices.put(
        session, NoticeKind.FINDING, number_of(finding), Audience.OPERATOR, at, f"{text} {where_to_look(payment_id)}"
    )


def close_findings_of_owner(
    session: Session, kind: FindingKind, owner_id: int, by: str, at: datetime, reason: str
) -> None:
    """Say that a person has dealt with everything of the kind that did not fit about an owner's payments."""
    of_owner = select(Payment.id).where(Payment.owner_id == owner_id)
    which = select(Finding).where(col(Finding.kind) == kind.value, col(Finding.payment_id).in_(of_owner))
    _close(session, which, by, at, reason)


def is_contradicted(session: Session, attempt_id: int) -> bool:
    """Whether something contradicts what is known about the attempt, and nobody has ruled on it."""
    query = select(Finding.id).where(
        col(Finding.attempt_id) == attempt_id, col(Finding.kind).in_(CONTRARY), col(Finding.closed_at).is_(None)
    )
    return session.exec(query).first() is not None


def close_findings(session: Session, attempt_id: int, by: str, at: datetime, reason: str) -> None:
    """Say that a person has dealt with what did not fit about an attempt."""
    _close(session, select(Finding).where(col(Finding.attempt_id) == attempt_id), by, at, reason)


def _close(session: Session, which: SelectOfScalar[Finding], by: str, at: datetime, reason: str) -> None:
    for finding in session.exec(which.where(col(Finding.closed_at).is_(None)).order_by(col(Finding.id))):
        finding.closed_by, finding.closed_at, finding.closed_reason = by, at, reason
        session.add(finding)
    session.flush()
