"""The end of every transaction: its journal entries are numbered, chained by their hashes and written, all at once.

What a transaction does to a watched column is noticed here by itself, so that no change can be made without an entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import event, inspect, text
from sqlmodel import Session, SQLModel

from rentpay_cli.core.clock import from_milliseconds, to_milliseconds
from rentpay_cli.core.journal import BEGINNING, WATCHED, Entry, after_number, entry_hash, kept
from rentpay_cli.store.tables import (
    Access,
    Attempt,
    BalanceReading,
    DestinationChange,
    Disbursement,
    DisbursementMember,
    Enquiry,
    Finding,
    Hold,
    InboxItem,
    KnownDestination,
    MoneyIn,
    Payable,
    Payment,
    PayoutRun,
    PayoutStop,
    Property,
    Refund,
    Request,
)

_MODELS: tuple[type[SQLModel], ...] = (
    MoneyIn,
    Payment,
    Payable,
    Disbursement,
    DisbursementMember,
    Refund,
    PayoutRun,
    Hold,
    Request,
    KnownDestination,
    Attempt,
    InboxItem,
    Enquiry,
    PayoutStop,
    Property,
    DestinationChange,
    Access,
    BalanceReading,
    Finding,
)


def changed(session: Session, table: str, number: int | None, columns: Mapping[str, Any]) -> None:
    """Note what became of a row by a statement of our own; what the session writes by itself is noted unasked."""
    stated = {name: kept(value) for name, value in columns.items() if name in WATCHED[table]}
    if stated:
        _noted(session).setdefault(f"{table} {number}", {}).update(stated)


def gather(session: Session, entry: dict[str, Any], detail: Mapping[str, Any]) -> None:
    """Keep an entry for the end of the transaction, with the changes that have been made since the last one."""
    session.flush()
    changes = session.info.pop("changes", {})
    detail = {**detail, "changes": changes} if changes else detail
    session.info.setdefault("entries", []).append(entry | {"detail": dict(detail)})


_APPEND = text("SELECT journal_append(CAST(:entries AS json))")


def seal(session: Session) -> None:
    """Write what was gathered: the last thing that a transaction does before it is committed."""
    session.flush()
    entries: list[dict[str, Any]] = session.info.pop("entries", [])
    changes = session.info.pop("changes", {})
    if changes:
        _add_changes(session, entries, changes)
    if not entries:
        return
    if session.get_bind().dialect.name == "sqlite":
        _seal_on_sqlite(session.connection().exec_driver_sql, entries)
        return
    # It takes a lock that all writers share, the last of all, so that no deadlock can come of it, and holds it until
    # the commit. While the last entry was looked up from here, with the lock held, two workers spent most of their time
    # waiting for it.
    rows = [row | {"after_number": after_number(**row)} for row in map(_stored, entries)]
    session.execute(_APPEND, {"entries": json.dumps(rows)})


_HEAD = "SELECT id, hash FROM journal ORDER BY id DESC LIMIT 1"
_ADD = """
INSERT INTO journal (id, at, actor, event, payment_id, attempt_id, detail, hash)
VALUES (:id, :at, :actor, :event, :payment_id, :attempt_id, :detail, :hash)
"""


def _seal_on_sqlite(execute: Callable[..., Any], entries: Iterable[dict[str, Any]]) -> None:
    """Write the entries with their numbers and hashes."""
    last, digest = execute(_HEAD).fetchone() or (0, BEGINNING)
    rows = []
    for number, row in enumerate(map(_stored, entries), last + 1):
        digest = entry_hash(digest, Entry(id=number, **row))
        rows.append(row | {"id": number, "hash": digest})
    execute(_ADD, rows)


def _stored(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry's columns as they are stored."""
    return entry | {"at": to_milliseconds(entry["at"]), "detail": json.dumps(entry["detail"], sort_keys=True)}


_LAST_AT = text("SELECT max(at) FROM journal WHERE id = (SELECT max(id) FROM journal)")


def _add_changes(session: Session, entries: list[dict[str, Any]], changes: dict[str, Any]) -> None:
    """Let the last entry tell what was changed after it; without any, an entry of its own does."""
    if not entries:  # the moment is not known here: not before the last that is
        at = from_milliseconds(session.execute(_LAST_AT).scalar() or 0)
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
