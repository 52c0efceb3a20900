"""Signs of life: what a process leaves in the database so that others can see that it works."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from rentpay_cli.core.clock import to_milliseconds

_WORKER_ALIVE = text(
    "INSERT INTO setting (name, value) VALUES ('worker_alive_at', :value)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def note_worker_alive(session: Session, at: datetime) -> None:
    """Write down that a worker finished a round at this moment."""
    session.execute(_WORKER_ALIVE, {"value": str(to_milliseconds(at))})
