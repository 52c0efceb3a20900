"""Making, checking and opening databases."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from rentpay_cli.errors import BadDatabase
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, tables
from rentpay_cli.store.engine import Database
from tests.cli.conftest import OFFLINE
from tests.support.processes import Processes


def quietly(_: str) -> None:
    """Nobody needs to hear that a database was made."""


def test_the_migrations_make_exactly_the_tables_that_the_code_describes(database_url: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    tables.tell_postgresql()
    database = Database(database_url)
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), SQLModel.metadata)
    database.close()
    assert differences == []


def test_the_tables_load_no_driver_for_postgresql() -> None:
    script = "import sys, rentpay_cli.store.engine; print([name for name in sys.modules if 'postgresql' in name])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_new_sqlite_database_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "new.db"
    made: list[str] = []
    readonly.ensure(f"sqlite:///{path}", "simulator", made.append).close()
    assert made == [f"sqlite:///{path}"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_database_is_made_once_however_many_processes_start_together(tmp_path: Path, processes: Processes) -> None:
    environment = {**OFFLINE, "RENTPAY_DATABASE_URL": f"sqlite:///{tmp_path / 'new.db'}"}
    started = [processes.start("owner", "add", "--name", f"Owner {n}", environment=environment) for n in range(6)]
    assert [each.ended().returncode for each in started] == [0] * 6, [each.err.read_text() for each in started]


def test_a_database_refuses_another_environment(database_url: str) -> None:
    with pytest.raises(BadDatabase, match="made for the simulator environment, but MPESA_ENVIRONMENT is production"):
        readonly.ensure(database_url, "production", quietly)


def test_a_database_of_a_newer_version_is_left_alone(rt: Runtime, database_url: str) -> None:
    with rt.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadDatabase, match="newer version of rentpay"):
        readonly.ensure(database_url, "simulator", quietly)


def test_a_file_that_is_no_database_is_named_in_the_error(tmp_path: Path) -> None:
    path = tmp_path / "photo.db"
    path.write_bytes(b"\xff\xd8\xff" + os.urandom(8192))
    with pytest.raises(BadDatabase, match=r"photo\.db cannot be used"):
        readonly.ensure(f"sqlite:///{path}", "simulator", quietly)
    assert path.read_bytes().startswith(b"\xff\xd8\xff")


def test_an_unreachable_server_is_a_sentence() -> None:
    with pytest.raises(BadDatabase, match="PostgreSQL database cannot be used"):
        readonly.ensure("postgresql+psycopg://nobody@127.0.0.1:1/none", "simulator", quietly)


def test_the_settings_that_keep_money_safe_took(new_sqlite: object) -> None:
    assert callable(new_sqlite)
    database = Database(new_sqlite())
    with database.transaction() as session:
        found = [session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
        found.append(session.execute(text("PRAGMA foreign_keys")).scalar())
    database.close()
    assert found == ["wal", 2, 1]


def test_a_write_transaction_takes_its_place_at_once_instead_of_failing_later(new_sqlite: object) -> None:
    assert callable(new_sqlite)
    url = new_sqlite()
    database = Database(url)
    with database.transaction() as session:
        session.execute(text("SELECT 1"))
        other = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    database.close()
