"""What changed, why, and who did it: written in the transaction that changed it; and what does not fit."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, update

from rentpay_cli.core.notices import Audience
from rentpay_cli.core.redact import redact
from rentpay_cli.store import notices
from rentpay_cli.store.tables import Finding, JournalEntry


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
    """Add an entry; its detail is kept without secrets and with phone numbers masked."""
    known = {key: value for key, value in detail.items() if value is not None}
    session.add(
        JournalEntry(
            at=at,
            actor=actor,
            event=event,
            payment_id=payment_id,
            attempt_id=attempt_id,
            detail=redact(json.dumps(known, default=str, sort_keys=True)),
        )
    )


def raise_finding(
    session: Session,
    at: datetime,
    kind: str,
    text: str,
    *,
    payment_id: int | None = None,
    attempt_id: int | None = None,
) -> None:
    """Tell a person about something that does not fit; nothing else changes by it."""
    finding = Finding(found_at=at, kind=kind, text=redact(text), payment_id=payment_id, attempt_id=attempt_id)
    session.add(finding)
    session.flush()
    command = f"rentpay status {payment_id}" if payment_id else "rentpay health"
    notices.put(session, "finding", finding.id or 0, Audience.OPERATOR, at, f"{text} {command}")


def close_findings(session: Session, attempt_id: int | None, at: datetime) -> None:
    """Say that a person has dealt with what did not fit about an attempt."""
    session.execute(
        update(Finding)
        .where(col(Finding.attempt_id) == attempt_id, col(Finding.closed_at).is_(None))
        .values(closed_at=at)
    )
