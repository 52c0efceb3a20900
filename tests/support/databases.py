"""A PostgreSQL server for tests: its databases are copies of a template with the current schema."""

from __future__ import annotations

import re
import secrets

import psycopg


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
