"""The journal and the tables, page by page, and what the journal makes of the tables, for a verification.

What was derived waits in a temporary file, so that memory stays flat however long the journal is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping

from rentpay_cli.core.journal import WATCHED, Columns, Entry
from rentpay_cli.store.predicates import DAYS_THAT_DIFFER
from rentpay_cli.store.readonly import Reader, Row

PAGE = 2_000
BODIES_PAGE = 200
ROWS_IN_HAND = 20_000


class Derived:
    """Rows as the journal tells them: told again, a column becomes what it was told last."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)  # SQLite's own temporary file, deleted when it is closed
        self._file.execute("PRAGMA journal_mode=OFF")
        self._file.execute("PRAGMA cache_size=-32000")
        self._file.execute(
            "CREATE TABLE told (kind TEXT, number INTEGER, columns TEXT, PRIMARY KEY (kind, number)) WITHOUT ROWID"
        )
        self._in_hand: dict[tuple[str, int], Columns] = {}

    def tell(self, table: str, number: int, columns: Mapping[str, str | int | None]) -> None:
        """Let columns of a row be these from now on."""
        self._in_hand.setdefault((table, number), {}).update(columns)
        if len(self._in_hand) >= ROWS_IN_HAND:
            self._put_down()

    def _put_down(self) -> None:
        if not self._in_hand:
            return
        rows = [(*row, json.dumps(columns)) for row, columns in sorted(self._in_hand.items(), key=lambda item: item[0])]
        self._file.execute("BEGIN")
        self._file.executemany(
            "INSERT INTO told VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET columns = json_patch(columns, excluded.columns)",
            rows,
        )
        self._file.execute("COMMIT")
        self._in_hand.clear()

    def rows(self, table: str) -> Iterator[tuple[int, Columns]]:
        """The rows of a table as they were told, by number."""
        self._put_down()
        query = "SELECT number, columns FROM told WHERE kind = ? ORDER BY number"
        for number, columns in self._file.execute(query, (table,)):
            yield number, json.loads(columns)

    def row(self, table: str, number: int) -> Columns:
        """One row as it was told; it has no columns if it was not told."""
        self._put_down()
        found = self._file.execute("SELECT columns FROM told WHERE kind = ? AND number = ?", (table, number)).fetchone()
        return {} if found is None else dict(json.loads(found[0]))

    def close(self) -> None:
        """Forget everything."""
        self._file.close()


def entries(reader: Reader) -> Iterator[Entry]:
    """Every entry of the journal, oldest first."""
    last = -(2**62)
    query = "SELECT * FROM journal WHERE id > :last ORDER BY id LIMIT :page"
    while page := [Entry(**row) for row in reader.rows(query, last=last, page=PAGE)]:
        yield from page
        last = page[-1].id


def head(reader: Reader) -> Entry | None:
    """The newest entry of the journal."""
    row = reader.one("SELECT * FROM journal ORDER BY id DESC LIMIT 1")
    return Entry(**row) if row else None


def table_rows(reader: Reader, table: str) -> Iterator[Row]:
    """Every row of a watched table, with the columns that the journal answers for, by number."""
    assert table in WATCHED
    last, size = -(2**62), BODIES_PAGE if table == "inbox" else PAGE
    query = f"SELECT id, {', '.join(WATCHED[table])} FROM {table} WHERE id > :last ORDER BY id LIMIT :page"
    while page := list(reader.rows(query, last=last, page=size)):
        yield from page
        last = page[-1]["id"]


def size(reader: Reader) -> int:
    """How many entries and rows a verification reads."""
    counts = (f"(SELECT count(*) FROM {table})" for table in ("journal", *WATCHED))
    row = reader.one(f"SELECT {' + '.join(counts)} AS n")
    return int(row["n"]) if row else 0


def day_that_differs(reader: Reader) -> int | None:
    """The first day whose kept sums are not the sums over its disbursements, or None."""
    row = reader.one(f"{DAYS_THAT_DIFFER} ORDER BY day LIMIT 1")
    return None if row is None else int(row["day"])
