"""The inbox: every callback as it came, stored before it is answered, and marked once it is understood."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import insert
from sqlmodel import Session, col, select

from rentpay_cli.core.redact import body_without_secrets, redact
from rentpay_cli.store.attempts import token_sha256
from rentpay_cli.store.tables import InboxItem

if TYPE_CHECKING:
    from rentpay_cli.store.engine import Database


def append(database: Database, arrivals: Sequence[tuple[str, str | None, str | None, bytes]], at: datetime) -> None:
    """Store callbacks (path, token, source address, body) durably, all in one transaction."""
    rows = [
        {
            "path": path,
            "token_sha256": token_sha256(token) if token else None,
            "source_ip": source_ip,
            "body": body_without_secrets(body),
            "received_at": at,
            "state": "new",
        }
        for path, token, source_ip, body in arrivals
    ]
    with database.transaction() as session:
        session.execute(insert(InboxItem), rows)


def unread(session: Session, limit: int) -> list[int]:
    """Numbers of callbacks that nobody has read yet, oldest first."""
    query = select(InboxItem.id).where(InboxItem.state == "new").order_by(col(InboxItem.id)).limit(limit)
    return [number for number in session.exec(query) if number is not None]


def claim(session: Session, item_id: int) -> InboxItem | None:
    """The unread callback, ours until the transaction ends; None if another worker has it or has read it."""
    query = (
        select(InboxItem)
        .where(InboxItem.id == item_id, InboxItem.state == "new")
        .with_for_update(key_share=True, skip_locked=True)
    )
    return session.exec(query).first()


def find(session: Session, item_id: int) -> InboxItem | None:
    """The callback in whatever state, locked until the transaction ends; None if there is no such."""
    query = select(InboxItem).where(InboxItem.id == item_id).with_for_update(key_share=True)
    return session.exec(query).first()


def release(session: Session, item: InboxItem) -> None:
    """Let a callback be read again, as if nobody had read it."""
    item.state, item.outcome, item.read_at = "new", None, None
    session.add(item)


def mark(session: Session, item: InboxItem, state: str, outcome: str, at: datetime, payment_id: int | None) -> None:
    """Write down what became of a callback: `read` or `held`."""
    item.state = state
    item.outcome = redact(outcome)
    item.read_at = at
    item.payment_id = payment_id
    session.add(item)
