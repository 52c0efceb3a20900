"""The inbox: every callback as it came, stored before it is answered, and marked once it is understood."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import insert, text
from sqlmodel import Session, col, select

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.redact import body_without_secrets, redact
from rentpay_cli.store import chain, journal, signs
from rentpay_cli.store.attempts import token_sha256
from rentpay_cli.store.tables import Attempt, Enquiry, InboxItem

if TYPE_CHECKING:
    from rentpay_cli.store.engine import Database


STRANGERS_BUDGET_BYTES = 16 * 1024 * 1024
"""What the bodies whose address carries no token of ours may take up together, so that a flood cannot fill the disk."""
ROW_BYTES = 512
"""What a row takes up besides its body, about."""

Arrival: TypeAlias = tuple[str, str | None, str | None, bytes]
"""Which address, the token in it, the source address, the body."""


def append(database: Database, arrivals: Sequence[Arrival], at: datetime) -> None:
    """Store callbacks durably, all in one transaction.

    Whoever knows no token of ours can be nobody that we asked: of such a callback the same body is only counted, and
    beyond their budget they all are. What carries a token of ours is always stored.
    """
    rows: list[dict[str, Any]] = [
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
        ours = _ours(session, {row["token_sha256"] for row in rows if row["token_sha256"]})
        expected = [row | {"body_bytes": len(row["body"])} for row in rows if row["token_sha256"] in ours]
        if expected:
            insertion = insert(InboxItem).returning(col(InboxItem.id), sort_by_parameter_order=True)
            stored = session.scalars(insertion, expected)
            for number, row in zip(stored, expected, strict=True):
                chain.changed(session, "inbox", number, row)
        strangers = [row for row in rows if row["token_sha256"] not in ours]
        if strangers:
            _append_strangers(session, strangers, at)
        if chain.has_changes(session):
            journal.write(session, at, "listener", "callbacks received")


def _ours(session: Session, digests: set[str]) -> set[str]:
    """Which of the tokens are those of an attempt or of a question of ours."""
    if not digests:
        return set()
    query = select(Attempt.token_sha256).where(col(Attempt.token_sha256).in_(digests))
    found = set(session.exec(query))
    if found != digests:
        questions = select(Enquiry.token_sha256).where(col(Enquiry.token_sha256).in_(digests - found))
        found |= set(session.exec(questions))
    return found


_STRANGER = text(
    """
    INSERT INTO inbox (path, token_sha256, source_ip, body, body_bytes, stranger_sha256, copies, received_at, state)
    VALUES (:path, :token_sha256, :source_ip, :body, :body_bytes, :stranger_sha256, 1, :received_at, 'new')
    ON CONFLICT (stranger_sha256, path) DO UPDATE SET copies = inbox.copies + 1, last_copy_at = excluded.received_at
    RETURNING id, copies
    """
)
_KNOWN = text(
    "UPDATE inbox SET copies = copies + 1, last_copy_at = :at WHERE stranger_sha256 = :digest AND path = :path"
)
_TAKEN = text(
    "SELECT COALESCE(SUM(body_bytes), 0) + COUNT(*) * :row_bytes FROM inbox WHERE stranger_sha256 IS NOT NULL"
)


def _append_strangers(session: Session, rows: list[dict[str, Any]], at: datetime) -> None:
    left = STRANGERS_BUDGET_BYTES - int(session.execute(_TAKEN, {"row_bytes": ROW_BYTES}).scalar_one())
    refused = 0
    for row in rows:
        digest = hashlib.sha256(row["body"]).hexdigest()
        size = len(row["body"]) + ROW_BYTES
        if size <= left:
            values = row | {
                "stranger_sha256": digest,
                "body_bytes": len(row["body"]),
                "received_at": to_milliseconds(at),
            }
            number, copies = session.execute(_STRANGER, values).one()
            if copies == 1:
                chain.changed(session, "inbox", number, row)
            left -= size
        elif not session.execute(  # type: ignore[attr-defined]
            _KNOWN, {"digest": digest, "path": row["path"], "at": to_milliseconds(at)}
        ).rowcount:
            refused += 1
    if refused:
        signs.note_refused(session, refused, at)


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
