"""Somebody who has the database file, or the server's superuser, and takes every guard away before writing.

Afterwards the guards are there again, so that only rows tell of it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg

from rentpay_cli.core.journal import BEGINNING, Entry, entry_hash

ALL = "id, at, actor, event, payment_id, attempt_id, detail, hash"


def forge(url: str, *statements: str) -> None:
    """Run statements with neither triggers nor constraints in the way."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints=ON")
            guards = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in guards:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                connection.execute(statement)
            for _, sql in guards:
                connection.execute(sql)
        return
    with psycopg.connect(url.replace("+psycopg", "", 1)) as server:
        server.execute("SET session_replication_role = replica")
        for statement in statements:
            server.execute(statement.encode())


def rewrite_chain(url: str) -> None:
    """Give every entry the hash that its content asks for: what a forger does who knows how the chain is made."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            rows = connection.execute(f"SELECT {ALL} FROM journal ORDER BY id").fetchall()
    else:
        with psycopg.connect(url.replace("+psycopg", "", 1)) as server:
            rows = server.execute(f"SELECT {ALL} FROM journal ORDER BY id".encode()).fetchall()
    before, statements = BEGINNING, []
    for row in rows:
        before = entry_hash(before, Entry(*row))
        statements.append(f"UPDATE journal SET hash = '{before}' WHERE id = {row[0]}")
    forge(url, *statements)
