"""What a database that can only be read says before anybody relies on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import event

from rentpay_cli.errors import BadDatabase
from rentpay_cli.runtime import Runtime
from rentpay_cli.store import readonly, signs
from rentpay_cli.store.engine import Database


@pytest.fixture
def read_only(rt: Runtime) -> Iterator[Database]:
    """The database of a runtime, which may only be read."""
    database = Database(rt.settings.database_url)
    statement = "PRAGMA query_only=ON" if database.is_sqlite else "SET default_transaction_read_only = on"

    @event.listens_for(database.engine, "connect")
    def forbid(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(statement)
        cursor.close()
        if not database.is_sqlite:
            connection.commit()  # type: ignore[attr-defined]

    yield database
    database.close()


def test_a_database_that_cannot_be_written_is_said_in_a_sentence(read_only: Database) -> None:
    with pytest.raises(BadDatabase, match="cannot be used"), read_only.transaction() as session:
        signs.prove_writable(session)


def test_proving_that_it_can_be_written_changes_nothing(rt: Runtime) -> None:
    with rt.database.transaction() as session:
        signs.prove_writable(session)
    assert readonly.setting(rt.reader, "environment") == "simulator"
