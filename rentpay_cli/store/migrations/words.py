"""Let a column say more words than its CHECK allows so far.

SQLite cannot change a CHECK. The table is made anew under another name, its rows are copied by the names of their
columns, and it takes the old one's name, indexes and triggers. `schema.create_or_upgrade` has told SQLite before to
leave alone what refers to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import Connection


def widen(connection: Connection, table: str, check: str, column: str, words: Sequence[str]) -> None:
    """Let the CHECK with this name allow these words, among them all that it allowed; raises `ValueError` otherwise."""
    allowed = ",".join(f"'{word}'" for word in words)
    condition = f"{column} IN ({allowed})"
    if connection.dialect.name == "sqlite":
        sql = _definition(connection, table)
        _rebuild(connection, table, _with_check(sql, check, condition, words))
        return
    (old,) = connection.exec_driver_sql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE conname = '{check}' AND conrelid = '{table}'::regclass"
    ).one()
    _refuse_narrower(check, old, words)
    connection.exec_driver_sql(
        f"ALTER TABLE {table} DROP CONSTRAINT {check}, ADD CONSTRAINT {check} CHECK ({condition}) NOT VALID"
    )
    connection.exec_driver_sql(f"ALTER TABLE {table} VALIDATE CONSTRAINT {check}")


def _definition(connection: Connection, table: str) -> str:
    (sql,) = connection.exec_driver_sql(
        f"SELECT sql FROM sqlite_master WHERE type = 'table' AND name = '{table}'"
    ).one()
    return str(sql)


def _with_check(sql: str, check: str, condition: str, words: Sequence[str]) -> str:
    """The definition of a table with another condition in one of its CHECKs, which must be a list of words."""
    found = re.search(rf"""(CONSTRAINT\s+"?{check}"?\s+CHECK\s*)\(\s*"?\w+"?\s+IN\s*(\([^()]*\))\s*\)""", sql)
    if found is None:
        raise ValueError(f"{check} is no list of words.")
    _refuse_narrower(check, found[2], words)
    return f"{sql[: found.start()]}{found[1]}({condition}){sql[found.end() :]}"


def _refuse_narrower(check: str, old: str, words: Sequence[str]) -> None:
    gone = {*re.findall("'([^']*)'", old)} - {*words}
    if gone:
        raise ValueError(f"{check} would not allow {', '.join(sorted(gone))} any more.")


def _rebuild(connection: Connection, table: str, definition: str) -> None:
    """Give a table another definition, with the same columns; all that is in it and on it stays as it is."""
    run = connection.exec_driver_sql
    on = run(
        f"SELECT type, name, sql FROM sqlite_master WHERE tbl_name = '{table}' AND type <> 'table' AND sql IS NOT NULL"
        " ORDER BY rowid"
    ).all()
    new = f"{table}_anew"
    names = ", ".join(f'"{name}"' for (name,) in run(f"SELECT name FROM pragma_table_info('{table}') ORDER BY cid"))
    for kind, name, _ in on:
        if kind == "trigger":
            run(f'DROP TRIGGER "{name}"')
    run(re.sub(rf'^CREATE TABLE\s+"?{table}"?', f"CREATE TABLE {new}", definition, count=1))
    run(f"INSERT INTO {new} ({names}) SELECT {names} FROM {table} ORDER BY rowid")
    if "AUTOINCREMENT" in definition.upper():  # numbers that were given once are not given again
        run(
            f"UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = '{table}')"
            f" WHERE name = '{new}'"
        )
    run(f"DROP TABLE {table}")
    run(f"ALTER TABLE {new} RENAME TO {table}")
    for _, _, sql in on:
        run(sql)
