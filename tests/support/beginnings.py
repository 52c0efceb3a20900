"""What many tests begin with: built once in a database, and from then on put into theirs as it was."""

from __future__ import annotations

import copy
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rentpay_cli.runtime import Runtime
from rentpay_cli.store.engine import sqlite_path
from tests.support.databases import connect, filling
from tests.support.world import settings_for

T = TypeVar("T")
Build = Callable[[Runtime], T]
Fill = Callable[[str], None]


class Begin(Protocol):
    """As `Beginnings.begin`, for one database."""

    def __call__(self, build: Build[T]) -> T: ...


class Beginnings:
    """Everything that was built so far, by what built it and by the kind of database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[tuple[Build[Any], bool], tuple[Any, Fill]] = {}

    def begin(self, url: str, build: Build[T]) -> T:
        """Let a database that is as new hold what `build` makes there; what `build` returned when it did."""
        which = (build, url.startswith("sqlite"))
        if which in self._built:
            told, fill = self._built[which]
            fill(url)
        else:
            rt = Runtime(settings_for(url), actor="tester")
            told = build(rt)
            rt.close()
            self._built[which] = told, self._kept(url)
        return copy.deepcopy(told)

    def _kept(self, url: str) -> Fill:
        if not url.startswith("sqlite"):
            with connect(url) as database:
                statements = filling(database)
            return lambda other: _fill(other, statements)
        path = self._folder / f"{len(self._built)}.db"
        with closing(sqlite3.connect(sqlite_path(url))) as database, closing(sqlite3.connect(path)) as kept:
            database.backup(kept)
        path.chmod(0o600)  # as the databases are that are made here
        return lambda other: _replace(sqlite_path(other), path)


def _fill(url: str, statements: str) -> None:
    with connect(url) as database:
        database.execute("SET session_replication_role = replica")  # the journal is written as it was, hashes and all
        database.execute(statements.encode())


def _replace(path: Path, kept: Path) -> None:
    assert not path.with_name(f"{path.name}-wal").exists(), "somebody has opened the database already"
    shutil.copy(kept, path)
