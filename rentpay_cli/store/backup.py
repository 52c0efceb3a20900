"""Copies of an SQLite database: made while others write, checked, and put in the place of another.

A copy is one plain file: it has no write-ahead log beside it that could be forgotten when it is carried away. A file is
put in place whole or not at all, and a symbolic link at the target is never followed.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from rentpay_cli.errors import RuleRefused
from rentpay_cli.store import schema

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database file."""
PAGES_A_STEP = 2000

OnProgress = Callable[[int, int], None]
"""Told how many pages of how many are copied; once all are, the copy is checked."""


@dataclass(frozen=True)
class Contents:
    """What a database says about itself; `newest_at` is its newest journal entry, in milliseconds."""

    newest_at: int | None
    payment_count: int
    revision: str


@contextmanager
def copied(source: Path, target: Path, on_progress: OnProgress = lambda *_: None) -> Iterator[Path]:
    """A checked copy beside the target, under a name that is gone at the end; raises `RuleRefused`."""
    temporary = _new_file_beside(target)
    try:
        _copy_pages(source, temporary, on_progress)
        yield temporary
    except (sqlite3.Error, OSError) as error:
        raise RuleRefused(f"{target} cannot be made from {source}: {error}.", "Is the disk full or damaged?") from error
    finally:
        for beside in ("", *BESIDE):
            Path(f"{temporary}{beside}").unlink(missing_ok=True)


def _new_file_beside(target: Path) -> Path:
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # made with mode 0600
    except OSError as error:
        raise RuleRefused(
            f"No file can be made in {target.parent}: {error.strerror}.", "Name a file in a folder that you may write."
        ) from error
    os.close(handle)
    return Path(name)


def _copy_pages(source: Path, temporary: Path, on_progress: OnProgress) -> None:
    """One read transaction sees one moment, while the listener goes on writing; between two steps Ctrl-C is heard."""

    def after_a_step(_: int, remaining: int, total: int) -> None:
        on_progress(total - remaining, total)

    with closing(_open_to_read(source)) as old, closing(sqlite3.connect(temporary)) as new:
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()  # or every write would let the copy begin anew
        old.backup(new, pages=PAGES_A_STEP, progress=after_a_step)
        new.execute("PRAGMA journal_mode=DELETE")
        _check_integrity(new, source)


def _open_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=30)


def _check_integrity(connection: sqlite3.Connection, source: Path) -> None:
    (first,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    if first != "ok" or broken:
        what = first if first != "ok" else f"a row of {broken[0]} refers to nothing"
        raise RuleRefused(f"{source} is damaged: {what}.", "Nothing was changed.", code="damaged")


def contents(path: Path, shown_as: Path, environment: str) -> Contents:
    """What is in a database of ours, current or older.

    Raises `BadDatabase` if its schema or environment is another's, or if it was changed other than by rentpay.
    """
    with closing(_open_to_read(path)) as connection:
        connection.row_factory = sqlite3.Row
        try:
            revision = schema.check_older(f"sqlite:///{shown_as}", environment, lambda sql: connection.execute(sql))
        except sqlite3.DatabaseError as error:
            raise RuleRefused(
                f"{shown_as} is no database of rentpay's.", "Nothing was changed.", code="foreign"
            ) from error
        (newest,) = connection.execute("SELECT max(at) FROM journal").fetchone()
        (count,) = connection.execute("SELECT count(*) FROM payment").fetchone()
    return Contents(newest, count, revision)


def put_in_place(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Give a finished file its name; without `overwrite`, raises `RuleRefused` if something has that name by now."""
    _flush(temporary)
    if overwrite:
        temporary.replace(target)
    else:
        try:
            target.hardlink_to(temporary)  # unlike a rename, it never replaces anything
        except FileExistsError:
            raise RuleRefused(f"{target} exists by now.", "Nothing was overwritten.") from None
        except OSError:  # a file system without links, such as that of a memory stick
            temporary.rename(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems cannot flush a folder
            os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep everybody else out of a database and fold its write-ahead log into it; raises `RuleRefused` if it is in use.

    Every process that has the database open holds a lock on it, also while it does nothing. A file that is too damaged
    to be opened cannot be locked, and is not.
    """
    if not is_database(path):  # SQLite would throw away the log beside it
        yield
        return
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("PRAGMA journal_mode=DELETE")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise RuleRefused(
                    f"The database {path} is in use.", "Stop `rentpay serve-callbacks` first.", code="in_use"
                ) from error
            connection.close()
        yield


def is_database(path: Path) -> bool:
    """Whether the file says of itself that it is an SQLite database."""
    if not path.exists():
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def set_aside(path: Path, kept: Path) -> None:
    """Keep a database under another name, with what belongs to it, until another takes its place."""
    for beside in BESIDE:  # only a damaged one still has them
        with suppress(FileNotFoundError):
            Path(f"{path}{beside}").rename(f"{kept}{beside}")
    try:
        kept.hardlink_to(path)  # so that there is a database under its own name at every moment
    except OSError:
        path.rename(kept)
    kept.chmod(0o600)
