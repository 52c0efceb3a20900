"""The invariants, looked at on the driver whatever the database is: once a test has ended, and once all is calm."""

from __future__ import annotations

from contextlib import closing

from rentpay_cli.store import readonly
from rentpay_cli.store.read.invariants import breaches


def broken(url: str) -> list[str]:
    """What is broken in the database, in a sentence each; nothing of a file that is not there."""
    reader = readonly.open_unchecked(url)
    if reader is None:
        return []
    with closing(reader):
        return [str(breach) for breach in breaches(reader)]


def assert_nothing_is_broken(url: str) -> None:
    """Raise `AssertionError` with all that is broken."""
    found = broken(url)
    assert found == [], found
