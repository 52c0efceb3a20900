"""Make the database, check that it is ours, current and as it was made, and bring an older one up to date when told to.

Alembic is imported only where the schema is made or changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rentpay_cli.errors import BadDatabase
from rentpay_cli.store import fingerprint
from rentpay_cli.store.fingerprint import Rows, Told
from rentpay_cli.store.migrations.frozen import FROZEN

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
CURRENT = max(path.name[:4] for path in (MIGRATIONS / "versions").iterdir() if path.name[:4].isdigit())
"""The revision that this version of rentpay works with: the newest that there is."""


class Step(NamedTuple):
    """A revision that was gone through, and what it does, in a sentence."""

    revision: str
    words: str


class Upgrade(NamedTuple):
    """From which revision a database was brought up to date (None: it was made), and by which steps."""

    before: str | None
    steps: tuple[Step, ...]


Verify = Callable[["Connection"], None]
"""Raises if an older database is not whole any more after it was brought up to date, in the same transaction."""


def check(url: str, environment: str, rows: Rows) -> None:
    """Raise `BadDatabase` unless the database is current, as it was made, and of this environment."""
    found = _Found(url, rows)
    found.check_revision()
    if found.revision != CURRENT:  # its shape is looked at when it is brought up to date
        raise BadDatabase(
            f"{found.place} has an older schema ({found.revision}, this version needs {CURRENT}).",
            "Stop `rentpay serve-callbacks`. Then run: rentpay database upgrade",
        )
    found.check_shape()
    found.check_environment(environment)


def check_older(url: str, environment: str, rows: Rows) -> str:
    """The revision of a database that is current or can be brought up to date; otherwise as `check`."""
    return _usable(url, environment, rows).revision


def foreign(url: str) -> BadDatabase:
    """The error for an SQLite file that another program keeps its tables in."""
    return BadDatabase(
        f"The database {url.removeprefix('sqlite:///')} belongs to another program: nothing was changed.",
        "Set RENTPAY_DATABASE_URL to a file of its own, such as sqlite:////var/lib/rentpay/rentpay.db",
    )


def _usable(url: str, environment: str, rows: Rows) -> _Found:
    found = _Found(url, rows)
    found.check_revision()
    found.check_shape()
    found.check_environment(environment)
    return found


class _Found:
    """What a database says about itself."""

    def __init__(self, url: str, rows: Rows) -> None:
        self._rows = rows
        self._is_sqlite = url.startswith("sqlite")
        self.place = f"The database {url.removeprefix('sqlite:///')}" if self._is_sqlite else "The PostgreSQL database"
        self.revision = next((row["version_num"] for row in rows("SELECT version_num FROM alembic_version")), "none")
        remembered = rows("SELECT name, value FROM setting WHERE name IN ('environment', 'schema')")
        settings = {row["name"]: row["value"] for row in remembered}
        self._made_for = settings.get("environment")
        self._digest, _, self._made = settings.get("schema", "").partition("\n")

    @property
    def made(self) -> Told:
        """What it was made of; raises `BadDatabase` if that is damaged."""
        try:
            return fingerprint.read_back(self._made)
        except ValueError as error:
            raise BadDatabase(
                f"{self.place} is damaged: what it remembers of its own schema cannot be read.",
                "Keep the file as it is, and go back to a copy with: rentpay restore FILE",
            ) from error

    def check_revision(self) -> None:
        """Refuse what a newer version made, and what a revision made that was changed before it was released."""
        if self.revision != "none" and self.revision > CURRENT:
            raise BadDatabase(
                f"{self.place} was made by a newer version of rentpay "
                f"(schema {self.revision}, this one knows {CURRENT}).",
                "Install that version of rentpay; nothing was changed.",
            )
        if self._digest != _frozen(self.revision, is_sqlite=self._is_sqlite):
            raise BadDatabase(
                f"{self.place} was made before schema {self.revision} was released, and cannot be used.",
                "Nothing brings it up to date. Let RENTPAY_DATABASE_URL name another place, and make it anew there: "
                "rentpay init",
            )

    def check_shape(self) -> None:
        """Refuse what was changed since it was made."""
        found = fingerprint.read(self._rows, is_sqlite=self._is_sqlite)
        if fingerprint.written(found) == self._made:
            return
        ours = fingerprint.only_of(found, fingerprint.owners(self.made))
        now, before = (fingerprint.shape(told, is_sqlite=self._is_sqlite) for told in (ours, self.made))
        if differences := fingerprint.differences(now, before):
            raise BadDatabase(
                f"{self.place} was changed other than by rentpay: {differences}.",
                "What keeps money safe may be gone. Undo it by hand (the setting 'schema' in the database says how "
                "each thing was made), or go back to a copy. Then run: rentpay journal verify",
            )

    def check_environment(self, environment: str) -> None:
        """Refuse what was made for another environment."""
        if self._made_for != environment:
            raise BadDatabase(
                f"{self.place} was made for the {self._made_for} environment, but MPESA_ENVIRONMENT is {environment}.",
                "Set MPESA_ENVIRONMENT to match, or RENTPAY_DATABASE_URL to another database: environments never mix.",
            )


def _frozen(revision: str, *, is_sqlite: bool) -> str | None:
    return FROZEN.get(revision, {}).get("sqlite" if is_sqlite else "postgresql")


# --- making and upgrading --------------------------------------------------------------------------------------------


def create_or_upgrade(url: str, environment: str, verify: Verify = lambda _: None) -> Upgrade:
    """Bring the database to the current schema, from nothing if need be; raises `BadDatabase`.

    It happens in one transaction on both databases: nobody ever sees half a schema, and processes that start together
    wait for the first of them. `verify` is asked before it is committed, unless nothing was to be done or all is new.
    """
    from rentpay_cli.store.engine import Database, prepare_sqlite_file, sqlite_path, translated_errors

    if url.startswith("sqlite"):
        prepare_sqlite_file(sqlite_path(url))
    database = Database(url)
    try:
        with (
            translated_errors(url),
            database.engine.connect() as connection,
            rebuilding(connection),
            connection.begin(),
        ):
            return _upgrade(url, environment, connection, verify)
    finally:
        database.close()


def _upgrade(url: str, environment: str, connection: Connection, verify: Verify) -> Upgrade:
    from sqlalchemy import inspect

    if not (is_sqlite := url.startswith("sqlite")):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('rentpay schema'))")

    def rows(sql: str) -> Any:
        return connection.exec_driver_sql(sql).mappings()

    others, before = fingerprint.owners(fingerprint.read(rows, is_sqlite=is_sqlite)), None
    if inspect(connection).has_table("alembic_version"):
        found = _usable(url, environment, rows)
        others, before = others - fingerprint.owners(found.made), found.revision
    elif others and is_sqlite:
        raise foreign(url)
    if before == CURRENT:
        return Upgrade(before, ())
    steps = run_revisions(connection, CURRENT)
    ours = fingerprint.without(fingerprint.read(rows, is_sqlite=is_sqlite), others)
    digest = fingerprint.digest(fingerprint.shape(ours, is_sqlite=is_sqlite))
    if digest != _frozen(CURRENT, is_sqlite=is_sqlite):
        raise BadDatabase(
            f"Revision {CURRENT} does not make the schema here that it was released with. Nothing was changed.",
            "Are other versions of SQLAlchemy and Alembic installed than rentpay asks for? Whoever has changed the "
            "revision itself finds what to do in: rentpay help revisions",
        )
    _remember(connection, schema=f"{digest}\n{fingerprint.written(ours)}", environment=environment)
    if before is not None:
        _check_keys(connection)
        verify(connection)
    return Upgrade(before, steps)


def run_revisions(connection: Connection, revision: str, migrations: Path = MIGRATIONS) -> tuple[Step, ...]:
    """Run the revisions that are missing up to this one, in the transaction at hand, and tell which they were."""
    from alembic import command
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = alembic_config(migrations)
    config.attributes["connection"] = connection
    before = MigrationContext.configure(connection).get_current_revision()
    command.upgrade(config, revision)
    gone_through = ScriptDirectory.from_config(config).iterate_revisions(revision, before or "base")
    return tuple(Step(each.revision, each.doc) for each in reversed([*gone_through]))


def alembic_config(migrations: Path = MIGRATIONS) -> Config:
    """Where Alembic finds the revisions."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _remember(connection: Connection, **settings: str) -> None:
    from sqlalchemy import text

    for name, value in settings.items():
        connection.execute(
            text(
                "INSERT INTO setting (name, value) VALUES (:name, :value)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            ),
            {"name": name, "value": value},
        )


def _check_keys(connection: Connection) -> None:
    """While a table of SQLite's was rebuilt, nobody has looked at foreign keys."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise BadDatabase(f"A row of {broken[0]} refers to nothing. Nothing was changed.", "Go back to a copy.")


@contextmanager
def rebuilding(connection: Connection) -> Iterator[None]:
    """Let a table of SQLite's be dropped and another take its name, while rows, triggers and views refer to it.

    Both is told before the transaction begins, in which SQLite would not listen, and taken back whatever happens.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    driver.execute("PRAGMA legacy_alter_table=ON")
    try:
        yield
    finally:
        driver.execute("PRAGMA legacy_alter_table=OFF")
        driver.execute("PRAGMA foreign_keys=ON")
