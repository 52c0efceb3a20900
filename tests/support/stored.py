"""Stored databases of older revisions, put into a database of either kind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from rentpay_cli.store import fingerprint, schema
from rentpay_cli.store.engine import Database, prepare_sqlite_file, sqlite_path
from rentpay_cli.store.fingerprint import Shape, Told
from tests.support.databases import connect

FIXTURES = Path(__file__).parents[1] / "store" / "fixtures"
Table = dict[str, list[dict[str, Any]]]


def revisions() -> list[str]:
    """Those of which a database is stored."""
    return sorted(path.stem for path in FIXTURES.glob("*.sql"))


def put_stored(url: str, revision: str) -> None:
    """Let an empty place hold the stored database of a revision.

    PostgreSQL runs the revisions and is given the same rows, with its own lines about its schema.
    """
    if url.startswith("sqlite"):
        prepare_sqlite_file(sqlite_path(url))
        _read_in(sqlite_path(url), revision).close()
        return
    made = _made(url, revision)
    with connect(url) as database:
        database.execute("SET session_replication_role = replica")  # as it was, whatever triggers and keys say
        for table, content in _rows_of(revision).items():
            database.execute(f"DELETE FROM {table}".encode())
            for row in content:
                names, places = ", ".join(row), ", ".join(["%s"] * len(row))
                database.execute(f"INSERT INTO {table} ({names}) VALUES ({places})".encode(), [*row.values()])
            if content and "id" in content[0]:
                sequence = f"pg_get_serial_sequence('{table}', 'id')"
                database.execute(f"SELECT setval({sequence}, (SELECT max(id) FROM {table}))".encode())
        database.execute("UPDATE setting SET value = %s WHERE name = 'schema'", [made])


def _made(url: str, revision: str) -> str:
    """Run the revisions up to this one, and return what the database remembers of its schema then."""
    database = Database(url)
    with database.engine.connect() as connection, connection.begin():
        schema.run_revisions(connection, revision)
        made = f"{fingerprint.digest(shape_of(connection))}\n{fingerprint.written(told_by(connection))}"
    database.close()
    return made


def told_by(connection: Connection) -> Told:
    """What a database tells of itself."""
    is_sqlite = connection.dialect.name == "sqlite"
    return fingerprint.read(lambda sql: [*connection.exec_driver_sql(sql).mappings()], is_sqlite=is_sqlite)


def shape_of(connection: Connection) -> Shape:
    """What a database is made of."""
    return fingerprint.shape(told_by(connection), is_sqlite=connection.dialect.name == "sqlite")


def _read_in(path: Path | str, revision: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path)
    connection.executescript((FIXTURES / f"{revision}.sql").read_text(encoding="utf-8"))
    connection.row_factory = sqlite3.Row
    return connection


def _rows_of(revision: str) -> Table:
    with closing(_read_in(":memory:", revision)) as connection:
        return all_rows(connection)


def all_rows(connection: sqlite3.Connection) -> Table:
    """Every row of every table."""
    named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
    return {
        name: [dict(row) for row in connection.execute(f"SELECT * FROM {name} ORDER BY rowid")]
        for (name,) in named
        if not name.startswith("sqlite_")
    }
