"""Where a database is: the one place that tells SQLite from PostgreSQL by the address."""

from __future__ import annotations

from pathlib import Path


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for one on PostgreSQL."""
    return Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else None
