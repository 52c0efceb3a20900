"""The inbox: every callback as it came, stored before it is answered, and marked once it is understood.

A body is stored as the bytes that came, but for a security credential in it, which is blanked; the journal says in
which callbacks one was. What is shown of a body is redacted where it is shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import BindParameter, bindparam, insert, text, union_all, update
from sqlmodel import Session, SQLModel, col, select

from rentpay_cli.core.blank import without_credential
from rentpay_cli.core.callbacks import CallbackState
from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.core.redact import redact
from rentpay_cli.store import chain, journal, signs
from rentpay_cli.store.attempts import token_sha256
from rentpay_cli.store.engine import Database
from rentpay_cli.store.rows import number_of
from rentpay_cli.store.tables import InboxItem

STRANGERS_BUDGET_BYTES = 16 * 1024 * 1024
"""What the bodies whose address carries no token of ours may take up together, so that a flood cannot fill the disk."""
ROW_BYTES = 512
"""What a row takes up besides its body, about."""

Arrival: TypeAlias = tuple[str, str | None, str | None, bytes]
"""Which address, the token in it, the source address, the body."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one callback, and in words."""

    item_id: int
    state: CallbackState
    outcome: str
    payment_id: int | None = None
    news: bool = False


def append(database: Database, arrivals: Sequence[Arrival], at: datetime) -> None:
    """Store callbacks durably, all in one transaction.

    Whoever knows no token of ours can be nobody that we asked: of such a callback the same body is only counted, and
    beyond their budget they all are. What carries a token of ours is always stored.
    """
    rows = [_row(*arrival, at) for arrival in arrivals]
    with database.transaction() as session:
        ours = _ours(session, {row["token_sha256"] for row in rows if row["token_sha256"]})
        expected = [row for row in rows if row["token_sha256"] in ours]
        stored = [*zip(_insert(session, expected), expected, strict=True)] if expected else []
        strangers = [row for row in rows if row["token_sha256"] not in ours]
        if strangers:
            stored += _append_strangers(session, strangers, at)
        for number, row in stored:
            chain.changed(session, "inbox", number, row)
        if stored:
            blanked = [number for number, row in stored if row[_HAD_CREDENTIAL]]
            journal.write(session, at, "listener", "callbacks received", credential_blanked=blanked or None)


def _row(path: str, token: str | None, source_ip: str | None, body: bytes, at: datetime) -> dict[str, Any]:
    """The columns of a callback, and whether there was a credential in it."""
    kept = without_credential(body)
    return {
        "path": path,
        "token_sha256": token_sha256(token) if token else None,
        "source_ip": source_ip,
        "body": kept,
        "body_bytes": len(kept),
        "received_at": at,
        "state": CallbackState.NEW.value,
        _HAD_CREDENTIAL: kept is not body,
    }


_HAD_CREDENTIAL = "had credential"


_ATTEMPT_TOKEN = SQLModel.metadata.tables["attempt"].c.token_sha256
_ENQUIRY_TOKEN = SQLModel.metadata.tables["enquiry"].c.token_sha256
_AMONG: BindParameter[Any] = bindparam("digests", expanding=True)
_OURS = union_all(
    select(_ATTEMPT_TOKEN).where(_ATTEMPT_TOKEN.in_(_AMONG)), select(_ENQUIRY_TOKEN).where(_ENQUIRY_TOKEN.in_(_AMONG))
)


def _ours(session: Session, digests: set[str]) -> set[str]:
    """Which of the tokens are those of an attempt or of a question of ours."""
    return set(session.execute(_OURS, {"digests": list(digests)}).scalars()) if digests else set()


_INSERT_EACH = insert(InboxItem).returning(col(InboxItem.id), sort_by_parameter_order=True)
_INSERT_ALL = "INSERT INTO inbox (path, token_sha256, source_ip, body, body_bytes, copies, received_at, state) VALUES "
_VALUES = "(?, ?, ?, ?, ?, 1, ?, 'new')"


def _insert(session: Session, rows: list[dict[str, Any]]) -> Iterable[Any]:
    """Store the callbacks; their numbers, in the same order."""
    if session.get_bind().dialect.name == "postgresql":
        columns = [{name: value for name, value in row.items() if name != _HAD_CREDENTIAL} for row in rows]
        return session.scalars(_INSERT_EACH, columns)
    last = session.connection().exec_driver_sql(*_insert_all(rows)).lastrowid
    return range(last - len(rows) + 1, last + 1)


def _insert_all(rows: list[dict[str, Any]]) -> tuple[str, tuple[Any, ...]]:
    """One statement for SQLite, and its values; it numbers the rows one by one.

    SQLAlchemy's own for many rows takes as long as all the rest of storing them.
    """
    values: list[Any] = []
    for row in rows:
        values += row["path"], row["token_sha256"], row["source_ip"], row["body"], row["body_bytes"]
        values.append(to_milliseconds(row["received_at"]))
    return _INSERT_ALL + ", ".join([_VALUES] * len(rows)), tuple(values)


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


def _append_strangers(session: Session, rows: list[dict[str, Any]], at: datetime) -> list[tuple[int, dict[str, Any]]]:
    """Store what is new among callbacks of strangers, count the rest; the number of each that is stored."""
    left = STRANGERS_BUDGET_BYTES - int(session.execute(_TAKEN, {"row_bytes": ROW_BYTES}).scalar_one())
    stored, refused = [], 0
    for row in rows:
        digest = hashlib.sha256(row["body"]).hexdigest()
        size = row["body_bytes"] + ROW_BYTES
        if size <= left:
            values = row | {"stranger_sha256": digest, "received_at": to_milliseconds(at)}
            number, copies = session.execute(_STRANGER, values).one()
            if copies == 1:
                stored.append((number, row))
            left -= size
        elif not session.execute(  # type: ignore[attr-defined]
            _KNOWN, {"digest": digest, "path": row["path"], "at": to_milliseconds(at)}
        ).rowcount:
            refused += 1
    if refused:
        signs.note_refused(session, refused, at)
    return stored


_INBOX = SQLModel.metadata.tables["inbox"]
_NEW = select(InboxItem).where(text("inbox.state = 'new'"))  # as the index has it, so that it is used
_CLAIM = _NEW.where(_INBOX.c.id == bindparam("item_id")).with_for_update(key_share=True, skip_locked=True)
_CLAIM_OLDEST = (
    _NEW.where(_INBOX.c.id > bindparam("after"))
    .order_by(_INBOX.c.id)
    .limit(bindparam("count"))
    .with_for_update(key_share=True, skip_locked=True)
)
_MARK = update(_INBOX).where(_INBOX.c.id == bindparam("item_id"))


TOGETHER = 5


def together(database: Database) -> int:
    """How many callbacks may share a transaction.

    On SQLite few, so that the listener soon has its turn, and enough that the commits are not most of it. On PostgreSQL
    one: whoever holds the rows of some payments and waits for those of another could wait for somebody who waits for
    him.
    """
    return TOGETHER if database.is_sqlite else 1


def claim_unread(session: Session, count: int, after: int = 0) -> list[InboxItem]:
    """The oldest callbacks that nobody has read yet, ours until the transaction ends; not those of another worker."""
    return list(session.execute(_CLAIM_OLDEST, {"count": count, "after": after}).scalars())


def claim(session: Session, item_id: int) -> InboxItem | None:
    """The unread callback, ours until the transaction ends; None if another worker has it or has read it."""
    found: InboxItem | None = session.execute(_CLAIM, {"item_id": item_id}).scalar()
    return found


def find(session: Session, item_id: int) -> InboxItem | None:
    """The callback in whatever state, locked until the transaction ends; None if there is no such."""
    query = select(InboxItem).where(InboxItem.id == item_id).with_for_update(key_share=True)
    return session.exec(query).first()


def release(session: Session, item: InboxItem) -> None:
    """Let a callback be read again, as if nobody had read it."""
    item.state, item.outcome, item.read_at = CallbackState.NEW.value, None, None
    session.add(item)


_HELD_BY_TOKEN = (
    select(InboxItem)
    .where(text("inbox.state = 'held'"), col(InboxItem.token_sha256) == bindparam("digest"))
    .order_by(col(InboxItem.id))
)


_OPEN_BY_TOKEN = select(InboxItem.state).where(
    text("inbox.state IN ('new','held')"), col(InboxItem.token_sha256) == bindparam("digest")
)


def open_about(session: Session, token_sha256: str) -> set[CallbackState]:
    """In which states callbacks to an address are that nobody has understood yet: `new`, `held`."""
    return {CallbackState(state) for state in session.execute(_OPEN_BY_TOKEN, {"digest": token_sha256}).scalars()}


def settle_held(session: Session, token_sha256: str, outcome: str, payment_id: int | None, at: datetime) -> None:
    """Mark what is held of the callbacks to an address as read: a person has ruled on what they are about."""
    held = session.execute(_HELD_BY_TOKEN, {"digest": token_sha256}).scalars().all()
    if held:
        mark(session, [Reading(number_of(item), CallbackState.READ, outcome, payment_id) for item in held], at)


def mark(session: Session, readings: Sequence[Reading], at: datetime) -> list[Reading]:
    """Write down what became of callbacks, here and in the journal; the same, without what may not be written."""
    readings = [replace(each, outcome=redact(each.outcome)) for each in readings]  # it may be the body's own words
    marks = [
        {"state": each.state.value, "outcome": each.outcome, "read_at": at, "payment_id": each.payment_id}
        for each in readings
    ]
    session.execute(_MARK, [{"item_id": each.item_id, **mark} for each, mark in zip(readings, marks, strict=True)])
    for each, mark in zip(readings, marks, strict=True):
        chain.changed(session, "inbox", each.item_id, mark)
        journal.write(
            session,
            at,
            "listener",
            f"callback {each.state}",
            payment_id=each.payment_id,
            callback=each.item_id,
            reason=each.outcome,
        )
    return readings
