"""The end of every transaction: its journal entries are numbered, chained by their hashes and written, all at once.

What a transaction does to a watched column is noticed here by itself, so that no change can be made without an entry.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import event, insert, inspect, select, text
from sqlmodel import Session, SQLModel

from rentpay_cli.core.clock import from_milliseconds, to_milliseconds
from rentpay_cli.core.journal import BEGINNING, WATCHED, Columns, Entry, entry_hash, kept
from rentpay_cli.store.tables import (
    Access,
    Attempt,
    BalanceReading,
    Disbursement,
    Enquiry,
    Finding,
    InboxItem,
    PaybillChange,
    Payment,
    PayoutStop,
    Property,
)

_MODELS: tuple[type[SQLModel], ...] = (
    Payment,
    Disbursement,
    Attempt,
    InboxItem,
    Enquiry,
    PayoutStop,
    Property,
    PaybillChange,
    Access,
    BalanceReading,
    Finding,
)


def changed(session: Session, table: str, number: int | None, columns: Mapping[str, Any]) -> None:
    """Note what became of a row by a statement of our own; what the session writes by itself is noted unasked."""
    stated = watched(table, columns)
    if stated:
        _noted(session).setdefault(f"{table} {number}", {}).update(stated)


def watched(table: str, columns: Mapping[str, Any]) -> Columns:
    """Those of the columns that the journal answers for, as it states them."""
    return {name: kept(value) for name, value in columns.items() if name in WATCHED[table]}


def has_changes(session: Session) -> bool:
    """Whether anything was changed since the last entry, as far as it is written."""
    return bool(session.info.get("changes"))


def gather(session: Session, entry: dict[str, Any], detail: Mapping[str, Any]) -> None:
    """Keep an entry for the end of the transaction, with the changes that have been made since the last one."""
    session.flush()
    changes = session.info.pop("changes", {})
    detail = {**detail, "changes": changes} if changes else detail
    session.info.setdefault("entries", []).append(entry | {"detail": dict(detail)})


_JOURNAL = SQLModel.metadata.tables["journal"]
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('journal'))")
_HEAD = select(_JOURNAL.c.id, _JOURNAL.c.hash, _JOURNAL.c.at).order_by(_JOURNAL.c.id.desc()).limit(1)
_ADD = insert(_JOURNAL)


def seal(session: Session) -> None:
    """Write what was gathered: the last thing that a transaction does before it is committed."""
    session.flush()
    entries: list[dict[str, Any]] = session.info.pop("entries", [])
    changes = session.info.pop("changes", {})
    if not entries and not changes:
        return
    if session.get_bind().dialect.name == "postgresql":  # the last lock of all, so that no deadlock can come of it
        session.execute(_LOCK)
    number, digest, at = session.execute(_HEAD).first() or (0, BEGINNING, None)
    if changes:
        _add_changes(entries, changes, at)
    session.execute(_ADD, _chained(number, digest, entries))


_HEAD_ON_DRIVER = "SELECT id, hash FROM journal ORDER BY id DESC LIMIT 1"
_ADD_ON_DRIVER = """
INSERT INTO journal (id, at, actor, event, payment_id, attempt_id, detail, hash)
VALUES (:id, :at, :actor, :event, :payment_id, :attempt_id, :detail, :hash)
"""


def seal_on_driver(connection: sqlite3.Connection, entry: dict[str, Any]) -> None:
    """Write the one entry of a lean transaction, which names its changes itself: the last thing before the commit."""
    number, digest = connection.execute(_HEAD_ON_DRIVER).fetchone() or (0, BEGINNING)
    [row] = _chained(number, digest, [entry])
    connection.execute(_ADD_ON_DRIVER, row | {"at": to_milliseconds(row["at"])})


def _chained(number: int, digest: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the entries that follow the one with this number and hash."""
    rows = []
    for entry in entries:
        number += 1
        row = entry | {"detail": json.dumps(entry["detail"], sort_keys=True)}
        digest = entry_hash(digest, Entry(id=number, **row | {"at": to_milliseconds(row["at"])}))
        rows.append(row | {"id": number, "hash": digest})
    return rows


def _add_changes(entries: list[dict[str, Any]], changes: dict[str, Any], last_at: datetime | None) -> None:
    """Let the last entry tell what was changed after it; without any, an entry of its own does."""
    if not entries:
        at = last_at or from_milliseconds(0)  # the moment is not known here: not before the last that is
        entries.append(
            {"at": at, "actor": "rentpay", "event": "changed", "payment_id": None, "attempt_id": None, "detail": {}}
        )
    known = entries[-1]["detail"].setdefault("changes", {})
    for row, columns in changes.items():
        known[row] = {**known.get(row, {}), **columns}


def _noted(session: Session) -> dict[str, dict[str, Any]]:
    noted: dict[str, dict[str, Any]] = session.info.setdefault("changes", {})
    return noted


def _added(_: Any, __: Any, row: Any) -> None:
    columns = {name: getattr(row, name) for name in WATCHED[row.__tablename__]}
    _note(row, {name: value for name, value in columns.items() if value is not None})


def _updated(_: Any, __: Any, row: Any) -> None:
    attributes = inspect(row).attrs
    names = [name for name in WATCHED[row.__tablename__] if attributes[name].history.has_changes()]
    _note(row, {name: getattr(row, name) for name in names})


def _note(row: Any, columns: dict[str, Any]) -> None:
    session = inspect(row).session
    assert isinstance(session, Session)  # it is being written by one
    changed(session, row.__tablename__, row.id, columns)


for _model in _MODELS:
    event.listen(_model, "after_insert", _added)
    event.listen(_model, "after_update", _updated)
