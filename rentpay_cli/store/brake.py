"""What sending sessions leave for those that come later: how often they were braked, and with which credential."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session

from rentpay_cli.core.brake import Brake
from rentpay_cli.core.clock import from_milliseconds, to_milliseconds
from rentpay_cli.store import remembered


def read(session: Session) -> Brake:
    """How often runs were braked, and when for the last time."""
    return Brake.read(remembered.read(session, "payout_brake"))


def write(session: Session, brake: Brake) -> None:
    """Write down that a run was braked."""
    remembered.keep(session, "payout_brake", brake.written())


def credential_since(session: Session, digest: str, at: datetime) -> datetime | None:
    """Since when payouts from this database use the credential with this digest: now, if it was another before.

    None means that it was never another.
    """
    value = remembered.read(session, "payout_credential")
    known, _, since = (value or "").partition(" ")
    if known == digest:
        return from_milliseconds(int(since)) if since else None
    written = f"{digest} {to_milliseconds(at)}" if known else digest
    remembered.keep(session, "payout_credential", written)
    return at if known else None
