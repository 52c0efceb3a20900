"""Older databases, as an operator meets them: upgraded, restored, refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rentpay_cli.store import schema
from tests.cli.conftest import Cli
from tests.store.story import ADMINS_TOKEN
from tests.support.stored import put_stored


def test_a_database_that_is_not_there_yet_is_made_and_one_that_is_current_stays(cli: Cli, tmp_path: Path) -> None:
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{tmp_path / 'new' / 'rentpay.db'}")
    made = cli.json("database", "upgrade")
    assert (made["message"], made["schema"], made["schemaBefore"]) == ("The database was made", schema.CURRENT, None)
    assert [step["schema"] for step in made["steps"]] == sorted(schema.FROZEN)
    assert cli.json("database", "upgrade") == {
        "success": True,
        "message": "The database is current",
        "schema": schema.CURRENT,
        "schemaBefore": schema.CURRENT,
        "steps": [],
        "kept": None,
    }
    assert cli("database", "upgrade").out == f"The database is current (schema {schema.CURRENT}).\n"


@pytest.fixture
def older(cli: Cli, tmp_path: Path) -> Path:
    """The stored database of the first revision, which the commands see."""
    path = tmp_path / "older.db"
    put_stored(f"sqlite:///{path}", "0001")
    cli.configure(RENTPAY_DATABASE_URL=f"sqlite:///{path}", RENTPAY_TOKEN=ADMINS_TOKEN)
    return path


def test_an_older_database_is_brought_up_to_date_and_that_is_said(cli: Cli, older: Path) -> None:
    out = cli("database", "upgrade").out
    assert "The database was brought up to date from schema 0001; its journal fits every row" in out
    assert f"(schema {schema.CURRENT})" in out
    assert "0002: Callbacks can be dismissed." in out
    assert [row["id"] for row in cli.json("payments")["payments"]] == ["3", "2", "1"]


def test_an_older_database_is_kept_beside_the_upgraded_one(cli: Cli, older: Path) -> None:
    kept = Path(cli.json("database", "upgrade")["kept"])
    assert kept == older.with_name("older.db.before-upgrade-from-0001")
    assert revision(kept) == "0001"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_of_two_who_upgrade_at_once_the_second_leaves_the_copy_of_the_first(
    cli: Cli, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("database", "upgrade")
    monkeypatch.setattr("rentpay_cli.store.readonly.revision", lambda _: "0001")  # looked while the first was at it
    assert cli.json("database", "upgrade")["kept"] is None
    assert revision(older.with_name("older.db.before-upgrade-from-0001")) == "0001"


def test_what_an_upgrade_did_is_told_to_scripts(cli: Cli, older: Path) -> None:
    content = cli.json("database", "upgrade")
    assert content["schemaBefore"] == "0001"
    assert content["steps"][0] == {"schema": "0002", "change": "Callbacks can be dismissed."}


def test_a_database_of_an_older_version_says_how_to_upgrade(cli: Cli, older: Path) -> None:
    ran = cli("payments", "--json")
    assert ran.refusal == (4, "database")
    assert "rentpay database upgrade" in ran.json["error"]["hint"]


def revision(path: Path) -> str:
    """The schema of a database file."""
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found)


def test_an_older_copy_is_restored_and_brought_up_to_date_and_itself_stays_as_it_is(cli: Cli, older: Path) -> None:
    kept = older.with_name("kept.db")
    older.rename(kept)
    content = cli.json("restore", str(kept), "--yes")
    assert (content["schema"], content["schemaBefore"], content["payments"]) == (schema.CURRENT, "0001", 3)
    assert [revision(path) for path in (older, kept)] == [schema.CURRENT, "0001"]
    assert cli("journal", "verify").status == 0
    assert cli.json("payouts", "show")["stopped"] is True
    assert f"brought from 0001 to {schema.CURRENT}" in cli("restore", str(kept), "--yes").out


def test_a_copy_that_is_current_is_restored_without_a_word_about_schemas(cli: Cli, older: Path) -> None:
    cli("database", "upgrade")
    cli("backup", "copy.db")
    assert "brought from" not in cli("restore", "copy.db", "--yes").out


def test_a_copy_that_was_changed_by_hand_is_not_restored(cli: Cli, older: Path) -> None:
    kept = older.with_name("kept.db")
    put_stored(f"sqlite:///{kept}", "0001")
    with closing(sqlite3.connect(kept)) as connection:
        connection.execute("DROP TRIGGER journal_kept")
    ran = cli("restore", str(kept), "--yes", "--json")
    assert ran.refusal == (4, "database")
    assert f"{kept} was changed other than by rentpay: the trigger journal_kept" in ran.json["error"]["message"]
    assert revision(older) == "0001"


def test_an_older_database_is_not_copied_before_it_is_brought_up_to_date(cli: Cli, older: Path) -> None:
    ran = cli("backup", "copy.db", "--json")
    assert ran.refusal == (4, "database")
    assert not Path("copy.db").exists()
