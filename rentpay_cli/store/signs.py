"""Signs: what a process leaves in the database so that others can see that it works, or what it turned away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from rentpay_cli.core.clock import to_milliseconds

_WORKER_ALIVE = text(
    "INSERT INTO setting (name, value) VALUES ('worker_alive_at', :value)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def prove_writable(session: Session) -> None:
    """Write something that changes nothing, which a database that can only be read refuses."""
    session.execute(text("UPDATE setting SET value = value WHERE name = 'environment'"))


def note_worker_alive(session: Session, at: datetime) -> None:
    """Write down that a worker finished a round at this moment."""
    session.execute(_WORKER_ALIVE, {"value": str(to_milliseconds(at))})


_REFUSED = text(
    "INSERT INTO setting (name, value) VALUES ('callbacks_refused', :count) ON CONFLICT (name) DO UPDATE"
    " SET value = CAST(CAST(setting.value AS BIGINT) + CAST(excluded.value AS BIGINT) AS TEXT)"
)
_REFUSED_AT = text(
    "INSERT INTO setting (name, value) VALUES ('callbacks_refused_at', :value)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def note_refused(session: Session, count: int, at: datetime) -> None:
    """Count callbacks of strangers that were not stored because their budget is used up."""
    session.execute(_REFUSED, {"count": str(count)})
    session.execute(_REFUSED_AT, {"value": str(to_milliseconds(at))})
