"""Make the database, check that it is ours and current, and bring an older one up to date when told to.

Alembic is imported only where the schema is made or changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rentpay_cli.errors import BadDatabase

if TYPE_CHECKING:
    from alembic.config import Config

CURRENT = "0001"
"""The revision that this version of rentpay works with."""


def check_versions(url: str, found_revision: str | None, found_environment: str | None, environment: str) -> None:
    """Raise `BadDatabase` unless the database is current and was made for this environment."""
    place = (
        "The PostgreSQL database" if not url.startswith("sqlite") else f"The database {url.removeprefix('sqlite:///')}"
    )
    if found_revision != CURRENT:
        if found_revision is not None and found_revision > CURRENT:
            raise BadDatabase(
                f"{place} was made by a newer version of rentpay (schema {found_revision}, this one knows {CURRENT}).",
                "Install that version of rentpay; nothing was changed.",
            )
        raise BadDatabase(
            f"{place} has an older schema ({found_revision or 'none'}, this version needs {CURRENT}).",
            "Make a copy of it, then run: rentpay database upgrade",
        )
    if found_environment != environment:
        raise BadDatabase(
            f"{place} was made for the {found_environment} environment, but MPESA_ENVIRONMENT is {environment}.",
            "Set MPESA_ENVIRONMENT to match, or RENTPAY_DATABASE_URL to another database: environments never mix.",
        )


def create_or_upgrade(url: str, environment: str) -> None:
    """Bring the database to the current schema, from nothing if need be; raises `BadDatabase`.

    It happens in one transaction on both databases: nobody ever sees half a schema, and processes that start together
    wait for the first of them.
    """
    if url.startswith("sqlite"):
        from rentpay_cli.store.engine import prepare_sqlite_file, sqlite_path

        prepare_sqlite_file(sqlite_path(url))
    _migrate(url, environment)


def _migrate(url: str, environment: str) -> None:
    from alembic import command
    from sqlalchemy import text

    from rentpay_cli.store.engine import Database

    database = Database(url)
    try:
        with database.transaction() as session:
            connection = session.connection()
            if not database.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('rentpay schema'))"))
            config = _alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.execute(
                text("INSERT INTO setting (name, value) VALUES ('environment', :value) ON CONFLICT (name) DO NOTHING"),
                {"value": environment},
            )
    finally:
        database.close()


def _alembic_config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config
