"""Signs: what a process leaves in the database so that others can see that it works, or what it turned away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from rentpay_cli.core.clock import to_milliseconds
from rentpay_cli.store import remembered


def prove_writable(session: Session) -> None:
    """Write something that changes nothing, which a database that can only be read refuses."""
    session.execute(text("UPDATE setting SET value = value WHERE name = 'environment'"))


def note_worker_alive(session: Session, at: datetime) -> None:
    """Write down that a worker finished a round at this moment."""
    remembered.keep(session, "worker_alive_at", to_milliseconds(at))


def note_backup(session: Session, at: datetime) -> None:
    """Write down that a copy of the database was made at this moment."""
    remembered.keep(session, "last_backup_at", to_milliseconds(at))


_REFUSED = text(
    "INSERT INTO setting (name, value) VALUES ('callbacks_refused', :count) ON CONFLICT (name) DO UPDATE"
    " SET value = CAST(CAST(setting.value AS BIGINT) + CAST(excluded.value AS BIGINT) AS TEXT)"
)


def note_refused(session: Session, count: int, at: datetime) -> None:
    """Count callbacks of strangers that were not stored because their budget is used up."""
    session.execute(_REFUSED, {"count": str(count)})
    remembered.keep(session, "callbacks_refused_at", to_milliseconds(at))
