"""Open the database, and the one way to write: a short transaction that never spans the network."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlmodel import Session

from rentpay_cli.errors import BadDatabase
from rentpay_cli.store import chain

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BUSY_TIMEOUT_SECONDS = 30
GIVE_WAY_EVERY_SECONDS = 0.75
GIVE_WAY_SECONDS = 0.102
"""SQLite does not queue the writers of several processes: its busy handler looks again after 1, 2, 5, 10, 15, 20, 25,
25, 25, 50 and 50 ms, then every 100 ms. So a gap of more than 100 ms is met by everybody who waits."""


class _Turns:
    """A lock whose turns come in the order in which they were asked for.

    A plain one is mostly taken again by the thread that has just given it up, before those that wait for it wake. Each
    waits at a lock of its own, so that nobody else is woken.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queue: deque[threading.Lock] = deque()
        """Whose turn it is comes first; the locks of the others are held until it is theirs."""

    def __enter__(self) -> None:
        mine = threading.Lock()
        mine.acquire()
        with self._guard:
            self._queue.append(mine)
            is_first = self._queue[0] is mine
        try:
            if not is_first:
                mine.acquire()
        except BaseException:  # such as Ctrl-C: nobody may wait for a turn that will not be taken
            self._leave(mine)
            raise

    def __exit__(self, *_: object) -> None:
        self._leave(self._queue[0])

    def _leave(self, mine: threading.Lock) -> None:
        with self._guard:
            was_first = self._queue[0] is mine
            self._queue.remove(mine)
            if was_first and self._queue:
                self._queue[0].release()


class Database:
    """The engine, and turns for the writers of this process on SQLite, which would starve each other for seconds."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        self.engine = _open_sqlite(url) if self.is_sqlite else _open_postgresql(url)
        self._turn: Any = _Turns() if self.is_sqlite else contextlib.nullcontext()
        self._writing_since = self._wrote_at = 0.0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Write in one transaction: committed at the end, undone on any exception; raises `BadDatabase`."""
        with self._turn, self._transaction() as session:
            if time.monotonic() > self._wrote_at + GIVE_WAY_SECONDS:
                self._writing_since = time.monotonic()
            yield session
        self._wrote_at = time.monotonic()

    def give_way(self) -> None:
        """Leave other processes a gap, if ours has written for a while: between transactions that follow each other."""
        if self.is_sqlite and time.monotonic() > self._writing_since + GIVE_WAY_EVERY_SECONDS:
            with self._turn:
                time.sleep(GIVE_WAY_SECONDS)
            self._writing_since = time.monotonic()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        session = Session(self.engine, expire_on_commit=False)
        with translated_errors(self.url), session, session.begin():
            yield session
            chain.seal(session)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


@contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Turn what the driver says about a database that cannot be used into a sentence."""
    try:
        yield
    except (OperationalError, sqlite3.OperationalError) as error:
        raise unusable(url, _said(error)) from error
    except (DatabaseError, sqlite3.DatabaseError) as error:
        words = ("malformed", "not a database", "read-only", "permission denied")
        if any(word in _said(error) for word in words):
            raise unusable(url, _said(error)) from error
        raise


def _said(error: DatabaseError | sqlite3.DatabaseError) -> str:
    """What the driver said, through SQLAlchemy or itself."""
    return str(error.orig if isinstance(error, DatabaseError) else error)


def unusable(url: str, reason: str) -> BadDatabase:
    """The error for a database that is locked, read-only, full, damaged or out of reach."""
    reason = reason.strip().splitlines()[0] if reason.strip() else "no reason given"
    if url.startswith("sqlite"):
        hint = "Check that the file and its folder can be written by you, that the disk has room, and who else uses it."
        return BadDatabase(f"The database {sqlite_path(url)} cannot be used: {reason}.", hint)
    hint = "Check RENTPAY_DATABASE_URL, and that the server runs and lets you in."
    return BadDatabase(f"The PostgreSQL database cannot be used: {reason}.", hint)


def leave_no_traces(database: Database) -> None:
    """Let what was overwritten vanish from the files, too, as far as nobody still reads what was there before.

    SQLite overwrites what is deleted (`secure_delete`), but keeps pages as they were in its write-ahead log; PostgreSQL
    keeps rows as they were until it cleans up.
    """
    if database.is_sqlite:
        with contextlib.closing(database.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.exec_driver_sql("VACUUM tenant, payment, attempt, inbox")


def sqlite_path(url: str) -> Path:
    """The file behind an SQLite URL."""
    return Path(url.removeprefix("sqlite:///"))


def prepare_sqlite_file(path: Path) -> None:
    """Make the folder and an empty file that its owner alone can read."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
    except OSError as error:
        raise BadDatabase(
            f"The database {path} cannot be made: {error.strerror}.",
            "Set RENTPAY_DATABASE_URL to a file in a folder that you may write, such as sqlite:////var/lib/rentpay/rentpay.db",
        ) from error


def _open_sqlite(url: str) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, IMMEDIATE
        # Without recursive triggers INSERT OR REPLACE deletes a row and asks none of those that keep it.
        pragmas = (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",
            "secure_delete=ON",
        )
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        took = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        ]
        if took != ["wal", 2, 1, 1]:
            raise BadDatabase(
                f"SQLite did not take the settings that keep money safe (it runs with {took}).",
                "Put the database on a local disk: network folders cannot do this.",
            )

    @event.listens_for(engine, "begin")
    def begin_immediate(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _open_postgresql(url: str) -> Engine:
    try:
        return create_engine(url, pool_pre_ping=True, pool_size=20, max_overflow=20, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise missing_driver() from error


def missing_driver() -> BadDatabase:
    """The error for a PostgreSQL URL without its driver installed."""
    return BadDatabase(
        "RENTPAY_DATABASE_URL names a PostgreSQL database, but its driver is not installed.",
        "Install it with: pip install 'rentpay[postgres]'",
    )


def lock_payouts(session: Session, *, alone: bool) -> None:
    """Take part in paying out until the transaction ends; `alone` keeps everybody else from it, and is for a stop.

    Whoever waits to be alone is waited for by all who come later, so that a stop does not wait for ever. SQLite needs
    nothing, as below.
    """
    if session.get_bind().dialect.name == "postgresql":
        shared = "" if alone else "_shared"
        session.execute(text(f"SELECT pg_advisory_xact_lock{shared}(hashtext('payouts'))"))


def lock_while_deciding(session: Session, topic: str) -> None:
    """Let one process at a time decide about the topic until the transaction ends.

    SQLite needs nothing: its write transactions are one at a time from their first statement.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:topic))"), {"topic": topic})
