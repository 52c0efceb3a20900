"""What sending sessions leave for those that come later: how often they were braked, and with which credential."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from rentpay_cli.core.brake import Brake
from rentpay_cli.core.clock import from_milliseconds, to_milliseconds

_READ = text("SELECT value FROM setting WHERE name = :name")
_WRITE = text(
    "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def read(session: Session) -> Brake:
    """How often runs were braked, and when for the last time."""
    return Brake.read(session.execute(_READ, {"name": "payout_brake"}).scalar())


def write(session: Session, brake: Brake) -> None:
    """Write down that a run was braked."""
    session.execute(_WRITE, {"name": "payout_brake", "value": brake.written()})


def credential_since(session: Session, digest: str, at: datetime) -> datetime | None:
    """Since when payouts from this database use the credential with this digest: now, if it was another before.

    None means that it was never another.
    """
    value = session.execute(_READ, {"name": "payout_credential"}).scalar()
    known, _, since = (value or "").partition(" ")
    if known == digest:
        return from_milliseconds(int(since)) if since else None
    written = f"{digest} {to_milliseconds(at)}" if known else digest
    session.execute(_WRITE, {"name": "payout_credential", "value": written})
    return at if known else None
