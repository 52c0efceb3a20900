"""What the database remembers by name in the table `setting`: moments, counts, and how runs ended."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

_READ = text("SELECT value FROM setting WHERE name = :name")
_KEEP = text(
    "INSERT INTO setting (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def read(session: Session, name: str) -> str | None:
    """What is remembered under the name."""
    found: str | None = session.execute(_READ, {"name": name}).scalar()
    return found


def keep(session: Session, name: str, value: object) -> None:
    """Remember this under the name from now on."""
    session.execute(_KEEP, {"name": name, "value": str(value)})
