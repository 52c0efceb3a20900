"""Single rows: read under a lock, added, and moved on from the state in which they were seen.

The statements are built once, because to build one costs SQLAlchemy several times what it costs to run it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Select, bindparam, insert, select, update
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql import Executable
from sqlmodel import Session, SQLModel

from rentpay_cli.store import chain
from rentpay_cli.store.tables import (
    Attempt,
    Disbursement,
    DisbursementMember,
    MoneyIn,
    Payable,
    Payment,
    PayoutRun,
    Refund,
)

Row = TypeVar("Row", Attempt, Disbursement, DisbursementMember, MoneyIn, Payable, Payment, PayoutRun, Refund)


class StaleWrite(Exception):
    """Somebody else changed the row between our reading and our writing; read again and decide anew."""


def locking(query: Select[Any], *, skip_locked: bool = False, of: Sequence[Any] | None = None) -> Executable:
    """The query, for rows that will be changed: as they are now, and locked until the transaction ends.

    On PostgreSQL the lock is weaker than FOR UPDATE, which would deadlock with the rows of the journal that refer to
    it. Locks are taken in the order attempt to collect, payment, attempt to pay out, disbursement, owner, payables.
    """
    query = query.with_for_update(key_share=True, skip_locked=skip_locked, of=of)
    return query.execution_options(populate_existing=True)


class Numbered(Protocol):
    """A row of a table whose rows the database numbers."""

    id: int | None


def number_of(row: Numbered) -> int:
    """The number of a row that is in the database: only one that is not there yet has none."""
    assert row.id is not None
    return row.id


class Rows(Generic[Row]):
    """One table, whose rows may have a life: a column that says in which state they are."""

    def __init__(self, model: type[Row], state: str = "id") -> None:
        self._name, self._state = str(model.__tablename__), state
        table = SQLModel.metadata.tables[self._name]
        self._by_number = locking(select(model).where(table.c.id == bindparam("row_id")))
        self._by_numbers = locking(select(model).where(table.c.id.in_(bindparam("row_ids", expanding=True))))
        self._insert = insert(table).returning(table.c.id)
        self._move = update(table).where(table.c.id == bindparam("row_id"), table.c[state] == bindparam("seen_in"))

    def get(self, session: Session, number: int) -> Row | None:
        """The row with this number, locked until the transaction ends."""
        found: Row | None = session.info.get((self._name, number))
        return found or session.execute(self._by_number, {"row_id": number}).scalar()

    def lock(self, session: Session, numbers: Sequence[int]) -> None:
        """Lock the rows with these numbers, all at once; whoever gets one in this transaction need not ask again."""
        if numbers:
            rows = session.execute(self._by_numbers, {"row_ids": numbers}).scalars()
            session.info.update({(self._name, row.id): row for row in rows})

    def add(self, session: Session, columns: Mapping[str, Any]) -> int:
        """Add a row with these columns; its number."""
        session.flush()  # SQLAlchemy 2.0 does not do it by itself before a statement that names a table
        number = int(session.execute(self._insert, columns).scalar_one())
        chain.changed(session, self._name, number, columns)
        return number

    def advance(self, session: Session, number: int, seen: str, columns: Mapping[str, Any]) -> None:
        """Change a row that is still in the state `seen`; raises `StaleWrite` if it is no longer there."""
        session.flush()  # as above
        changed = session.execute(self._move, {"row_id": number, "seen_in": seen, **columns})
        if changed.rowcount != 1:  # type: ignore[attr-defined]
            raise StaleWrite(f"{self._name} {number} is no longer {seen}")
        chain.changed(session, self._name, number, columns)

    def move(self, session: Session, row: Row, columns: Mapping[str, Any]) -> None:
        """As `advance`, for a row that we have read; it then is as it was written."""
        self.advance(session, number_of(row), getattr(row, self._state), columns)
        for name, value in columns.items():
            set_committed_value(row, name, value)
