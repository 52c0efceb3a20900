"""The side of the database that is only read: opened, checked, and asked in plain SQL on the driver itself.

It keeps SQLModel, which takes half a second to import, out of the commands that are typed most. Rows come back as
dictionaries; moments in them are still milliseconds.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from rentpay_cli.errors import BadDatabase
from rentpay_cli.store import schema
from rentpay_cli.store.place import sqlite_file

if TYPE_CHECKING:
    from sqlalchemy import Connection

Row = dict[str, Any]


class _Driver(Protocol):
    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]: ...

    def snapshot(self) -> AbstractContextManager[None]: ...

    def shadow(self, views: Mapping[str, str]) -> None: ...

    def close(self) -> None: ...


class _Sqlite:
    def __init__(self, path: Path, *, untouched: bool) -> None:
        # Read from whatever thread asks; the module itself takes one at a time.
        address = f"file:{quote(str(path))}?mode={'ro' if untouched else 'rw'}"
        self._connection = sqlite3.connect(address, uri=True, timeout=30, check_same_thread=False)
        self._connection.execute("PRAGMA query_only=ON")

    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]:
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        ours = self._connection.text_factory
        self._connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")  # whatever somebody wrote
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")
            self._connection.text_factory = ours

    def shadow(self, views: Mapping[str, str]) -> None:
        self._connection.execute("PRAGMA query_only=OFF")
        for table, sql in views.items():
            self._connection.execute(f"CREATE TEMP VIEW {table} AS {sql}")
        self._connection.execute("PRAGMA query_only=ON")

    def close(self) -> None:
        self._connection.close()


class _Postgresql:
    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ModuleNotFoundError as error:
            from rentpay_cli.store.engine import missing_driver

            raise missing_driver() from error
        self._connection = psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True)

    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]:
        from psycopg.rows import dict_row

        with self._connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute(re.sub(r"(?<!:):([a-z_]+)", r"%(\1)s", sql.replace("%", "%%")), dict(values))
            yield from cursor

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def shadow(self, views: Mapping[str, str]) -> None:
        schema_name = str(next(self.run("SELECT quote_ident(current_schema()) AS name", {}))["name"])
        for table, sql in views.items():
            there = sql.replace("main.", f"{schema_name}.")
            self._connection.execute(f"CREATE TEMP VIEW {table} AS {there}".encode())

    def close(self) -> None:
        self._connection.close()


class _Within:
    """A connection in the midst of a transaction, which sees what that has changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, sql: str, values: Mapping[str, Any]) -> Iterator[Row]:
        from sqlalchemy import text

        for row in self._connection.execute(text(sql), values).mappings():
            yield dict(row)

    def snapshot(self) -> AbstractContextManager[None]:
        return nullcontext()

    def shadow(self, views: Mapping[str, str]) -> None:
        raise AssertionError("whoever changes a schema sees all")

    def close(self) -> None:
        """It is closed by whoever opened it."""


class Reader:
    """An open database that is only read."""

    def __init__(self, url: str, driver: _Driver) -> None:
        self._url = url
        self._driver = driver

    def rows(self, sql: str, **values: Any) -> Iterator[Row]:
        """The rows of a query, one at a time; raises `BadDatabase` if the database cannot be used."""
        try:
            yield from self._driver.run(sql, values)
        except Exception as error:
            if _is_of_the_driver(error) or isinstance(error, UnicodeDecodeError):
                raise _unusable(self._url, error) from error
            raise

    def one(self, sql: str, **values: Any) -> Row | None:
        """The first row of a query, or None."""
        return next(iter(list(self.rows(sql, **values))), None)

    def snapshot(self) -> AbstractContextManager[None]:
        """See one moment of the database until the end, whatever others write; damaged text is read as it is."""
        return self._driver.snapshot()

    def shadow(self, views: Mapping[str, str]) -> None:
        """Put views in the place of the tables that they are named after, for this connection alone.

        A view reads the table itself as `main.` and its name.
        """
        self._driver.shadow(views)

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()


def ensure(url: str, environment: str, made: Callable[[str], None]) -> Reader:
    """Open the database for reading, and make it first if there is none; raises `BadDatabase`."""
    reader = existing(url, environment)
    if reader is None:
        schema.create_or_upgrade(url, environment)
        made(url)
        reader = existing(url, environment)
    assert reader is not None  # it was just made
    return reader


def existing(url: str, environment: str) -> Reader | None:
    """Open the database for reading if there is one; raises `BadDatabase` if it is not ours or not current."""
    reader = open_unchecked(url)
    if reader is None:
        return None
    try:
        if _has_schema(reader):
            schema.check(url, environment, reader.rows)
            return reader
        _refuse_foreign(reader, url)
    except BaseException:
        reader.close()
        raise
    reader.close()
    return None


def no_database(url: str, environment: str) -> BadDatabase:
    """The error for a database that is not there, which names those that are there under another name."""
    path = sqlite_file(url)
    make = "If the settings are right, make it with `rentpay init`, or `rentpay database upgrade`."
    others = ", ".join(str(other) for other in _beside(path)) if path else ""
    hint = f"There is {others}: is MPESA_ENVIRONMENT right? {make}" if others else make
    place = path or "on PostgreSQL"
    return BadDatabase(f"There is no database for the {environment} environment yet: {place}.", hint)


def _beside(path: Path) -> list[Path]:
    """The other databases of ours in the folder of this one."""
    return [each for each in sorted(path.parent.glob("*.db")) if each != path and _is_ours(each)]


def _is_ours(path: Path) -> bool:
    reader: Reader | None = None
    try:
        reader = open_unchecked(f"sqlite:///{path}")
        return reader is not None and _has_schema(reader)
    except BadDatabase:  # it is something else, or may not be read
        return False
    finally:
        if reader is not None:
            reader.close()


def open_unchecked(url: str, *, untouched: bool = False) -> Reader | None:
    """The open database, whosever it is; None if its SQLite file does not exist. Raises `BadDatabase`.

    SQLite mends what a crash has left half done unless its files are to stay `untouched`.
    """
    try:
        path = sqlite_file(url)
        if path is None:
            return Reader(url, _Postgresql(url))
        if path.is_symlink():  # it would be written through, to wherever somebody lets it lead
            hint = "Let RENTPAY_DATABASE_URL name the file itself."
            raise BadDatabase(f"The database {path} is a symbolic link.", hint)
        return Reader(url, _Sqlite(path, untouched=untouched)) if path.exists() else None
    except BadDatabase:
        raise
    except Exception as error:
        if _is_of_the_driver(error) or isinstance(error, OSError):
            raise _unusable(url, error) from error
        raise


def open_if_there(url: str) -> Reader:
    """The database for reading, neither made nor checked; raises `BadDatabase`."""
    reader = open_unchecked(url)
    if reader is None:
        raise BadDatabase("There is no database yet.")
    return reader


def _is_of_the_driver(error: Exception) -> bool:
    """Whether the driver itself says it; psycopg's errors are known by their module, which is imported only if used."""
    return isinstance(error, sqlite3.Error) or type(error).__module__.split(".")[0] == "psycopg"


def _unusable(url: str, error: Exception) -> BadDatabase:
    from rentpay_cli.store.engine import unusable

    return unusable(url, str(error))


_TABLES = {
    True: "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'",
    False: "SELECT count(*) AS n FROM pg_catalog.pg_class WHERE relkind = 'r' AND relname = 'alembic_version'"
    " AND pg_catalog.pg_table_is_visible(oid)",
}


def _has_schema(reader: Reader) -> bool:
    row = reader.one(_TABLES[reader._url.startswith("sqlite")])
    return bool(row and row["n"])


def _refuse_foreign(reader: Reader, url: str) -> None:
    """Raise `BadDatabase` for a file of SQLite's in which there are tables, and not ours."""
    if not url.startswith("sqlite"):  # one PostgreSQL database may serve several programs
        return
    row = reader.one("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    if row is not None:
        raise schema.foreign(url)


def revision(url: str) -> str | None:
    """The revision of a database of ours, which is not checked; None if there is none. Raises `BadDatabase`."""
    reader = open_unchecked(url)
    if reader is None:
        return None
    try:
        found = reader.one("SELECT version_num FROM alembic_version") if _has_schema(reader) else None
    finally:
        reader.close()
    return None if found is None else str(found["version_num"])


def within(url: str, connection: Connection) -> Reader:
    """The database as a transaction sees it that is not committed yet."""
    return Reader(url, _Within(connection))


def where_all(filters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The conditions that have a value, and the value of each that names a place for it."""
    used = {condition: value for condition, value in filters.items() if value is not None}
    values = {name[1]: value for condition, value in used.items() if (name := re.search(":([a-z_]+)", condition))}
    return (" WHERE " + " AND ".join(used) if used else ""), values


def damage(reader: Reader) -> list[str]:
    """What SQLite finds damaged in its file, at most ten lines; PostgreSQL looks after itself."""
    if not reader._url.startswith("sqlite"):
        return []
    found = [str(row["quick_check"]) for row in reader.rows("PRAGMA quick_check(10)")]
    return [] if found == ["ok"] else found


def setting(reader: Reader, name: str) -> str | None:
    """What the database remembers about itself under this name."""
    row = reader.one("SELECT value FROM setting WHERE name = :name", name=name)
    return None if row is None else str(row["value"])
