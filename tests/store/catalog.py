"""The rules that a database holds, by what it tells of them itself, and which of them it says it refused something by.

A rule is named by its kind and its name: `check payable_share`, `trigger payable_fixed`, `index one_share`,
`unique money_in.receipt`, `key payable`, `reference payable.owner_id`, `not null payable.kind`; `deed taken_back` is a
trigger that does something, and refuses nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

ALEMBIC = "alembic_version"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what the database says when it refuses something by it, and the statement that takes it away."""

    table: str
    says: str
    removal: str | None
    """None where SQLite can only make the table anew."""


Catalog = dict[str, Rule]


def read(connection: Connection) -> Catalog:
    """All rules of a database."""
    return _sqlite(connection) if connection.dialect.name == "sqlite" else _postgresql(connection)


def said(error: DBAPIError) -> str:
    """What the database says when it refuses something, in the words of `Rule.says`."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is None:
        return str(error.orig)
    if diagnosis.sqlstate == "23502":
        return f"{diagnosis.table_name}.{diagnosis.column_name}"
    function = re.match(r"PL/pgSQL function (\w+)\(\)", diagnosis.context or "")
    if diagnosis.sqlstate == "23000" and function:
        return function[1]
    return str(diagnosis.constraint_name or diagnosis.message_primary)


# --- SQLite ----------------------------------------------------------------------------------------------------------

_NO_CHECKS, _NO_REFERENCES = "PRAGMA ignore_check_constraints = ON", "PRAGMA defer_foreign_keys = ON"


def _sqlite(connection: Connection) -> Catalog:
    run = connection.exec_driver_sql
    found: Catalog = {}
    for kind, name, table, sql in run("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        if kind == "trigger":
            raised = re.search(r"RAISE\(ABORT, '([^']*)'\)", sql)
            rule = Rule(table, raised[1] if raised else "", f"DROP TRIGGER {name}")
            found[f"{'trigger' if raised else 'deed'} {name}"] = rule
        elif kind == "index" and sql.startswith("CREATE UNIQUE"):
            found[f"index {name}"] = Rule(table, _unique(connection, table, name), f"DROP INDEX {name}")
        elif kind == "table" and name != ALEMBIC:
            found |= _of_table(connection, name, sql)
    return found


def _of_table(connection: Connection, table: str, sql: str) -> Catalog:
    run = connection.exec_driver_sql
    checks = re.findall(r'CONSTRAINT\s+"?(\w+)"?\s+CHECK', sql)
    assert len(re.findall(r"\bCHECK\b", sql, re.IGNORECASE)) == len(checks), f"{table} has a CHECK without a name"
    found = {f"check {name}": Rule(table, f"CHECK constraint failed: {name}", _NO_CHECKS) for name in checks}
    for _, column, _, not_null, _, is_key in run(f"PRAGMA table_info({table})").all():
        if is_key:
            found[f"key {table}"] = Rule(table, f"UNIQUE constraint failed: {table}.{column}", None)
        elif not_null:
            found[f"not null {table}.{column}"] = Rule(table, f"NOT NULL constraint failed: {table}.{column}", None)
    for _, name, _, origin, _ in run(f"PRAGMA index_list({table})").all():
        if origin == "u":
            says = _unique(connection, table, name)
            found[f"unique {says.removeprefix('UNIQUE constraint failed: ')}"] = Rule(table, says, None)
    for row in run(f"PRAGMA foreign_key_list({table})").all():
        found[f"reference {table}.{row[3]}"] = Rule(table, "FOREIGN KEY constraint failed", _NO_REFERENCES)
    return found


def _unique(connection: Connection, table: str, index: str) -> str:
    columns = [row[2] for row in connection.exec_driver_sql(f"PRAGMA index_info({index})").all()]
    return f"UNIQUE constraint failed: {', '.join(f'{table}.{column}' for column in columns)}"


# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_CONSTRAINTS = """
SELECT c.contype::text, c.conname, t.relname,
       (SELECT string_agg(t.relname || '.' || a.attname, ', ' ORDER BY k.place)
          FROM unnest(c.conkey) WITH ORDINALITY AS k(number, place)
          JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number)
  FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
 WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('c', 'f', 'p', 'u')
"""
_INDEXES = """
SELECT i.relname, t.relname
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
 WHERE t.relnamespace = 'public'::regnamespace AND x.indisunique
   AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.oid)
"""
_TRIGGERS = """
SELECT g.tgname, t.relname, p.proname, p.prosrc LIKE '%%RAISE EXCEPTION%%'
  FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid JOIN pg_proc p ON p.oid = g.tgfoid
 WHERE NOT g.tgisinternal AND t.relnamespace = 'public'::regnamespace
"""
_NOT_NULL = """
SELECT t.relname, a.attname FROM pg_attribute a JOIN pg_class t ON t.oid = a.attrelid
 WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r' AND a.attnum > 0 AND a.attnotnull
   AND NOT EXISTS (SELECT 1 FROM pg_constraint c
                    WHERE c.conrelid = t.oid AND c.contype = 'p' AND a.attnum = ANY(c.conkey))
"""


def _postgresql(connection: Connection) -> Catalog:
    run = connection.exec_driver_sql
    found: Catalog = {}
    for kind, name, table, columns in run(_CONSTRAINTS):
        known = {"c": f"check {name}", "f": f"reference {columns}", "p": f"key {table}", "u": f"unique {columns}"}
        found[known[kind]] = Rule(table, name, f"ALTER TABLE {table} DROP CONSTRAINT {name} CASCADE")
    for name, table in run(_INDEXES):
        found[f"index {name}"] = Rule(table, name, f"DROP INDEX {name}")
    for name, table, function, refuses in run(_TRIGGERS):
        kind = "trigger" if refuses else "deed"
        found[f"{kind} {name}"] = Rule(table, function, f"DROP TRIGGER {name} ON {table}")
    for table, column in run(_NOT_NULL):
        dropped = f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"
        found[f"not null {table}.{column}"] = Rule(table, f"{table}.{column}", dropped)
    return {name: rule for name, rule in found.items() if rule.table != ALEMBIC}
